#include "cli/cli_case.h"

#include <inttypes.h>
#include <pwd.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/cli_tracked.h"
#include "track/event.h"

enum { BY_MAX = 100, REASON_MAX = 500, HIST_AT = 1 };

static const struct verb {
    const char *name, *state; /* where a move leads; NULL: not a move */
    bool wants_reason;
} verbs[] = {
    {"show", NULL, false},     {"open", NULL, true},      {"ack", "acknowledged", false}, {"wait", "waiting", false},
    {"solve", "solved", true}, {"close", "closed", true}, {"reopen", "reopened", true},
};

struct case_args {
    struct tracked_args common;
    const struct verb *verb;
    const char *id, *by, *reason, *customer, *conv, *kind, *severity, *words;
};

static const struct verb *find_verb(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(verbs[i].name, word) == 0)
            return &verbs[i];
    return NULL;
}

bool case_is_verb(const char *word)
{
    return find_verb(word);
}

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "chatgate cases: %s \"%s\"\n", what, about);
    return -1;
}

static const char **value_of(struct case_args *a, const char *option)
{
    const struct {
        const char *name, **value;
        bool is_open; /* only for `open` */
    } known[] = {
        {"--config", &a->common.config, false}, {"--by", &a->by, false},      {"--reason", &a->reason, false},
        {"--customer", &a->customer, true},     {"--conv", &a->conv, true},   {"--kind", &a->kind, true},
        {"--severity", &a->severity, true},     {"--words", &a->words, true},
    };
    bool is_open = strcmp(a->verb->name, "open") == 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(option, known[i].name) == 0 && (is_open || !known[i].is_open))
            return known[i].value;
    return NULL;
}

/* What stands in Redis for good and is shown to people: text of bounded length. */
static int check_text(const char *option, const char *text, size_t max)
{
    if (text && (strlen(text) > max || !utf8_is_valid(span_str(text)))) {
        fprintf(stderr, "chatgate cases: %s has %zu bytes, must be UTF-8 of at most %zu\n", option, strlen(text), max);
        return -1;
    }
    return 0;
}

static int check(struct case_args *a)
{
    bool is_open = strcmp(a->verb->name, "open") == 0;
    if (is_open ? !a->customer || !a->kind : !a->id)
        return complain(is_open ? "--customer and --kind are needed by" : "a case id is needed by", a->verb->name);
    if (a->verb->wants_reason && (!a->reason || !*a->reason))
        return complain("--reason TEXT is needed by", a->verb->name);
    if (a->severity && (strlen(a->severity) != 1 || !strchr("1234", a->severity[0])))
        return complain("--severity must be 1 to 4, is", a->severity);
    if (a->kind && (strspn(a->kind, "abcdefghijklmnopqrstuvwxyz_") != strlen(a->kind) || !*a->kind))
        return complain("--kind must be small letters and _, is", a->kind);
    return check_text("--by", a->by, BY_MAX) || check_text("--reason", a->reason, REASON_MAX) ||
                   check_text("--words", a->words, EVENT_WORDS_MAX) || check_text("--kind", a->kind, BY_MAX) ||
                   check_text("--customer", a->customer, EVENT_FIELD_MAX) ||
                   check_text("--conv", a->conv, EVENT_FIELD_MAX)
               ? -1
               : 0;
}

static int read_args(int argc, char **argv, struct case_args *a)
{
    *a = (struct case_args){.verb = find_verb(argv[1])};
    for (int i = 2; i < argc; i++) {
        const char **value = value_of(a, argv[i]);
        if (value && i + 1 == argc)
            return complain("a value is missing behind", argv[i]);
        if (value)
            *value = argv[++i];
        else if (strcmp(argv[i], "--json") == 0)
            a->common.want_json = true;
        else if (argv[i][0] != '-' && !a->id && strcmp(a->verb->name, "open") != 0)
            a->id = argv[i];
        else
            return complain("unexpected argument", argv[i]);
    }
    if (!a->by) {
        const struct passwd *pw = getpwuid(geteuid());
        a->by = pw ? pw->pw_name : "unknown";
    }
    return check(a);
}

/* A case id is SHARD-NUMBER. -1: this is none of this deployment (reported). */
static int shard_of(struct tracked *t, const char *id)
{
    const char *dash = strchr(id, '-');
    uint64_t shard, number;
    if (!dash || !span_u64(span_of(id, (size_t)(dash - id)), &shard) || shard >= tracked_shards(t) ||
        !span_u64(span_str(dash + 1), &number))
        return complain("there is no case", id);
    return (int)shard;
}

static int say_result(struct case_args *a, const struct redis_reply *r)
{
    struct span word = tracked_text(r, 0), what = tracked_text(r, 1);
    if (span_is(word, "OK") && a->common.want_json) {
        struct buf out = {0};
        struct json_out j = {.buf = &out};
        json_obj(&j);
        json_key(&j, "id"), json_span(&j, what);
        json_key(&j, "state"), json_span(&j, tracked_text(r, 2));
        json_obj_end(&j);
        puts(buf_cstr(&out));
        buf_fini(&out);
        return CLI_OK;
    }
    if (span_is(word, "OK")) {
        printf("case %.*s is %.*s\n", (int)what.n, (const char *)what.p, (int)tracked_text(r, 2).n,
               (const char *)tracked_text(r, 2).p);
        return CLI_OK;
    }
    if (span_is(word, "OTHER")) {
        fprintf(stderr, "chatgate cases: another case of this customer is open: %.*s\n", (int)what.n,
                (const char *)what.p);
    } else if (span_is(word, "ILLEGAL")) {
        fprintf(stderr, "chatgate cases: case %s is %.*s, from there it can become", a->id, (int)what.n,
                (const char *)what.p);
        for (size_t i = 2; i < r->n; i++)
            fprintf(stderr, "%s %s", i > 2 ? "," : "", (const char *)tracked_text(r, i).p);
        fputc('\n', stderr);
    } else {
        complain("there is no case", a->id ? a->id : "");
    }
    return CLI_PROBLEMS;
}

static int move(struct tracked *t, struct case_args *a)
{
    const char *reason = a->reason ? a->reason : "";
    const struct redis_reply *r;
    if (a->verb->state) {
        int shard = shard_of(t, a->id);
        if (shard < 0)
            return CLI_PROBLEMS;
        r = tracked_run(t, (unsigned)shard, "case_move", "move", a->id, a->verb->state, a->by, reason, NULL);
    } else {
        unsigned n = tracked_shards(t);
        if (!n) {
            fprintf(stderr, "chatgate cases: no gateway has written to this Redis yet\n");
            return CLI_PROBLEMS;
        }
        r = tracked_run(t, event_shard(span_str(a->customer), n), "case_move", "open", a->customer,
                        a->conv ? a->conv : "", a->kind, a->severity ? a->severity : "1", a->words ? a->words : "",
                        a->by, reason, NULL);
    }
    return r ? say_result(a, r) : CLI_FAILED;
}

static void show_history(const struct redis_reply *r, size_t from)
{
    static const char *const head[] = {"when", "from", "to", "who", "why"};
    char when[TRACKED_TIME_MAX];
    struct table *t = table_new(ARRAY_LEN(head));
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(t, span_str(head[i]));
    for (size_t i = from; i < r->n; i++) {
        const struct redis_reply *h = redis_item(r, i);
        table_add(t, span_str(tracked_time(tracked_int(h, HIST_AT), when)));
        for (size_t k = 2; k < 6; k++)
            table_add(t, tracked_text(h, k).n ? tracked_text(h, k) : span_str("-"));
    }
    table_print(&t);
}

static void show_text(const struct redis_reply *r)
{
    const struct redis_reply *row = redis_item(r, 1);
    struct table *t = table_new(2);
    for (size_t i = 0; i < CASE_COLUMNS; i++) {
        char when[TRACKED_TIME_MAX];
        bool is_time = strstr(case_column_name(i), "_ms");
        table_addf(t, "%.*s", (int)strlen(case_column_name(i)) - (is_time ? 3 : 0), case_column_name(i));
        table_add(t, is_time                  ? span_str(tracked_time(tracked_int(row, i), when))
                     : tracked_text(row, i).n ? tracked_text(row, i)
                                              : span_str("-"));
    }
    table_print(&t);
    putchar('\n');
    show_history(r, 2);
}

static void show_json(const struct redis_reply *r)
{
    static const char *const key[] = {"from", "to", "who", "why"};
    struct buf out = {0};
    struct json_out j = {.buf = &out};
    json_obj(&j);
    case_json_members(&j, redis_item(r, 1));
    json_key(&j, "history");
    json_arr(&j);
    for (size_t i = 2; i < r->n; i++) {
        const struct redis_reply *h = redis_item(r, i);
        json_obj(&j);
        json_key(&j, "at_ms"), json_int(&j, tracked_int(h, HIST_AT));
        for (size_t k = 0; k < ARRAY_LEN(key); k++)
            json_key(&j, key[k]), json_span(&j, tracked_text(h, 2 + k));
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_obj_end(&j);
    puts(buf_cstr(&out));
    buf_fini(&out);
}

static int show(struct tracked *t, struct case_args *a)
{
    int shard = shard_of(t, a->id);
    if (shard < 0)
        return CLI_PROBLEMS;
    const struct redis_reply *r = tracked_run(t, (unsigned)shard, "read", "case", a->id, NULL);
    if (!r)
        return CLI_FAILED;
    if (r->n < 2) {
        complain("there is no case", a->id);
        return CLI_PROBLEMS;
    }
    a->common.want_json ? show_json(r) : show_text(r);
    return CLI_OK;
}

int case_run(int argc, char **argv)
{
    struct case_args a;
    if (read_args(argc, argv, &a) < 0)
        return cli_usage("cases");
    struct tracked *t = tracked_open(&a.common);
    if (!t)
        return CLI_FAILED;
    int rc = strcmp(a.verb->name, "show") == 0 ? show(t, &a) : move(t, &a);
    tracked_close(&t);
    return rc;
}
