/* chatgate commitments: times that agents promised, and what people decide about them. */
#include <inttypes.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/cli_hand.h"
#include "cli/table.h"

/* Columns of the question `commitments` of lua/read.lua. */
enum { COL_CONV, COL_CUSTOMER, COL_AGENT, COL_TEAM, COL_SHOP, COL_MADE, COL_DUE, COL_RULE, COL_NAME, COL_COUNT };

static const struct hand_verb verbs[] = {
    {"keep", NULL, false}, {"cancel", NULL, true}, {"extend", "--for", true}, {NULL, NULL, false}};

static const struct tracked_column columns[COL_COUNT] = {
    {"conversation", false}, {"customer", false}, {"agent", false}, {"team", false}, {"shop", false},
    {"made_ms", true},       {"due_ms", true},    {"rule", false},  {"id", false}};

static void print_table(const struct tracked_rows *l, size_t most)
{
    static const char *const head[] = {"id", "due", "left", "agent", "customer", "conversation", "made"};
    struct table *t = table_new(ARRAY_LEN(head));
    char text[TRACKED_TIME_MAX];
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(t, span_str(head[i]));
    for (size_t i = 0; i < l->n && i < most; i++) {
        const struct redis_reply *r = l->row[i];
        int64_t left = tracked_int(r, COL_DUE) - clock_wall_ms();
        table_add(t, tracked_text(r, COL_NAME));
        table_add(t, span_str(tracked_time(tracked_int(r, COL_DUE), text)));
        table_addf(t, "%s%s", left < 0 ? "broken for " : "", tracked_duration(left < 0 ? -left : left, text));
        table_add(t, tracked_text(r, COL_AGENT));
        table_add(t, tracked_text(r, COL_CUSTOMER));
        table_add(t, tracked_text(r, COL_CONV));
        table_add(t, span_str(tracked_time(tracked_int(r, COL_MADE), text)));
    }
    table_print(&t);
    printf("%zu open commitment%s\n", l->n, l->n == 1 ? "" : "s");
}

static int list(int argc, char **argv)
{
    struct tracked_args args;
    struct tracked_rows l = {0};
    char most[24];
    if (tracked_read_args(argc, argv, "--most", &args) != 0)
        return cli_usage("commitments");
    struct tracked *t = tracked_open(&args);
    if (!t)
        return CLI_FAILED;
    snprintf(most, sizeof(most), "%" PRId64, args.most);
    int rc = tracked_ask(t, tracked_keep, &l, "commitments", most, NULL);
    tracked_sort(&l, COL_DUE, 1);
    if (rc == 0)
        args.want_json ? tracked_print_json(&l, (size_t)args.most, columns, COL_COUNT)
                       : print_table(&l, (size_t)args.most);
    tracked_rows_fini(&l);
    tracked_close(&t);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}

static void say(const struct hand_args *a, const struct redis_reply *r)
{
    char due[TRACKED_TIME_MAX];
    struct span name = tracked_text(r, 1), state = tracked_text(r, 2);
    if (a->common.want_json)
        printf("{\"id\":\"%.*s\",\"state\":\"%.*s\",\"due_ms\":%" PRId64 "}\n", (int)name.n, (const char *)name.p,
               (int)state.n, (const char *)state.p, tracked_int(r, 3));
    else
        printf("commitment %.*s is %.*s, due %s\n", (int)name.n, (const char *)name.p, (int)state.n,
               (const char *)state.p, tracked_time(tracked_int(r, 3), due));
}

static int move(int argc, char **argv)
{
    struct hand_args a;
    if (hand_read_args(argc, argv, verbs, &a) < 0)
        return cli_usage("commitments");
    struct tracked *t = tracked_open(&a.common);
    if (!t)
        return CLI_FAILED;
    int shard = hand_shard(t, &a), rc = CLI_PROBLEMS;
    const struct redis_reply *r = shard < 0 ? NULL
                                            : tracked_run(t, (unsigned)shard, "promise_move", a.verb->name, a.name,
                                                          a.by, a.reason, a.until, NULL);
    if (r && span_is(tracked_text(r, 0), "OK")) {
        say(&a, r);
        rc = CLI_OK;
    } else if (shard >= 0) {
        rc = r ? hand_refused(&a, r) : CLI_FAILED;
    }
    tracked_close(&t);
    return rc;
}

int cli_commitments(int argc, char **argv)
{
    if (argc > 1 && hand_is_verb(verbs, argv[1]))
        return move(argc, argv);
    bool has_word = argc > 1 && strcmp(argv[1], "list") == 0;
    return list(argc - has_word, argv + has_word);
}
