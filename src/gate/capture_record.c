#include "gate/capture_record.h"

#include "base/json_out.h"
#include "gate/capture_mask.h"

enum { FACTS_MAX = 66, ID_MAX = 1000 };

/* --- into the queue --- */

static void put(struct buf *out, struct span s)
{
    uint32_t n = (uint32_t)s.n;
    buf_append(out, &n, sizeof(n));
    buf_append_span(out, s);
}

static void put_id(struct buf *out, struct span s)
{
    put(out, span_of(s.p, MIN_OF(s.n, (size_t)ID_MAX)));
}

/* Ids of the rules that hit, each once. Returns their number. */
static uint8_t put_rules(const struct verdict *v, bool is_shadow, struct buf *out)
{
    uint8_t n = 0;
    for (size_t i = 0; v && i < v->n_hits; i++) {
        bool is_other = rule_is_shadow(v->hit[i].rule) != is_shadow;
        for (size_t k = 0; k < i && !is_other; k++)
            is_other = v->hit[k].rule == v->hit[i].rule;
        if (is_other)
            continue;
        put_id(out, span_str(rule_id(v->hit[i].rule)));
        n++;
    }
    return n;
}

bool capture_record_encode(const struct capture_item *item, uint64_t number, struct buf *out)
{
    const struct verdict *v = item->verdict;
    size_t bytes = 0;
    for (size_t i = 0; i < item->n_texts; i++)
        bytes += item->text[i].n;
    if (bytes > CAPTURE_TEXT_MAX)
        return false;
    size_t start = out->len;
    struct capture_head h = {.dir = (uint8_t)item->dir,
                             .action = (uint8_t)item->action,
                             .has_verdict = v != NULL,
                             .is_edit = item->is_edit,
                             .has_cause = item->has_cause,
                             .cause = (uint8_t)item->cause,
                             .severity = v && v->opens_case ? (uint8_t)v->severity : 0,
                             .confirms = v && v->confirms,
                             .n_facts = (uint8_t)MIN_OF(item->who.n_facts, (size_t)FACTS_MAX),
                             .n_texts = (uint8_t)MIN_OF(item->n_texts, (size_t)INPUT_TEXTS_MAX),
                             .number = number,
                             .at_ms = item->at_ms};
    buf_append(out, &h, sizeof(h));
    put_id(out, item->agent);
    put_id(out, item->conv);
    put_id(out, item->who.team);
    put_id(out, item->who.shop);
    put_id(out, item->who.role);
    put_id(out, span_str(item->rules_version));
    put_id(out, span_str(item->mode ? item->mode : ""));
    put_id(out, span_str(v && v->opens_case ? v->case_kind : ""));
    for (size_t i = 0; i < h.n_facts; i++)
        put_id(out, span_str(item->who.facts[i]));
    h.n_rules = put_rules(v, false, out);
    h.n_shadow = put_rules(v, true, out);
    for (size_t i = 0; i < h.n_texts; i++)
        put(out, item->text[i]);
    h.bytes = (uint32_t)(out->len - start);
    memcpy(out->data + out->start + start, &h, sizeof(h));
    return true;
}

/* --- as a line --- */

struct reader {
    struct span left;
    struct json_out json;
    struct capture_mask *mask;
};

static struct span take(struct reader *r)
{
    uint32_t n;
    memcpy(&n, r->left.p, sizeof(n));
    struct span s = span_of(r->left.p + sizeof(n), n);
    r->left = span_from(r->left, sizeof(n) + n);
    return s;
}

static void print_text(struct reader *r, struct span s)
{
    json_span(&r->json, r->mask ? capture_mask_text(r->mask, s) : s);
}

static void print_id(struct reader *r, const char *key, struct span s)
{
    if (!s.n)
        return;
    char name[CAPTURE_PSEUDONYM_MAX];
    json_key(&r->json, key);
    if (r->mask)
        json_str(&r->json, capture_mask_id(s, name));
    else
        json_span(&r->json, s);
}

static void print_word(struct reader *r, const char *key, struct span s)
{
    if (s.n)
        json_key(&r->json, key), json_span(&r->json, s);
}

static void print_list(struct reader *r, const char *key, unsigned n, bool want_empty)
{
    if (!n && !want_empty)
        return;
    json_key(&r->json, key);
    json_arr(&r->json);
    while (n--)
        json_span(&r->json, take(r));
    json_arr_end(&r->json);
}

static void print_verdict(struct reader *r, const struct capture_head *h, struct span case_kind)
{
    if (h->dir == DIR_OUTGOING)
        json_key(&r->json, "action"), json_str(&r->json, action_name((enum action)h->action));
    else
        json_key(&r->json, "action"), json_str(&r->json, "pass");
    if (case_kind.n) {
        print_word(r, "opens_case", case_kind);
        json_key(&r->json, "severity"), json_int(&r->json, h->severity);
    }
    if (h->confirms)
        json_key(&r->json, "confirms_case"), json_bool(&r->json, true);
}

static void print_head(struct reader *r, const struct capture_head *h)
{
    char id[48];
    snprintf(id, sizeof(id), "%lld-%llu", (long long)h->at_ms, (unsigned long long)h->number);
    json_key(&r->json, "id"), json_str(&r->json, id);
    json_key(&r->json, "at"), json_int(&r->json, h->at_ms);
    json_key(&r->json, "side"), json_str(&r->json, h->dir == DIR_OUTGOING ? "agent" : "customer");
}

void capture_record_print(struct span record, struct capture_mask *mask, struct buf *out)
{
    struct capture_head h;
    memcpy(&h, record.p, sizeof(h));
    struct reader reader = {span_from(record, sizeof(h)), {.buf = out}, mask}, *r = &reader;
    json_obj(&r->json);
    print_head(r, &h);
    print_id(r, "agent", take(r));
    print_id(r, "conv", take(r));
    print_word(r, "team", take(r));
    print_word(r, "shop", take(r));
    print_word(r, "role", take(r));
    struct span version = take(r), mode = take(r), case_kind = take(r);
    print_list(r, "facts", h.n_facts, false);
    if (h.is_edit)
        json_key(&r->json, "edit"), json_bool(&r->json, true);
    print_word(r, "mode", mode);
    if (h.has_verdict)
        print_verdict(r, &h, case_kind);
    print_list(r, "rules", h.n_rules, h.has_verdict);
    print_list(r, "shadow", h.n_shadow, false);
    if (h.has_cause)
        json_key(&r->json, "cause"), json_str(&r->json, cause_name((enum cause)h.cause));
    print_word(r, "rules_version", version);
    if (mask)
        json_key(&r->json, "masked"), json_bool(&r->json, true);
    json_key(&r->json, "text");
    print_text(r, take(r));
    if (h.n_texts > 1) {
        json_key(&r->json, "more");
        json_arr(&r->json);
        for (unsigned i = 1; i < h.n_texts; i++)
            print_text(r, take(r));
        json_arr_end(&r->json);
    }
    json_obj_end(&r->json);
    buf_append_str(out, "\n");
}
