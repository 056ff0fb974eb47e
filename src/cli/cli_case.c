#include "cli/cli_case.h"

#include <inttypes.h>
#include <pwd.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/cli_tracked.h"
#include "cli/table.h"
#include "base/xalloc.h"
#include "conf/directory.h"
#include "conf/yaml.h"
#include "track/event.h"

enum { BY_MAX = 100, REASON_MAX = 500, VALUE_MAX = 200 };

static const struct verb {
    const char *name, *state; /* where a move leads; NULL: not a move */
    bool wants_reason;
    const char *value; /* of an act (lua/case_act.lua): what stands behind the id, "" nothing; NULL: not an act */
} verbs[] = {
    {"show", NULL, false, NULL},
    {"open", NULL, true, NULL},
    {"ack", "acknowledged", false, NULL},
    {"wait", "waiting", false, NULL},
    {"solve", "solved", true, NULL},
    {"close", "closed", true, NULL},
    {"reopen", "reopened", true, NULL},
    {"assign", NULL, false, "AGENT"},
    {"call", NULL, false, "answered|no_answer|busy"},
    {"news", NULL, true, ""},
    {"note", NULL, true, ""},
    {"order", NULL, false, "NUMBER"},
    {"severity", NULL, true, "1|2|3|4"},
    {"snooze", NULL, false, "TIME|off"},
};

struct case_args {
    struct tracked_args common;
    const struct verb *verb;
    const char *id, *value, *by, *reason, *customer, *conv, *kind, *severity, *words, *agent;
    bool is_forced;
    char until[24]; /* of snooze */
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
        {"--severity", &a->severity, true},     {"--words", &a->words, true}, {"--agent", &a->agent, true},
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

static int read_until(struct case_args *a)
{
    int64_t ms = 0;
    if (strcmp(a->value, "off") != 0 && (!yaml_duration_text(a->value, &ms) || ms < 1))
        return complain("must be a time like 30m, 4h, 2d, or off; is", a->value);
    snprintf(a->until, sizeof(a->until), ms ? "+%" PRId64 : "%" PRId64, ms);
    a->value = a->until;
    return 0;
}

static int check(struct case_args *a)
{
    bool is_open = strcmp(a->verb->name, "open") == 0;
    if (is_open ? !a->customer || !a->kind : !a->id)
        return complain(is_open ? "--customer and --kind are needed by" : "a case id is needed by", a->verb->name);
    if (a->verb->value && !*a->verb->value != !a->value) {
        fprintf(stderr, "chatgate cases: usage: cases %s ID %s\n", a->verb->name, a->verb->value);
        return -1;
    }
    if (a->is_forced && strcmp(a->verb->name, "call") != 0)
        return complain("--force belongs to call, not to", a->verb->name);
    if (strcmp(a->verb->name, "snooze") == 0 && read_until(a) < 0)
        return -1;
    if (a->verb->wants_reason && (!a->reason || !*a->reason))
        return complain("--reason TEXT is needed by", a->verb->name);
    if (a->severity && (strlen(a->severity) != 1 || !strchr("1234", a->severity[0])))
        return complain("--severity must be 1 to 4, is", a->severity);
    if (a->kind && (strspn(a->kind, "abcdefghijklmnopqrstuvwxyz_") != strlen(a->kind) || !*a->kind))
        return complain("--kind must be small letters and _, is", a->kind);
    return check_text("--by", a->by, BY_MAX) || check_text("--reason", a->reason, REASON_MAX) ||
                   check_text("--words", a->words, EVENT_WORDS_MAX) || check_text("the value", a->value, VALUE_MAX) ||
                   check_text("--kind", a->kind, BY_MAX) || check_text("--customer", a->customer, EVENT_FIELD_MAX) ||
                   check_text("--conv", a->conv, EVENT_FIELD_MAX) || check_text("--agent", a->agent, EVENT_FIELD_MAX)
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
        else if (strcmp(argv[i], "--force") == 0)
            a->is_forced = true;
        else if (argv[i][0] != '-' && !a->id && strcmp(a->verb->name, "open") != 0)
            a->id = argv[i];
        else if (argv[i][0] != '-' && a->id && !a->value && a->verb->value && *a->verb->value)
            a->value = argv[i];
        else
            return complain("unexpected argument", argv[i]);
    }
    if (!a->by) {
        const struct passwd *pw = getpwuid(geteuid());
        a->by = pw ? pw->pw_name : "unknown";
    }
    return check(a);
}

int case_shard(struct tracked *t, const char *id)
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
    if (span_is(word, "LIMIT")) {
        char when[TRACKED_TIME_MAX];
        fprintf(stderr,
                "chatgate cases: there were two calls on this day, the next one may be made at %s (--force logs one "
                "that was made all the same)\n",
                tracked_time(tracked_int(r, 1), when));
    } else if (span_is(word, "CHAT_FIRST")) {
        fputs(
            "chatgate cases: a review is followed up by chat first; no message has gone to the customer since it came "
            "(--force logs a call that was made all the same)\n",
            stderr);
    } else if (span_is(word, "BAD")) {
        fprintf(stderr, "chatgate cases: %s: \"%s\", must be %.*s\n", a->verb->name, a->value ? a->value : "",
                (int)what.n, (const char *)what.p);
    } else if (span_is(word, "OTHER")) {
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

/* Who sees the case and who is reminded of it depends on its agent's team and shop. */
static const struct redis_reply *open_for_agent(struct tracked *t, unsigned shard, const struct case_args *a)
{
    struct directory *d = NULL;
    struct err_list errs = {0};
    if (a->agent && directory_load(tracked_conf(t)->directory, &d, &errs) < 0) {
        for (size_t i = 0; i < errs.n; i++)
            fprintf(stderr, "%s\n", errs.line[i]);
        err_list_fini(&errs);
        return NULL;
    }
    struct directory_agent who = a->agent ? directory_find(d, span_str(a->agent)) : (struct directory_agent){0};
    char *team = xmemdup0(who.team.p, who.team.n), *shop = xmemdup0(who.shop.p, who.shop.n);
    const struct redis_reply *r = tracked_run(t, shard, "case_move", "open", a->customer, a->conv ? a->conv : "",
                                              a->kind, a->severity ? a->severity : "1", a->words ? a->words : "", a->by,
                                              a->reason ? a->reason : "", a->agent ? a->agent : "", team, shop, NULL);
    free(team);
    free(shop);
    directory_unref(&d);
    err_list_fini(&errs);
    return r;
}

static int open_by_hand(struct tracked *t, struct case_args *a)
{
    unsigned n = tracked_shards(t);
    char customer[PSEUDONYM_MAX], conv[PSEUDONYM_MAX];
    if (!n) {
        fprintf(stderr, "chatgate cases: no gateway has written to this Redis yet\n");
        return CLI_PROBLEMS;
    }
    if (tracked_conf(t)->privacy.is_pseudonymous) { /* under the name that the gateways give it */
        if (tracked_pseudonym(t, a->customer, customer) < 0 || tracked_pseudonym(t, a->conv ? a->conv : "", conv) < 0)
            return CLI_FAILED;
        a->customer = customer;
        a->conv = conv;
    }
    const struct redis_reply *r = open_for_agent(t, event_shard(span_str(a->customer), n), a);
    return r ? say_result(a, r) : CLI_FAILED;
}

static int move(struct tracked *t, struct case_args *a)
{
    const char *reason = a->reason ? a->reason : "";
    if (!a->id)
        return open_by_hand(t, a);
    int shard = case_shard(t, a->id);
    if (shard < 0)
        return CLI_PROBLEMS;
    const struct redis_reply *r =
        a->verb->value
            ? tracked_run(t, (unsigned)shard, "case_act", a->verb->name, a->id, a->by, reason, a->value ? a->value : "",
                          a->is_forced ? "force" : "", NULL)
            : tracked_run(t, (unsigned)shard, "case_move", "move", a->id, a->verb->state, a->by, reason, NULL);
    return r ? say_result(a, r) : CLI_FAILED;
}

static int show(struct tracked *t, struct case_args *a)
{
    int shard = case_shard(t, a->id);
    if (shard < 0)
        return CLI_PROBLEMS;
    const struct redis_reply *r = tracked_run(t, (unsigned)shard, "read", "case", a->id, NULL);
    if (!r)
        return CLI_FAILED;
    if (r->n < 2) {
        complain("there is no case", a->id);
        return CLI_PROBLEMS;
    }
    a->common.want_json ? case_show_json(r) : case_show_text(r);
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
