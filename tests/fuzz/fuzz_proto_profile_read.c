/* Messages for the shipped profiles. The first byte chooses profile, socket and direction. Whatever comes: units stay
 * in their bounds, refusals are JSON, an edited message is read again with the new text, a dropped one is gone. */
#undef NDEBUG /* the checks stay in every build */
#include <assert.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "proto/json.h"
#include "proto/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *name;
    int sockets;
} PROFILE[] = {{"plain-ws-json", 1}, {"socketio-custom", 1}, {"rocketchat", 3}, {"tinode", 1}};

static struct profile *load(size_t i)
{
    static struct profile *loaded[ARRAY_LEN(PROFILE)];
    if (!loaded[i]) {
        struct err_list errs = {0};
        char *path = xasprintf("%s/conf/profiles/%s.yaml", SOURCE_DIR, PROFILE[i].name);
        loaded[i] = profile_load_file(path, &errs);
        assert(loaded[i]);
        free(path);
    }
    return loaded[i];
}

struct subject {
    struct profile_conn c;
    struct profile_scratch *s;
    struct span payload;
    struct unit u[UNITS_MAX];
    size_t n;
};

static void check_units(const struct subject *t)
{
    assert(t->n <= UNITS_MAX);
    for (size_t i = 0; i < t->n; i++) {
        const struct unit *u = &t->u[i];
        assert(u->n_texts <= UNIT_TEXTS_MAX && (!u->has_cause || u->cause < CAUSE_COUNT));
        assert(u->kind != UNIT_NONE || u->is_ack != u->is_nack);
        for (size_t k = 0; k < u->n_texts; k++)
            assert(utf8_is_valid(u->text[k]));
        assert(utf8_is_valid(u->conv) && utf8_is_valid(u->mid) && utf8_is_valid(u->sender));
    }
}

static void check_refusals(struct subject *t)
{
    struct profile_words w = {span_str("no \"way\"\n"), span_str("r1")};
    struct buf out = {0};
    struct json_doc d = {0};
    size_t len[4];
    for (size_t i = 0; i < t->n; i++) {
        buf_reset(&out);
        size_t n = profile_refuse(t->s, &t->c, &t->u[i], &w, 1, &out, len), at = 0;
        assert(n <= 4);
        for (size_t k = 0; k < n; at += len[k++]) {
            struct span one = span_of(buf_span(&out).p + at, len[k]);
            const uint8_t *json = memchr(one.p, one.p[0] == '4' ? '[' : one.p[0] == 'a' ? '[' : '{', one.n);
            assert(json && json_read(&d, span_from(one, (size_t)(json - one.p)), 0, NULL) == JSON_OK);
        }
        assert(at == out.len || !n);
    }
    json_doc_fini(&d);
    buf_fini(&out);
}

/* Replaces the first text of the first unit that has one. */
static void check_edit(struct subject *t)
{
    struct unit_fate fates[UNITS_MAX] = {0};
    struct text_edit ed = {.with = span_str("\xe7\x81\xaf\"\\")};
    struct buf out = {0};
    unsigned dropped;
    size_t i = 0;
    while (i < t->n && (!t->u[i].n_texts || t->u[i].kind == UNIT_NONE))
        i++;
    if (i == t->n)
        return;
    ed.to = (uint32_t)t->u[i].text[0].n;
    fates[i] = (struct unit_fate){.edit = &ed, .n_edits = 1};
    enum emit r = profile_emit(t->s, t->payload, t->u, t->n, fates, &out, &dropped);
    assert(r == EMIT_BYTES);
    struct profile_scratch *s = profile_scratch_new();
    struct unit again[UNITS_MAX];
    size_t n = profile_read(s, &t->c, C2S, buf_span(&out), 1, again);
    assert(n == t->n && again[i].kind == t->u[i].kind);
    if (!dropped) /* else the text may have gone with a companion */
        assert(again[i].n_texts && span_eq(again[i].text[0], ed.with));
    profile_scratch_free(&s);
    buf_fini(&out);
}

static void check_drop(struct subject *t)
{
    struct unit_fate fates[UNITS_MAX] = {0};
    struct buf out = {0};
    unsigned dropped;
    for (size_t i = 0; i < t->n; i++)
        fates[i].drop = true;
    enum emit r = profile_emit(t->s, t->payload, t->u, t->n, fates, &out, &dropped);
    assert(r == EMIT_NOTHING || r == EMIT_BYTES);
    if (r == EMIT_BYTES)
        assert(profile_read(t->s, &t->c, C2S, buf_span(&out), 1, t->u) == 0);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    size_t which = data[0] & 3;
    struct subject t = {.s = profile_scratch_new(), .payload = span_of(data + 1, size - 1)};
    enum profile_dir dir = data[0] & 64 ? S2C : C2S;
    profile_conn_init(&t.c, load(which), (data[0] >> 2 & 3) % PROFILE[which].sockets, span_str(""));
    t.n = profile_read(t.s, &t.c, dir, t.payload, 1, t.u);
    assert(!profile_saw_utf8(t.s) || utf8_is_valid(t.payload));
    check_units(&t);
    if (dir == C2S && t.n) {
        check_refusals(&t);
        check_edit(&t);
        check_drop(&t);
    }
    profile_conn_fini(&t.c);
    profile_scratch_free(&t.s);
    return 0;
}
