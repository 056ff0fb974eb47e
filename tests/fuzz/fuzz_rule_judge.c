/* Any text, judged by a set that uses every feature, with the packs as shipped and their lists of spellings: spans on
 * character borders, edits sorted and disjoint, a rewrite that is clean. Bytes 0xff part the texts; the first byte says
 * direction and how many of them are earlier messages. */
#include "base/buf.h"
#include "base/utf8.h"
#include "rule/set.h"
#include "text/fold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ruleset *load(void)
{
    const char *paths[] = {SOURCE_DIR "/tests/fuzz/corpus/rule_load/every_key.yaml", SOURCE_DIR "/rules"};
    struct ruleset_options o = {.pack_paths = paths, .n_pack_paths = 2};
    struct err_list errs = {0};
    struct ruleset *set = NULL;
    if (ruleset_load(&o, &set, &errs) != 0) {
        for (size_t i = 0; i < errs.n; i++)
            fprintf(stderr, "%s\n", errs.line[i]);
        abort();
    }
    return set;
}

static void need(bool is_fine)
{
    if (!is_fine)
        abort();
}

static bool is_border(struct span t, uint32_t at)
{
    return at == t.n || (at < t.n && (t.p[at] & 0xc0) != 0x80);
}

static void check(const struct ruleset *set, struct rule_scratch *scratch, const struct rule_input *in,
                  struct verdict *v)
{
    static struct verdict again;
    static struct buf out;
    struct rule_input second = *in;
    for (size_t i = 0; i < v->n_hits; i++) {
        const struct hit *h = &v->hit[i];
        need(h->text < in->n_texts && h->from <= h->to && h->to <= in->text[h->text].n);
        need(is_border(in->text[h->text], h->from) && is_border(in->text[h->text], h->to));
    }
    need((v->n_edits > 0) == (v->action == ACTION_REWRITE));
    buf_reset(&out);
    (void)buf_reserve(&out, 1 << 20);
    for (size_t t = 0, k = 0; t < in->n_texts; t++) {
        size_t at = 0, start = out.len;
        for (; k < v->n_edits && v->edit[k].text == t; k++) {
            const struct edit *e = &v->edit[k];
            need(e->from >= at && e->from < e->to && is_border(in->text[t], e->from) && is_border(in->text[t], e->to));
            buf_append(&out, in->text[t].p + at, e->from - at);
            buf_append_span(&out, e->with);
            at = e->to;
        }
        buf_append_span(&out, span_from(in->text[t], at));
        second.text[t] = span_of(out.data + out.start + start, out.len - start);
        need(utf8_is_valid(second.text[t]));
    }
    if (v->action != ACTION_REWRITE)
        return;
    ruleset_judge(set, scratch, &second, &again);
    need(again.action <= ACTION_WARN && again.n_edits == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ruleset *set;
    static struct rule_scratch *scratch;
    static struct verdict v;
    if (!set)
        set = load(), scratch = rule_scratch_new();
    if (!size)
        return 0;
    struct rule_input in = {.dir = data[0] & 1 ? DIR_INCOMING : DIR_OUTGOING, .now_ms = 1704852000000};
    size_t before = data[0] >> 1 & 3;
    for (size_t at = 1; at < size && in.n_texts < INPUT_TEXTS_MAX;) {
        const uint8_t *end = memchr(data + at, 0xff, size - at);
        size_t n = (end ? (size_t)(end - data) : size) - at;
        struct span s = span_of(data + at, n);
        s.n = utf8_valid_prefix(s);
        if (in.n_before < before)
            in.before[in.n_before] = s, in.before_ms[in.n_before++] = in.now_ms - 1000;
        else
            in.text[in.n_texts++] = s;
        at += n + 1;
    }
    ruleset_judge(set, scratch, &in, &v);
    check(set, scratch, &in, &v);
    return 0;
}
