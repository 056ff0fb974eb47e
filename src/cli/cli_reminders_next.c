#include "cli/cli_reminders_next.h"

#include <inttypes.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/cli_tracked.h"
#include "cli/table.h"
#include "track/reminder_plan.h"

/* Columns of lua/remind_next.lua. */
enum {
    COL_NAME,
    COL_KIND,
    COL_STEP,
    COL_DUE,
    COL_TO,
    COL_AGENT,
    COL_CUSTOMER,
    COL_CONV,
    COL_REF,
    COL_SINCE,
    COL_SNOOZED,
    COL_NODE,
    COL_COUNT
};

static const struct tracked_column columns[COL_COUNT] = {{"id", false},       {"kind", false},         {"step", true},
                                                         {"due_ms", true},    {"to", false},           {"agent", false},
                                                         {"customer", false}, {"conversation", false}, {"ref", false},
                                                         {"since_ms", true},  {"snoozed_ms", true},    {"node", false}};

static void print_table(const struct tracked_rows *l, size_t most)
{
    static const char *const head[] = {"id", "due", "in", "kind", "step", "to", "agent", "customer", "conversation"};
    static const int column[] = {COL_TO, COL_AGENT, COL_CUSTOMER, COL_CONV};
    struct table *t = table_new(ARRAY_LEN(head));
    char text[TRACKED_TIME_MAX];
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(t, span_str(head[i]));
    for (size_t i = 0; i < l->n && i < most; i++) {
        const struct redis_reply *r = l->row[i];
        int64_t left = tracked_int(r, COL_DUE) - clock_wall_ms();
        table_add(t, tracked_text(r, COL_NAME));
        table_add(t, span_str(tracked_time(tracked_int(r, COL_DUE), text)));
        table_add(t, span_str(left < 0 ? "now" : tracked_duration(left, text)));
        table_add(t, tracked_text(r, COL_KIND));
        table_addf(t, "%" PRId64, tracked_int(r, COL_STEP) + 1);
        for (size_t k = 0; k < ARRAY_LEN(column); k++)
            table_add(t, tracked_text(r, (size_t)column[k]));
    }
    table_print(&t);
}

int reminders_next(int argc, char **argv)
{
    struct tracked_args args;
    struct tracked_rows l = {0};
    struct reminder_plan plan;
    char most[24];
    if (tracked_read_args(argc, argv, "--most", &args) != 0)
        return cli_usage("reminders");
    struct tracked *t = tracked_open(&args);
    if (!t)
        return CLI_FAILED;
    snprintf(most, sizeof(most), "%" PRId64, args.most);
    reminder_plan_init(&plan, tracked_conf(t));
    struct span script_args[1 + REMINDER_PLAN_ARGS] = {span_str(most)};
    for (size_t i = 0; i < REMINDER_PLAN_ARGS; i++)
        script_args[1 + i] = span_str(plan.text[i]);
    int rc = tracked_ask_script(t, tracked_keep, &l, "remind_next", ARRAY_LEN(script_args), script_args);
    tracked_sort(&l, COL_DUE, 1);
    if (rc == 0)
        args.want_json ? tracked_print_json(&l, (size_t)args.most, columns, COL_COUNT)
                       : print_table(&l, (size_t)args.most);
    tracked_rows_fini(&l);
    tracked_close(&t);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}
