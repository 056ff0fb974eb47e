#include <inttypes.h>

#include "cli/agents.h"
#include "cli/table.h"

enum { ROUND_END = 3, ROUND_MEASURED = 10 };

static void add_measured(struct table *t, struct span units)
{
    struct buf out = {0};
    char text[TRACKED_TIME_MAX];
    while (units.n) {
        const uint8_t *comma = memchr(units.p, ',', units.n);
        struct span unit = span_of(units.p, comma ? (size_t)(comma - units.p) : units.n);
        uint64_t ms;
        buf_append_str(&out, out.len ? ", " : "");
        if (span_u64(unit, &ms))
            buf_append_str(&out, tracked_duration((int64_t)ms, text));
        else
            buf_append_span(&out, unit);
        units = span_from(units, unit.n + (comma != NULL));
    }
    table_add(t, out.len ? buf_span(&out) : span_str("-"));
    buf_fini(&out);
}

/* {conversation, customer, start, end, agent, team, shop, first, messages, business ms or -1, what its units came to:
 * ms, `unanswered`, or `-` (none of the window), with commas} */
static void show_round(struct table *t, const struct redis_reply *row, bool want_agent)
{
    char text[TRACKED_TIME_MAX];
    int64_t business = row->n > 9 ? tracked_int(row, 9) : -1;
    if (want_agent)
        table_add(t, tracked_text(row, 4));
    table_add(t, tracked_text(row, 0));
    table_add(t, span_str(tracked_time(tracked_int(row, 2), text)));
    table_add(t, span_str(tracked_int(row, 7) ? "first" : "next"));
    table_add(t, span_str(tracked_duration(tracked_int(row, 3) - tracked_int(row, 2), text)));
    table_add(t, span_str(business >= 0 ? tracked_duration(business, text) : "-"));
    table_addf(t, "%" PRId64, tracked_int(row, 8));
    add_measured(t, row->n > ROUND_MEASURED ? tracked_text(row, ROUND_MEASURED) : span_str(""));
}

static void json_round(struct json_out *j, const struct redis_reply *row)
{
    static const char *const texts[] = {"conversation", "customer", NULL, NULL, "agent", "team", "shop"};
    int64_t start = tracked_int(row, 2), end = tracked_int(row, 3), business = row->n > 9 ? tracked_int(row, 9) : -1;
    json_obj(j);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i])
            json_key(j, texts[i]), json_span(j, tracked_text(row, i));
    json_key(j, "start_ms"), json_int(j, start);
    json_key(j, "end_ms"), json_int(j, end);
    json_key(j, "reply_ms"), json_int(j, end - start);
    if (business >= 0)
        json_key(j, "business_ms"), json_int(j, business);
    json_key(j, "first"), json_bool(j, tracked_int(row, 7) != 0);
    json_key(j, "messages"), json_int(j, tracked_int(row, 8));
    if (row->n > ROUND_MEASURED)
        json_key(j, "measured"), json_span(j, tracked_text(row, ROUND_MEASURED));
    json_obj_end(j);
}

static void print_rounds_of(const struct tracked_rows *rows, size_t most, bool want_agent, bool want_json)
{
    static const char *const heads[] = {"agent", "conversation", "customer wrote", "reply",
                                        "after", "in hours",     "messages",       "measured"};
    const char *const *head = want_agent ? heads : heads + 1;
    size_t columns = ARRAY_LEN(heads) - !want_agent;
    if (want_json) {
        struct buf out = {0};
        struct json_out j = {.buf = &out};
        json_arr(&j);
        for (size_t i = 0; i < rows->n && i < most; i++)
            json_round(&j, rows->row[i]);
        json_arr_end(&j);
        printf("%s\n", buf_cstr(&out));
        buf_fini(&out);
        return;
    }
    struct table *table = table_new(columns);
    for (size_t i = 0; i < columns; i++)
        table_add(table, span_str(head[i]));
    for (size_t i = 0; i < rows->n && i < most; i++)
        show_round(table, rows->row[i], want_agent);
    table_print(&table);
}

int agents_print_rounds(struct tracked *t, char scope, const char *name, size_t n, bool want_json)
{
    char most[24], of[2] = {scope, '\0'};
    struct tracked_rows rows = {0};
    snprintf(most, sizeof(most), "%zu", n);
    int rc = tracked_ask(t, tracked_keep, &rows, "rounds", name, most, of, NULL);
    tracked_sort(&rows, ROUND_END, -1);
    if (rc == 0)
        print_rounds_of(&rows, n, scope != 'a', want_json);
    tracked_rows_fini(&rows);
    return rc;
}
