/* chatgate scan: many messages from files or standard input, one verdict a line. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_out.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/cli_ruleset.h"
#include "proto/json.h"
#include "text/fold.h"

enum { LINE_BYTES_MAX = 1 << 20, PROGRESS_EVERY = 2000, BEFORE_GAP_MS = 2000 };

struct scan {
    struct cli_ruleset rules;
    bool is_text; /* plain lines, not JSON */
    struct ruleset *set;
    struct rule_scratch *scratch;
    struct json_doc doc;
    struct buf out, edited;
    uint8_t *text; /* LINE_BYTES_MAX */
    const char *name;
    uint64_t line, n_messages, n_bad, by_action[ACTION_COUNT];
    int64_t started_ms;
    bool has_progress;
};

static void bad_line(struct scan *x, const char *why)
{
    fprintf(stderr, "%s:%llu: %s\n", x->name, (unsigned long long)x->line, why);
    x->n_bad++;
}

static void write_rules(struct json_out *j, const struct verdict *v)
{
    json_key(j, "rules");
    json_arr(j);
    for (size_t i = 0; i < v->n_hits; i++) {
        bool is_known = rule_is_shadow(v->hit[i].rule);
        for (size_t k = 0; k < i && !is_known; k++)
            is_known = v->hit[k].rule == v->hit[i].rule;
        if (!is_known)
            json_str(j, rule_id(v->hit[i].rule));
    }
    json_arr_end(j);
}

static void write_edited(struct scan *x, struct json_out *j, const struct verdict *v, struct span text)
{
    size_t at = 0;
    buf_reset(&x->edited);
    for (size_t i = 0; i < v->n_edits; i++) {
        buf_append(&x->edited, text.p + at, v->edit[i].from - at);
        buf_append_span(&x->edited, v->edit[i].with);
        at = v->edit[i].to;
    }
    buf_append_span(&x->edited, span_from(text, at));
    json_key(j, "text"), json_span(j, buf_span(&x->edited));
}

static void write_verdict(struct scan *x, struct span id, const struct verdict *v, struct span text)
{
    struct json_out json = {.buf = &x->out}, *j = &json;
    json_obj(j);
    if (id.n)
        json_key(j, "id"), json_raw(j, id);
    else
        json_key(j, "id"), json_int(j, (int64_t)x->line);
    json_key(j, "action"), json_str(j, action_name(v->action));
    write_rules(j, v);
    if (v->action == ACTION_REWRITE)
        write_edited(x, j, v, text);
    if (v->opens_case) {
        json_key(j, "opens_case"), json_str(j, v->case_kind);
        json_key(j, "severity"), json_int(j, v->severity);
    }
    if (v->confirms)
        json_key(j, "confirms_case"), json_bool(j, true);
    if (v->n_commits) {
        json_key(j, "commits");
        json_arr(j);
        for (size_t i = 0; i < v->n_commits; i++)
            json_int(j, v->commit[i].due_ms);
        json_arr_end(j);
    }
    if (v->has_cause)
        json_key(j, "cause"), json_str(j, cause_name(v->cause));
    json_obj_end(j);
    buf_append_str(&x->out, "\n");
    fwrite(buf_span(&x->out).p, 1, x->out.len, stdout);
    buf_reset(&x->out);
}

static void judge(struct scan *x, struct span id, struct span text, struct rule_input *in)
{
    struct verdict v;
    in->text[0] = text, in->n_texts = 1, in->now_ms = clock_wall_ms();
    in->who.facts = x->rules.fact, in->who.n_facts = x->rules.n_facts;
    for (size_t i = 0; i < in->n_before; i++)
        in->before_ms[i] = in->now_ms - (int64_t)(in->n_before - i) * BEFORE_GAP_MS;
    ruleset_judge(x->set, x->scratch, in, &v);
    x->n_messages++;
    x->by_action[v.action]++;
    write_verdict(x, id, &v, text);
    if (x->has_progress && x->n_messages % PROGRESS_EVERY == 0) {
        int64_t ms = clock_mono_ms() - x->started_ms;
        fprintf(stderr, "\r%llu messages, %llu a second ", (unsigned long long)x->n_messages,
                (unsigned long long)(ms > 0 ? x->n_messages * 1000 / (uint64_t)ms : 0));
    }
}

/* The agent's earlier messages, decoded behind each other at `at`; only the last WINDOW_MAX of them count. */
static bool read_before(struct scan *x, uint8_t *at, struct rule_input *in)
{
    uint32_t list = json_member(&x->doc, 0, span_str("before"));
    if (!list)
        return true;
    if (x->doc.node[list].kind != JSON_ARRAY)
        return false;
    uint32_t n = x->doc.node[list].n, first = n > WINDOW_MAX ? n - WINDOW_MAX : 0;
    for (uint32_t k = first; k < n; k++) {
        uint32_t item = json_item(&x->doc, list, k);
        if (x->doc.node[item].kind != JSON_STRING)
            return false;
        size_t len = json_decode(&x->doc, item, at, NULL);
        in->before[in->n_before++] = span_of(at, len);
        at += len;
    }
    return true;
}

static void scan_json(struct scan *x, struct span line)
{
    struct err e;
    if (json_read(&x->doc, line, 0, &e) != JSON_OK) {
        fprintf(stderr, "%s:%llu: is no JSON (%s); for plain texts, a line each: --format text\n", x->name,
                (unsigned long long)x->line, e.text);
        x->n_bad++;
        return;
    }
    if (x->doc.node[0].kind != JSON_OBJECT) {
        bad_line(x, "is no JSON object, must be {\"id\":…,\"text\":…,\"side\":\"agent\"|\"customer\"}");
        return;
    }
    uint32_t id = json_member(&x->doc, 0, span_str("id")), text = json_member(&x->doc, 0, span_str("text")),
             side = json_member(&x->doc, 0, span_str("side"));
    if (!text || x->doc.node[text].kind != JSON_STRING) {
        bad_line(x, "text: missing or no string");
        return;
    }
    bool is_customer = side && json_is(&x->doc, side, span_str("customer"));
    if (side && !is_customer && !json_is(&x->doc, side, span_str("agent"))) {
        bad_line(x, "side: must be \"agent\" or \"customer\"");
        return;
    }
    struct rule_input in = {.dir = is_customer ? DIR_INCOMING : DIR_OUTGOING};
    size_t n = json_decode(&x->doc, text, x->text, NULL); /* all texts of a line are no longer than the line */
    if (!read_before(x, x->text + n, &in)) {
        bad_line(x, "before: must be a list of strings, the agent's earlier messages, oldest first");
        return;
    }
    judge(x, id ? json_raw_span(&x->doc, id) : span_of("", 0), span_of(x->text, n), &in);
}

static void scan_line(struct scan *x, struct span line)
{
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (!line.n)
        return;
    if (line.n > LINE_BYTES_MAX)
        bad_line(x, "longer than 1 MiB");
    else if (!x->is_text)
        scan_json(x, line);
    else if (!utf8_is_valid(line))
        bad_line(x, "not valid UTF-8");
    else
        judge(x, span_of("", 0), line, &(struct rule_input){.dir = DIR_OUTGOING});
}

static void scan_stream(struct scan *x, FILE *f)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    for (x->line = 1; (n = getline(&line, &cap, f)) >= 0; x->line++)
        scan_line(x, span_of(line, (size_t)n));
    if (ferror(f))
        bad_line(x, errno == EISDIR ? "is a folder, must be a file" : "cannot be read");
    free(line);
}

static void scan_file(struct scan *x, const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(path, "re");
    x->name = is_stdin ? "standard input" : path;
    if (!f) {
        fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
        x->n_bad++;
        return;
    }
    scan_stream(x, f);
    if (!is_stdin)
        fclose(f);
}

static int scan(struct scan *x, char **files, int n)
{
    x->set = cli_ruleset_load(&x->rules);
    if (!x->set)
        return CLI_FAILED;
    x->scratch = rule_scratch_new();
    x->text = xmalloc(LINE_BYTES_MAX);
    x->has_progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
    x->started_ms = clock_mono_ms();
    for (int i = 0; i < n; i++)
        scan_file(x, files[i]);
    if (x->has_progress) {
        fprintf(stderr, "\r%llu messages:", (unsigned long long)x->n_messages);
        for (int a = 0; a < ACTION_COUNT; a++)
            fprintf(stderr, " %s %llu", action_name((enum action)a), (unsigned long long)x->by_action[a]);
        fputs("          \n", stderr);
    }
    free(x->text);
    buf_fini(&x->out);
    buf_fini(&x->edited);
    json_doc_fini(&x->doc);
    rule_scratch_free(&x->scratch);
    ruleset_unref(&x->set);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "chatgate: standard output: %s\n", strerror(errno));
        return CLI_FAILED;
    }
    return x->n_bad ? CLI_PROBLEMS : CLI_OK;
}

int cli_scan(int argc, char **argv)
{
    struct scan x = {0};
    int n_files = 0;
    bool is_bad = false;
    const char *unexpected = NULL;
    for (int i = 1; i < argc && !is_bad && !unexpected; i++) {
        int took = cli_ruleset_option(&x.rules, argc, argv, &i);
        if (took > 0)
            continue;
        if (took < 0 || (strcmp(argv[i], "--format") == 0 && i + 1 >= argc)) {
            is_bad = true;
        } else if (strcmp(argv[i], "--format") == 0) {
            i++;
            x.is_text = strcmp(argv[i], "text") == 0;
            is_bad = !x.is_text && strcmp(argv[i], "json") != 0;
            if (is_bad)
                fprintf(stderr, "chatgate scan: --format is \"%s\", must be json or text\n", argv[i]);
        } else if (argv[i][0] == '-' && argv[i][1]) {
            unexpected = argv[i];
        } else {
            argv[n_files++] = argv[i]; /* files move to the front */
        }
    }
    int rc = unexpected           ? cli_unexpected("scan", unexpected)
             : is_bad || !n_files ? cli_usage("scan")
                                  : scan(&x, argv, n_files);
    cli_ruleset_fini(&x.rules);
    return rc;
}
