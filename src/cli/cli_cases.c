/* chatgate cases: complaints that are open, oldest first; --all: finished ones, too. Single ones: cli_case.c. */
#include <inttypes.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/cli_case.h"
#include "cli/cli_evidence.h"
#include "cli/cli_tracked.h"
#include "cli/table.h"

enum {
    COL_ID,
    COL_STATE,
    COL_SEVERITY,
    COL_KINDS,
    COL_CUSTOMER,
    COL_AGENT,
    COL_TEAM,
    COL_SHOP,
    COL_OPENED,
    COL_UPDATED,
    COL_COMPLAINTS,
    COL_ORDERS,
    COL_CONV,
    COL_RULE,
    COL_WORDS,
    COL_DONE,
    COL_NEWS,
    COL_ASSIGNED,
    COL_SNOOZED,
    COL_CALLS,
    COL_LAST_CALL,
    COLS
};

static const struct {
    const char *name;
    bool is_number;
} column[COLS] = {{"id", 0},          {"state", 0},        {"severity", 1},     {"kinds", 0},      {"customer", 0},
                  {"agent", 0},       {"team", 0},         {"shop", 0},         {"opened_ms", 1},  {"updated_ms", 1},
                  {"complaints", 1},  {"orders", 0},       {"conversation", 0}, {"rule", 0},       {"words", 0},
                  {"done_ms", 1},     {"last_news_ms", 1}, {"assigned", 0},     {"snoozed_ms", 1}, {"calls", 1},
                  {"last_call_ms", 1}};

struct listing {
    struct json_out json;
    struct table *table;
    int64_t now_ms;
};

_Static_assert(COLS == (int)CASE_COLUMNS, "columns");

const char *case_column_name(size_t i)
{
    return column[i].name;
}

void case_json_members(struct json_out *j, const struct redis_reply *row)
{
    for (size_t i = 0; i < COLS; i++) {
        json_key(j, column[i].name);
        if (column[i].is_number)
            json_int(j, tracked_int(row, i));
        else
            json_span(j, tracked_text(row, i));
    }
}

static void show(struct listing *l, const struct redis_reply *row)
{
    char text[TRACKED_SPAN_MAX];
    if (!l->table) {
        json_obj(&l->json);
        case_json_members(&l->json, row);
        json_obj_end(&l->json);
        return;
    }
    table_add(l->table, tracked_text(row, COL_ID));
    table_add(l->table, tracked_text(row, COL_STATE));
    table_addf(l->table, "%" PRId64, tracked_int(row, COL_SEVERITY));
    table_add(l->table, tracked_text(row, COL_KINDS));
    table_add(l->table, tracked_text(row, COL_AGENT));
    table_add(l->table, tracked_text(row, COL_ASSIGNED).n ? tracked_text(row, COL_ASSIGNED) : span_str("-"));
    table_add(l->table, tracked_text(row, COL_CONV));
    table_add(l->table, span_str(tracked_duration(l->now_ms - tracked_int(row, COL_OPENED), text)));
    table_add(l->table, tracked_text(row, COL_WORDS));
}

int cli_cases(int argc, char **argv)
{
    static const char *const head[] = {"case",     "state",        "severity", "kinds", "agent",
                                       "assigned", "conversation", "age",      "words"};
    struct tracked_args args;
    if (argc > 1 && strcmp(argv[1], "export") == 0)
        return evidence_export(argc, argv);
    if (argc > 1 && strcmp(argv[1], "heads") == 0)
        return evidence_heads(argc, argv);
    if (argc > 1 && strcmp(argv[1], "verify") == 0)
        return evidence_verify(argc, argv);
    if (argc > 1 && case_is_verb(argv[1]))
        return case_run(argc, argv);
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        argv[1] = argv[0], argc--, argv++; /* the plain command says the same */
    if (tracked_read_args(argc, argv, "--all", &args) != 0)
        return cli_usage("cases");
    struct tracked *t = tracked_open(&args);
    if (!t)
        return CLI_FAILED;
    struct buf out = {0};
    struct listing l = {.json = {.buf = &out}, .now_ms = clock_wall_ms()};
    if (!args.want_json) {
        l.table = table_new(ARRAY_LEN(head));
        for (size_t i = 0; i < ARRAY_LEN(head); i++)
            table_add(l.table, span_str(head[i]));
    }
    struct tracked_rows rows = {0};
    int rc = tracked_ask(t, tracked_keep, &rows, "cases", args.want_all ? "all" : "open", "1000", NULL);
    tracked_sort(&rows, COL_OPENED, 1);
    json_arr(&l.json);
    for (size_t i = 0; i < rows.n; i++)
        show(&l, rows.row[i]);
    json_arr_end(&l.json);
    if (l.table)
        table_print(&l.table);
    if (rc == 0 && args.want_json)
        puts(buf_cstr(&out));
    else if (rc == 0)
        printf("%zu %s%s\n", rows.n, args.want_all ? "case" : "open case", rows.n == 1 ? "" : "s");
    tracked_rows_fini(&rows);
    buf_fini(&out);
    tracked_close(&t);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}
