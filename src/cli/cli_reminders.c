/* chatgate reminders: the newest reminders of all shards, newest first. */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/cli_hand.h"
#include "cli/cli_reminders_next.h"
#include "cli/table.h"

static const struct hand_verb verbs[] = {{"snooze", "--for", false}, {"wake", NULL, false}, {NULL, NULL, false}};

static struct span field(const struct redis_reply *row, const char *name)
{
    for (size_t i = 1; i + 1 < row->n; i += 2)
        if (span_is(tracked_text(row, i), name))
            return tracked_text(row, i + 1);
    return span_of("", 0);
}

static int64_t number(const struct redis_reply *row, const char *name)
{
    uint64_t n;
    return span_u64(field(row, name), &n) ? (int64_t)n : 0;
}

static int newer_first(const void *a, const void *b)
{
    int64_t x = number(*(struct redis_reply *const *)a, "at"), y = number(*(struct redis_reply *const *)b, "at");
    bool is_raised_x = span_is(field(*(struct redis_reply *const *)a, "what"), "raised"),
         is_raised_y = span_is(field(*(struct redis_reply *const *)b, "what"), "raised");
    return x != y ? (x < y) - (x > y) : is_raised_x - is_raised_y;
}

static void print_json(const struct tracked_rows *l, size_t most)
{
    struct buf out = {0};
    struct json_out j = {.buf = &out};
    json_arr(&j);
    for (size_t i = 0; i < l->n && i < most; i++) {
        json_obj(&j);
        for (size_t k = 1; k + 1 < l->row[i]->n; k += 2) {
            struct buf name = {0};
            buf_append_span(&name, tracked_text(l->row[i], k));
            json_key(&j, buf_cstr(&name));
            json_span(&j, tracked_text(l->row[i], k + 1));
            buf_fini(&name);
        }
        json_obj_end(&j);
    }
    json_arr_end(&j);
    printf("%s\n", buf_cstr(&out));
    buf_fini(&out);
}

/* A step has up to two entries: that it was raised, and what became of it. Whom it was for stands in the first. */
static struct span sent_to(const struct tracked_rows *l, size_t newest)
{
    struct span id = field(l->row[newest], "id"), to = field(l->row[newest], "to");
    for (size_t i = newest + 1; i < l->n && !to.n; i++)
        if (span_eq(field(l->row[i], "id"), id))
            to = field(l->row[i], "to");
    return to;
}

static bool has_newer(const struct tracked_rows *l, size_t at)
{
    struct span id = field(l->row[at], "id");
    for (size_t i = 0; i < at; i++)
        if (span_eq(field(l->row[i], "id"), id))
            return true;
    return false;
}

static void print_table(const struct tracked_rows *l, size_t most)
{
    static const char *const head[] = {"id", "time", "what", "kind", "step", "to", "agent", "conversation", "after"};
    struct table *t = table_new(ARRAY_LEN(head));
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(t, span_str(head[i]));
    for (size_t i = 0, n = 0; i < l->n && n < most; i++) {
        const struct redis_reply *row = l->row[i];
        char text[TRACKED_TIME_MAX];
        if (has_newer(l, i))
            continue;
        n++;
        bool is_step = !span_is(field(row, "what"), "snoozed");
        table_add(t, field(row, "item"));
        table_add(t, span_str(tracked_time(number(row, "at"), text)));
        table_add(t, field(row, "what"));
        table_add(t, field(row, "kind"));
        table_addf(t, is_step ? "%" PRId64 : "-", number(row, "step") + 1);
        table_add(t, sent_to(l, i));
        table_add(t, field(row, "agent"));
        table_add(t, field(row, "conv"));
        int64_t since = number(row, is_step ? "since" : "at");
        table_add(t, span_str(tracked_duration(number(row, "at") - since, text)));
    }
    table_print(&t);
}

static int snooze(int argc, char **argv)
{
    struct hand_args a;
    char until[TRACKED_TIME_MAX];
    if (hand_read_args(argc, argv, verbs, &a) < 0)
        return cli_usage("reminders");
    struct tracked *t = tracked_open(&a.common);
    if (!t)
        return CLI_FAILED;
    int shard = hand_shard(t, &a), rc = CLI_PROBLEMS;
    const struct redis_reply *r = shard < 0 ? NULL
                                            : tracked_run(t, (unsigned)shard, "remind_snooze", a.name,
                                                          a.until[0] ? a.until : "0", a.by, a.reason, NULL);
    if (r && span_is(tracked_text(r, 0), "OK")) {
        int64_t ms = tracked_int(r, 2);
        if (a.common.want_json)
            printf("{\"id\":\"%s\",\"until_ms\":%" PRId64 "}\n", a.name, ms);
        else
            printf("reminder %s waits%s%s\n", a.name, ms ? " until " : " no longer", ms ? tracked_time(ms, until) : "");
        rc = CLI_OK;
    } else if (shard >= 0) {
        rc = r ? hand_refused(&a, r) : CLI_FAILED;
    }
    tracked_close(&t);
    return rc;
}

int cli_reminders(int argc, char **argv)
{
    struct tracked_args args;
    struct tracked_rows l = {0};
    char most[24];
    if (argc > 1 && hand_is_verb(verbs, argv[1]))
        return snooze(argc, argv);
    if (argc > 1 && strcmp(argv[1], "next") == 0)
        return reminders_next(argc - 1, argv + 1);
    if (tracked_read_args(argc, argv, "--most", &args) != 0)
        return cli_usage("reminders");
    struct tracked *t = tracked_open(&args);
    if (!t)
        return CLI_FAILED;
    snprintf(most, sizeof(most), "%" PRId64, 2 * args.most);
    int rc = tracked_ask(t, tracked_keep, &l, "reminders", most, NULL);
    if (l.n)
        qsort(l.row, l.n, sizeof(*l.row), newer_first);
    if (rc == 0 && args.want_json)
        print_json(&l, (size_t)args.most);
    else if (rc == 0)
        print_table(&l, (size_t)args.most);
    tracked_rows_fini(&l);
    tracked_close(&t);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}
