/* chatgate held: messages that wait for approval, and the decision on one. */
#include <inttypes.h>
#include <pwd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/cli_tracked.h"
#include "cli/table.h"

enum { BY_MAX = 100, REASON_MAX = 500, LIST_MOST = 1000 };
enum {
    COL_ID,
    COL_STATE,
    COL_AT,
    COL_EXPIRES,
    COL_AGENT,
    COL_TEAM,
    COL_SHOP,
    COL_CONV,
    COL_CUSTOMER,
    COL_MID,
    COL_EDIT,
    COL_RULES,
    COL_TEXT,
    COL_WHO,
    COL_WHY,
    COL_DECIDED,
    COL_ENDED,
    COL_NODE,
    COLS
};

static const struct {
    const char *name;
    bool is_number;
} column[COLS] = {{"id", 0},   {"state", 0},        {"at_ms", 1},    {"expires_ms", 1}, {"agent", 0},    {"team", 0},
                  {"shop", 0}, {"conversation", 0}, {"customer", 0}, {"message", 0},    {"edit", 0},     {"rules", 0},
                  {"text", 0}, {"who", 0},          {"why", 0},      {"decided_ms", 1}, {"ended_ms", 1}, {"node", 0}};

struct held_args {
    struct tracked_args common;
    const char *verb, *id, *by, *reason;
    bool want_all;
};

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "chatgate held: %s \"%s\"\n", what, about);
    return -1;
}

static bool is_decision(const char *verb)
{
    return strcmp(verb, "approve") == 0 || strcmp(verb, "refuse") == 0;
}

static int check(const struct held_args *a)
{
    bool is_show = strcmp(a->verb, "show") == 0;
    if (!is_decision(a->verb) && !is_show && strcmp(a->verb, "list") != 0)
        return complain("must be list, show, approve or refuse, is", a->verb);
    if ((is_decision(a->verb) || is_show) && !a->id)
        return complain("an id is needed by", a->verb);
    if (strcmp(a->verb, "refuse") == 0 && (!a->reason || !*a->reason))
        return complain("--reason TEXT is needed by", a->verb);
    if (!is_decision(a->verb) && (a->reason || a->by))
        return complain("--reason and --by belong to approve and refuse, not to", a->verb);
    if (a->reason && (strlen(a->reason) > REASON_MAX || !utf8_is_valid(span_str(a->reason))))
        return complain("must be UTF-8 of at most 500 bytes:", "--reason");
    if (a->by && (strlen(a->by) > BY_MAX || !utf8_is_valid(span_str(a->by))))
        return complain("must be UTF-8 of at most 100 bytes:", "--by");
    return 0;
}

static int read_args(int argc, char **argv, struct held_args *a)
{
    *a = (struct held_args){0};
    for (int i = 1; i < argc; i++) {
        const char **value = strcmp(argv[i], "--config") == 0   ? &a->common.config
                             : strcmp(argv[i], "--by") == 0     ? &a->by
                             : strcmp(argv[i], "--reason") == 0 ? &a->reason
                                                                : NULL;
        if (value && i + 1 == argc)
            return complain("a value is missing behind", argv[i]);
        if (value)
            *value = argv[++i];
        else if (strcmp(argv[i], "--json") == 0)
            a->common.want_json = true;
        else if (strcmp(argv[i], "--all") == 0)
            a->want_all = true;
        else if (argv[i][0] != '-' && !a->verb)
            a->verb = argv[i];
        else if (argv[i][0] != '-' && !a->id && strcmp(a->verb, "list") != 0)
            a->id = argv[i];
        else
            return complain("unexpected argument", argv[i]);
    }
    if (!a->verb)
        a->verb = "list";
    return check(a);
}

static void put_json(struct json_out *j, const struct redis_reply *row)
{
    json_obj(j);
    for (size_t i = 0; i < COLS; i++) {
        json_key(j, column[i].name);
        if (i == COL_EDIT)
            json_bool(j, tracked_text(row, i).n > 0);
        else if (column[i].is_number)
            json_int(j, tracked_int(row, i));
        else
            json_span(j, tracked_text(row, i));
    }
    json_obj_end(j);
}

static void add_or_dash(struct table *t, struct span cell)
{
    table_add(t, cell.n ? cell : span_str("-"));
}

static void add_row(struct table *t, const struct redis_reply *row, int64_t now_ms)
{
    char text[TRACKED_SPAN_MAX];
    bool is_waiting = span_is(tracked_text(row, COL_STATE), "waiting");
    table_add(t, tracked_text(row, COL_ID));
    table_add(t, tracked_text(row, COL_STATE));
    table_add(t, span_str(tracked_duration(MAX_OF(now_ms - tracked_int(row, COL_AT), 0), text)));
    table_add(t, is_waiting ? span_str(tracked_duration(MAX_OF(tracked_int(row, COL_EXPIRES) - now_ms, 0), text))
                            : span_str("-"));
    add_or_dash(t, tracked_text(row, COL_AGENT));
    add_or_dash(t, tracked_text(row, COL_CONV));
    add_or_dash(t, tracked_text(row, COL_RULES));
    add_or_dash(t, tracked_text(row, COL_WHO));
    table_add(t, tracked_text(row, COL_TEXT));
}

static int list(struct tracked *t, const struct held_args *a)
{
    static const char *const head[] = {"id", "state", "age", "left", "agent", "conversation", "rules", "by", "text"};
    struct tracked_rows rows = {0};
    char most[16];
    snprintf(most, sizeof(most), "%d", LIST_MOST);
    for (unsigned shard = 0; shard < tracked_shards(t); shard++) {
        const struct redis_reply *r =
            tracked_run(t, shard, "held_read", "list", a->want_all ? "all" : "open", most, NULL);
        for (size_t i = 1; r && i < r->n; i++)
            tracked_keep(&rows, redis_item(r, i));
        if (!r) {
            tracked_rows_fini(&rows);
            return CLI_FAILED;
        }
    }
    tracked_sort(&rows, COL_AT, 1);
    struct buf out = {0};
    struct json_out j = {.buf = &out};
    struct table *table = a->common.want_json ? NULL : table_new(ARRAY_LEN(head));
    for (size_t i = 0; table && i < ARRAY_LEN(head); i++)
        table_add(table, span_str(head[i]));
    json_arr(&j);
    for (size_t i = 0; i < rows.n; i++)
        table ? add_row(table, rows.row[i], clock_wall_ms()) : put_json(&j, rows.row[i]);
    json_arr_end(&j);
    if (table) {
        table_print(&table);
        printf("%zu message%s %s\n", rows.n, rows.n == 1 ? "" : "s",
               a->want_all   ? "of all"
               : rows.n == 1 ? "waits"
                             : "wait");
    } else {
        puts(buf_cstr(&out));
    }
    tracked_rows_fini(&rows);
    buf_fini(&out);
    return CLI_OK;
}

/* An id is SHARD-NUMBER. -1: this is none of this deployment (reported). */
static int shard_of(struct tracked *t, const char *id)
{
    const char *dash = strchr(id, '-');
    uint64_t shard, number;
    if (!dash || !span_u64(span_of(id, (size_t)(dash - id)), &shard) || shard >= tracked_shards(t) ||
        !span_u64(span_str(dash + 1), &number))
        return complain("there is no held message", id);
    return (int)shard;
}

static int show(struct tracked *t, unsigned shard, const struct held_args *a)
{
    const struct redis_reply *r = tracked_run(t, shard, "held_read", "one", a->id, NULL);
    if (!r)
        return CLI_FAILED;
    if (r->n < 2) {
        complain("there is no held message", a->id);
        return CLI_PROBLEMS;
    }
    const struct redis_reply *row = redis_item(r, 1);
    if (a->common.want_json) {
        struct buf out = {0};
        struct json_out j = {.buf = &out};
        put_json(&j, row);
        puts(buf_cstr(&out));
        buf_fini(&out);
        return CLI_OK;
    }
    struct table *table = table_new(2);
    for (size_t i = 0; i < COLS; i++) {
        char when[TRACKED_TIME_MAX];
        const char *name = column[i].name;
        table_addf(table, "%.*s", (int)strlen(name) - (column[i].is_number ? 3 : 0), name);
        add_or_dash(table,
                    column[i].is_number ? span_str(tracked_time(tracked_int(row, i), when)) : tracked_text(row, i));
    }
    table_print(&table);
    return CLI_OK;
}

static int decide(struct tracked *t, unsigned shard, const struct held_args *a)
{
    const struct passwd *pw = getpwuid(geteuid());
    const char *by = a->by ? a->by : pw ? pw->pw_name : "unknown";
    const struct redis_reply *r =
        tracked_run(t, shard, "held_decide", a->verb, a->id, by, a->reason ? a->reason : "", NULL);
    if (!r)
        return CLI_FAILED;
    struct span word = tracked_text(r, 0), what = tracked_text(r, 1), who = tracked_text(r, 2);
    if (span_is(word, "OK")) {
        if (a->common.want_json)
            printf("{\"id\":\"%s\",\"state\":\"%s\"}\n", a->id, (const char *)who.p);
        else
            printf("held message %s is %s\n", a->id, (const char *)who.p);
        return CLI_OK;
    }
    if (span_is(word, "ENDED"))
        fprintf(stderr, "chatgate held: %s does not wait any more: %.*s%s%.*s\n", a->id, (int)what.n,
                (const char *)what.p, who.n ? " by " : "", (int)who.n, (const char *)who.p);
    else
        complain("there is no held message", a->id);
    return CLI_PROBLEMS;
}

int cli_held(int argc, char **argv)
{
    struct held_args a;
    if (read_args(argc, argv, &a) < 0)
        return cli_usage("held");
    struct tracked *t = tracked_open(&a.common);
    if (!t)
        return CLI_FAILED;
    int rc, shard = a.id ? shard_of(t, a.id) : 0;
    if (shard < 0)
        rc = CLI_PROBLEMS;
    else
        rc = !a.id ? list(t, &a) : is_decision(a.verb) ? decide(t, (unsigned)shard, &a) : show(t, (unsigned)shard, &a);
    tracked_close(&t);
    return rc;
}
