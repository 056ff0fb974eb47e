/* One case with all that was done to it. */
#include <string.h>

#include "cli/cli_case.h"
#include "cli/cli_tracked.h"
#include "cli/table.h"

/* Positions in a row of the history. */
enum { HIST_AT = 1, HIST_FROM, HIST_TO, HIST_WHO, HIST_WHY, HIST_ACT, HIST_VALUE };

/* "open -> waiting", "assign tom" */
static void add_what(struct table *t, const struct redis_reply *h)
{
    struct span act = tracked_text(h, HIST_ACT), value = tracked_text(h, HIST_VALUE), from = tracked_text(h, HIST_FROM),
                to = tracked_text(h, HIST_TO);
    struct buf b = {0};
    char when[TRACKED_TIME_MAX];
    uint64_t until;
    buf_append_span(&b, act.n ? act : from);
    buf_append_str(&b, act.n ? " " : from.n ? " -> " : "");
    if (span_is(act, "snooze") && span_u64(value, &until))
        buf_append_str(&b, until ? tracked_time((int64_t)until, when) : "off");
    else
        buf_append_span(&b, act.n ? value : to);
    table_add(t, buf_span(&b));
    buf_fini(&b);
}

static void show_history(const struct redis_reply *r, size_t from)
{
    static const char *const head[] = {"when", "what", "who", "why"};
    char when[TRACKED_TIME_MAX];
    struct table *t = table_new(ARRAY_LEN(head));
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        table_add(t, span_str(head[i]));
    for (size_t i = from; i < r->n; i++) {
        const struct redis_reply *h = redis_item(r, i);
        table_add(t, span_str(tracked_time(tracked_int(h, HIST_AT), when)));
        add_what(t, h);
        for (size_t k = HIST_WHO; k <= HIST_WHY; k++)
            table_add(t, tracked_text(h, k).n ? tracked_text(h, k) : span_str("-"));
    }
    table_print(&t);
}

void case_show_text(const struct redis_reply *r)
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

void case_show_json(const struct redis_reply *r)
{
    static const char *const key[] = {"from", "to", "who", "why", "act", "value"};
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
        for (size_t k = 0; k < ARRAY_LEN(key) && HIST_FROM + k < h->n; k++)
            json_key(&j, key[k]), json_span(&j, tracked_text(h, HIST_FROM + k));
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_obj_end(&j);
    puts(buf_cstr(&out));
    buf_fini(&out);
}
