/* chatgate explain: one message, everything that the rules see in it. */
#include "base/clock.h"
#include "base/json_out.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/cli_ruleset.h"
#include "rule/trace.h"
#include "text/fold.h"

enum { NOTES_MAX = 64 };

struct explain {
    struct cli_ruleset rules;
    const char *text;
    bool is_incoming, is_json;
    struct rule_trace note[NOTES_MAX];
    size_t n_notes;
    char *variant; /* the text with its stand-ins replaced, or NULL */
};

static void on_trace(void *arg, const struct rule_trace *t)
{
    struct explain *x = arg;
    if (t->what == TRACE_VARIANT) {
        free(x->variant);
        x->variant = xmemdup0(t->by.p, t->by.n);
    } else if (x->n_notes < NOTES_MAX)
        x->note[x->n_notes++] = *t;
}

static void append_view(struct buf *b, const struct view *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        uint8_t utf8[4];
        if (v->cp[i] >= FOLD_SYLLABLE_BASE) {
            const char *name = fold_syllable_name(v->cp[i]);
            buf_printf(b, "%s%s", b->len ? " " : "", name);
        } else {
            buf_append(b, utf8, utf8_encode(v->cp[i], utf8));
        }
    }
}

static struct span edited_text(const struct verdict *v, struct span text, struct buf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < v->n_edits; i++) {
        buf_append(out, text.p + at, v->edit[i].from - at);
        buf_append_span(out, v->edit[i].with);
        at = v->edit[i].to;
    }
    buf_append_span(out, span_from(text, at));
    return buf_span(out);
}

static void print_note(const struct explain *x, const struct rule_trace *t)
{
    const char *text = x->text;
    if (t->what == TRACE_HIT) {
        printf("hit       %s%s%s%s  %s%s\n", rule_id(t->rule), *rule_norm(t->rule) ? " (" : "", rule_norm(t->rule),
               *rule_norm(t->rule) ? ")" : "", rule_title(t->rule), rule_is_shadow(t->rule) ? "  [shadow]" : "");
        printf("          bytes %u-%u \"%.*s\"", t->from, t->to, (int)(t->to - t->from), text + t->from);
        for (size_t i = 0; i < t->n_pieces; i++)
            printf("%s%.*s", i ? " + " : ", found ", (int)t->piece[i].n, (const char *)t->piece[i].p);
        putchar('\n');
    } else {
        printf("saved     %s  \"%.*s\" by %s", rule_id(t->rule), (int)(t->to - t->from), text + t->from, t->why);
        if (t->by.n)
            printf(" \"%.*s\"", (int)t->by.n, (const char *)t->by.p);
        putchar('\n');
    }
}

/* Rules of a pack often share one notice: it is told once. */
static bool has_notice_before(const struct verdict *v, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!rule_is_shadow(v->hit[k].rule) && strcmp(rule_notice(v->hit[k].rule), rule_notice(v->hit[i].rule)) == 0)
            return true;
    return false;
}

static void print_text(const struct explain *x, const struct verdict *v, const struct folded *f,
                       const struct ruleset *set)
{
    static const char *const label[] = {"plain", "digits", "reading"};
    printf("text      %s\nfolded    %.*s\n", x->text, (int)f->line.n, (const char *)f->line.p);
    for (int k = 0; k < VIEW_COUNT; k++) {
        struct buf b = {0};
        append_view(&b, &f->view[k]);
        printf("%-9s %s\n", label[k], buf_cstr(&b));
        buf_fini(&b);
    }
    if (x->variant)
        printf("variant   %s\n", x->variant);
    for (size_t i = 0; i < x->n_notes; i++)
        print_note(x, &x->note[i]);
    printf("verdict   %s\n", action_name(v->action));
    if (v->has_cause)
        printf("cause     %s\n", cause_name(v->cause));
    for (size_t i = 0; i < v->n_hits; i++)
        if (*rule_notice(v->hit[i].rule) && !has_notice_before(v, i) && !rule_is_shadow(v->hit[i].rule))
            printf("notice    %s\n", rule_notice(v->hit[i].rule));
    if (v->n_edits) {
        struct buf b = {0};
        (void)edited_text(v, span_str(x->text), &b);
        printf("rewritten %s\n", buf_cstr(&b));
        buf_fini(&b);
    }
    if (v->opens_case)
        printf("case      %s, severity %d (%s)\n", v->case_kind, v->severity, rule_id(v->opens_case));
    if (v->confirms)
        printf("confirms  %s\n", rule_id(v->confirms));
    for (size_t i = 0; i < v->n_commits; i++) {
        char due[CLOCK_RFC3339_MAX] = "no time named";
        if (v->commit[i].due_ms)
            (void)clock_rfc3339_ms(v->commit[i].due_ms, due);
        printf("commit    promised, due %s (%s)%s\n", due, rule_id(v->commit[i].rule), i ? ", does not count" : "");
    }
    printf("rules     version %s, %zu rules\n", ruleset_version(set), ruleset_count(set));
}

static void json_hits(struct json_out *j, const struct verdict *v)
{
    json_key(j, "hits");
    json_arr(j);
    for (size_t i = 0; i < v->n_hits; i++) {
        const struct hit *h = &v->hit[i];
        json_obj(j);
        json_key(j, "rule"), json_str(j, rule_id(h->rule));
        json_key(j, "norm"), json_str(j, rule_norm(h->rule));
        json_key(j, "title"), json_str(j, rule_title(h->rule));
        json_key(j, "action"), json_str(j, action_name(h->action));
        json_key(j, "shadow"), json_bool(j, rule_is_shadow(h->rule));
        json_key(j, "from"), json_int(j, h->from);
        json_key(j, "to"), json_int(j, h->to);
        json_key(j, "notice"), json_str(j, rule_notice(h->rule));
        json_obj_end(j);
    }
    json_arr_end(j);
}

static void json_notes(struct json_out *j, const struct explain *x)
{
    json_key(j, "saved");
    json_arr(j);
    for (size_t i = 0; i < x->n_notes; i++) {
        const struct rule_trace *t = &x->note[i];
        if (t->what != TRACE_DROPPED)
            continue;
        json_obj(j);
        json_key(j, "rule"), json_str(j, rule_id(t->rule));
        json_key(j, "text"), json_span(j, span_of(x->text + t->from, t->to - t->from));
        json_key(j, "why"), json_str(j, t->why);
        json_key(j, "by"), json_span(j, t->by);
        json_obj_end(j);
    }
    json_arr_end(j);
}

static void print_json(const struct explain *x, const struct verdict *v, const struct folded *f,
                       const struct ruleset *set)
{
    static const char *const label[] = {"plain", "digits", "reading"};
    struct buf out = {0};
    struct json_out json = {.buf = &out}, *j = &json;
    json_obj(j);
    json_key(j, "text"), json_str(j, x->text);
    json_key(j, "folded"), json_span(j, f->line);
    for (int k = 0; k < VIEW_COUNT; k++) {
        struct buf b = {0};
        append_view(&b, &f->view[k]);
        json_key(j, label[k]), json_span(j, buf_span(&b));
        buf_fini(&b);
    }
    if (x->variant)
        json_key(j, "variant"), json_str(j, x->variant);
    json_key(j, "verdict"), json_str(j, action_name(v->action));
    if (v->has_cause)
        json_key(j, "cause"), json_str(j, cause_name(v->cause));
    json_hits(j, v);
    json_notes(j, x);
    if (v->n_edits) {
        struct buf b = {0};
        json_key(j, "rewritten"), json_span(j, edited_text(v, span_str(x->text), &b));
        buf_fini(&b);
    }
    if (v->opens_case) {
        json_key(j, "opens_case"), json_str(j, v->case_kind);
        json_key(j, "severity"), json_int(j, v->severity);
    }
    json_key(j, "confirms_case"), json_bool(j, v->confirms != NULL);
    json_key(j, "commits");
    json_arr(j);
    for (size_t i = 0; i < v->n_commits; i++) {
        json_obj(j);
        json_key(j, "rule"), json_str(j, rule_id(v->commit[i].rule));
        json_key(j, "due_ms"), json_int(j, v->commit[i].due_ms);
        json_obj_end(j);
    }
    json_arr_end(j);
    json_key(j, "rules_version"), json_str(j, ruleset_version(set));
    json_obj_end(j);
    puts(buf_cstr(&out));
    buf_fini(&out);
}

static int explain(struct explain *x)
{
    struct span text = span_str(x->text);
    if (!utf8_is_valid(text) || text.n > FOLD_TEXT_MAX) {
        fprintf(stderr, "chatgate: the text is %s\n",
                text.n > FOLD_TEXT_MAX ? "longer than 64 KiB" : "not valid UTF-8");
        return CLI_FAILED;
    }
    struct ruleset *set = cli_ruleset_load(&x->rules);
    if (!set)
        return CLI_FAILED;
    struct rule_scratch *scratch = rule_scratch_new();
    struct fold_scratch *fold = fold_scratch_new();
    struct folded f;
    struct rule_input in = {
        .dir = x->is_incoming ? DIR_INCOMING : DIR_OUTGOING, .text = {text}, .n_texts = 1, .now_ms = clock_wall_ms()};
    struct verdict v;
    in.who.facts = x->rules.fact, in.who.n_facts = x->rules.n_facts;
    rule_scratch_trace(scratch, on_trace, x);
    ruleset_judge(set, scratch, &in, &v);
    fold_text(fold, text, 1u << VIEW_PLAIN | 1u << VIEW_DIGIT | 1u << VIEW_READING | FOLD_WANT_LINE, &f);
    if (x->is_json)
        print_json(x, &v, &f, set);
    else
        print_text(x, &v, &f, set);
    fold_scratch_free(&fold);
    rule_scratch_free(&scratch);
    ruleset_unref(&set);
    return CLI_OK;
}

int cli_explain(int argc, char **argv)
{
    struct explain x = {0};
    const char *bad = NULL;
    int rc = CLI_OK;
    for (int i = 1; i < argc && !bad && rc == CLI_OK; i++) {
        int took = cli_ruleset_option(&x.rules, argc, argv, &i);
        if (took < 0)
            rc = cli_usage("explain");
        else if (took > 0)
            continue;
        else if (strcmp(argv[i], "--incoming") == 0)
            x.is_incoming = true;
        else if (strcmp(argv[i], "--json") == 0)
            x.is_json = true;
        else if ((argv[i][0] == '-' && argv[i][1] == '-' && argv[i][2]) || x.text)
            bad = argv[i];
        else if (strcmp(argv[i], "--") != 0)
            x.text = argv[i];
    }
    if (rc == CLI_OK)
        rc = bad ? cli_unexpected("explain", bad) : !x.text ? cli_usage("explain") : explain(&x);
    cli_ruleset_fini(&x.rules);
    free(x.variant);
    return rc;
}
