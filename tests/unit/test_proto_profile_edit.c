/* Random edits of texts under zero to three layers of strings, against a model that knows how every character was
 * written: the bytes outside the edit must stay as they came, whatever escapes were used, and the new text must be read
 * back. */
#include "base/json_out.h"
#include "profile_rig.h"

enum { TOKENS_MAX = 40, ROUNDS = 1500 };

static const char PROFILE[] =
    "profile: x\n"
    "ws: [{path: /a, framing: plain}, {path: /b, framing: sockjs}, {path: /c, framing: socketio}]\n"
    "rules:\n"
    "  - {id: deep, dir: c2s, when: [{has: \"/m!json/d!json/text\"}], kind: send,\n"
    "     text: [\"/m!json/d!json/text\"], get: {conv: \"/m!json/d!json/c\"}}\n"
    "  - {id: mid, dir: c2s, when: [{has: \"/1/m!json/text\"}], kind: send, text: [\"/1/m!json/text\"],\n"
    "     get: {conv: \"/1/m!json/c\"}}\n"
    "  - {id: flat, dir: c2s, when: [{has: /text}], kind: send, text: [/text], get: {conv: /c}}\n";

static uint64_t seed = 1442695040888963407u;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % below;
}

/* A payload as its writer made it: what stands before the text, every character as written, what stands behind. */
struct model {
    struct buf before, after;
    struct buf src[TOKENS_MAX];  /* each character as written */
    struct buf text[TOKENS_MAX]; /* and as read */
    uint32_t n;
    int strings; /* layers of strings around the text, its own included */
};

static void put_code_unit(struct buf *out, uint32_t cp)
{
    buf_printf(out, draw(2) ? "\\u%04x" : "\\u%04X", cp);
}

/* One code point inside a string, in any of the ways in which it may be written. */
static void put_encoded(struct buf *out, struct span raw, uint32_t cp)
{
    bool must = cp < 0x20 || cp == '"' || cp == '\\';
    if (!must && draw(5)) {
        buf_append_span(out, raw);
    } else if (cp >= 0x10000) {
        put_code_unit(out, 0xd800 + ((cp - 0x10000) >> 10));
        put_code_unit(out, 0xdc00 + ((cp - 0x10000) & 0x3ff));
    } else if ((cp == '"' || cp == '\\' || cp == '/') && draw(3)) {
        buf_printf(out, "\\%c", (int)cp);
    } else if (cp == '\n' && draw(3)) {
        buf_append_str(out, "\\n");
    } else {
        put_code_unit(out, cp);
    }
}

static void put_all_encoded(struct buf *out, struct span text)
{
    while (text.n) {
        uint32_t cp;
        unsigned n = utf8_decode(text.p, text.n, &cp);
        put_encoded(out, span_of(text.p, n), cp);
        text = span_from(text, n);
    }
}

static void encode_in_place(struct buf *b)
{
    struct buf out = {0};
    put_all_encoded(&out, buf_span(b));
    buf_fini(b);
    *b = out;
}

static void surround(struct model *m, const char *before, const char *after)
{
    struct buf b = {0};
    buf_append_str(&b, before);
    buf_append_span(&b, buf_span(&m->before));
    buf_fini(&m->before);
    m->before = b;
    buf_append_str(&m->after, after);
}

/* Puts all of it into a string. */
static void into_string(struct model *m)
{
    encode_in_place(&m->before);
    encode_in_place(&m->after);
    for (uint32_t i = 0; i < m->n; i++)
        encode_in_place(&m->src[i]);
    surround(m, "\"", "\"");
    m->strings++;
}

static void put_characters(struct model *m)
{
    static const char *const character[] = {"a",  "Z",  "\"", "\\", "/", "\n", "\x01",
                                            "加", "微", "é",  "😀",  " ", "{",  "}"};
    m->n = draw(TOKENS_MAX);
    for (uint32_t i = 0; i < m->n; i++) {
        struct span c = span_str(character[draw(ARRAY_LEN(character))]);
        buf_append_span(&m->text[i], c);
        buf_append_span(&m->src[i], c);
    }
}

/* Returns the socket that carries it. */
static int make(struct model *m)
{
    put_characters(m);
    into_string(m);
    surround(m, " {\"c\":\"c\\u0031\" , \"text\":", ",\"z\":[1.50,null]}");
    switch (draw(4)) {
    case 0:
        return 0;
    case 1:
        into_string(m);
        surround(m, "[\"{}\", ", " ,\"{}\"]");
        return 1;
    case 2:
        into_string(m);
        surround(m, "4212[\"e\",{\"m\":", "},0]");
        return 2;
    default:
        into_string(m);
        surround(m, "{\"d\":", "}");
        into_string(m);
        surround(m, "{\"k\":1,\"m\":", ",\"l\":1}");
        into_string(m);
        surround(m, "[", "]");
        return 1;
    }
}

static void fini(struct model *m)
{
    buf_fini(&m->before);
    buf_fini(&m->after);
    for (uint32_t i = 0; i < TOKENS_MAX; i++) {
        buf_fini(&m->src[i]);
        buf_fini(&m->text[i]);
    }
}

static void join(const struct buf *piece, uint32_t from, uint32_t to, struct buf *out)
{
    for (uint32_t i = from; i < to; i++)
        buf_append_span(out, buf_span(&piece[i]));
}

/* What must come out when characters [from, to) become `with`. */
static void expected(const struct model *m, uint32_t from, uint32_t to, struct span with, struct buf *payload,
                     struct buf *text)
{
    struct buf escaped = {0};
    buf_append_span(&escaped, with);
    for (int i = 0; i < m->strings; i++) {
        struct buf more = {0};
        json_escape(&more, buf_span(&escaped));
        buf_fini(&escaped);
        escaped = more;
    }
    buf_append_span(payload, buf_span(&m->before));
    join(m->src, 0, from, payload);
    buf_append_span(payload, buf_span(&escaped));
    join(m->src, to, m->n, payload);
    buf_append_span(payload, buf_span(&m->after));
    join(m->text, 0, from, text);
    buf_append_span(text, with);
    join(m->text, to, m->n, text);
    buf_fini(&escaped);
}

static void check_edit(struct rig *r, const struct model *m)
{
    static const char *const with[] = {"", "x", "\"", "灯光下", "a\\b\n", "😀"};
    struct buf payload = {0}, text = {0}, head = {0}, cut = {0};
    uint32_t from = draw(m->n + 1), to = from + draw(m->n - from + 1);
    struct text_edit ed = {.with = span_str(with[draw(ARRAY_LEN(with))])};
    expected(m, from, to, ed.with, &payload, &text);
    join(m->text, 0, from, &head);
    join(m->text, from, to, &cut);
    ed.from = head.len;
    ed.to = head.len + cut.len;
    struct unit_fate fates[UNITS_MAX] = {{.edit = &ed, .n_edits = 1}};
    assert_int_equal(rig_emit(r, fates), EMIT_BYTES);
    if (!span_eq(buf_span(&r->out), buf_span(&payload)))
        fail_msg("edit [%u, %u): %s\nmust be %s", ed.from, ed.to, buf_cstr(&r->out), buf_cstr(&payload));
    r->n = profile_read(r->s, &r->c, C2S, buf_span(&payload), 0, r->u);
    assert_int_equal(r->n, 1);
    assert_true(span_eq(r->u[0].text[0], buf_span(&text)));
    assert_span(r->u[0].conv, "c1");
    buf_fini(&payload);
    buf_fini(&text);
    buf_fini(&head);
    buf_fini(&cut);
}

static void test_random_edits(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct profile *p = profile_load_text("p.yaml", span_of(PROFILE, strlen(PROFILE)), &errs);
    for (size_t i = 0; i < errs.n; i++)
        print_error("%s\n", errs.line[i]);
    assert_non_null(p);
    for (int round = 0; round < ROUNDS; round++) {
        struct model m = {0};
        struct buf whole = {0}, text = {0};
        struct rig r;
        rig_use(&r, profile_ref(p), make(&m));
        expected(&m, 0, 0, span_str(""), &whole, &text);
        uint8_t *exact = xmalloc(whole.len); /* so that one byte too far is seen */
        memcpy(exact, whole.data + whole.start, whole.len);
        r.payload = span_of(exact, whole.len);
        r.n = profile_read(r.s, &r.c, C2S, r.payload, 0, r.u);
        if (r.n != 1 || r.u[0].has_cause || r.u[0].n_texts != 1 || !span_eq(r.u[0].text[0], buf_span(&text)))
            fail_msg("%s: %zu units, not read as written", buf_cstr(&whole), r.n);
        check_edit(&r, &m);
        free(exact);
        buf_fini(&whole);
        buf_fini(&text);
        rig_fini(&r);
        fini(&m);
    }
    profile_unref(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_edits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
