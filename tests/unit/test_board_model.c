/* The day of each agent in the dashboard's model: while time passes, shops get other zones, agents other shops and late
 * events change hours that were read, their figures are the sum of the hours of their own day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/civil.h"
#include "base/xalloc.h"
#include "board/model_read.h"

enum { SHARDS = 3, AGENTS = 6, SHOPS = 4, HOURS = 24 * 12, ROW = 39, COUNTS_AT = 16, BUCKETS_AT = 15, STEPS = 400 };

static const int offsets_min[] = {480, 540, 0, -300, 840, -720, 330, -210}; /* the first one is the desk's */

struct world {
    struct model *m;
    int64_t first_hour;                   /* of those below */
    unsigned told[SHARDS][HOURS][AGENTS]; /* as the model was told; 0 also: dropped, or not at all */
    unsigned shop_of[AGENTS], zone_of[SHOPS];
    uint32_t random;
};

static unsigned pick(struct world *w, unsigned n)
{
    w->random = w->random * 1664525 + 1013904223;
    return (w->random >> 8) % n;
}

static struct redis_reply *text_reply(const char *text)
{
    return redis_reply_copy(&(struct redis_reply){.kind = REDIS_TEXT, .text = span_str(text)});
}

/* An array of n empty places. */
static struct redis_reply *array_of(size_t n)
{
    struct redis_reply *r = xcalloc(1, sizeof(*r));
    *r = (struct redis_reply){.kind = REDIS_ARRAY, .n = n, .item = xcalloc(n, sizeof(struct redis_reply *))};
    return r;
}

/* ---- what Redis says ---- */

/* A row of the question `hour`: so many messages, and first replies that took as many ms as the agent's number. */
static struct redis_reply *hour_row(unsigned agent, unsigned n)
{
    char name[16], count[16], text[64], bucket[32];
    struct redis_reply *row = array_of(ROW);
    snprintf(name, sizeof(name), "a%u", agent);
    snprintf(count, sizeof(count), "%u", n);
    snprintf(text, sizeof(text), "in:%u", n);
    snprintf(bucket, sizeof(bucket), "%u:%u,", agent, n);
    for (size_t i = 0; i < ROW; i++)
        row->item[i] = text_reply(i == 0            ? name
                                  : i == 1          ? count
                                  : i == BUCKETS_AT ? bucket
                                  : i == COUNTS_AT  ? text
                                                    : "0");
    return row;
}

static void tell_hour(struct world *w, unsigned shard, int64_t hour)
{
    struct redis_reply *r = array_of(1 + AGENTS);
    r->item[0] = text_reply("0");
    for (unsigned a = 0; a < AGENTS; a++) {
        unsigned n = pick(w, 3) ? pick(w, 5) : 0;
        w->told[shard][hour - w->first_hour][a] = n;
        r->item[1 + a] = hour_row(a, n);
    }
    model_take_hour(w->m, shard, (unsigned)hour, r);
    redis_reply_free(r);
}

static void tell_session(struct world *w, unsigned agent)
{
    static int64_t on_ms = 1;
    char text[32];
    struct redis_reply *r = array_of(2), *row = r->item[1] = array_of(6);
    r->item[0] = text_reply("0");
    for (size_t i = 0; i < row->n; i++) {
        snprintf(text, sizeof(text), i == 0 ? "a%u" : i == 5 ? "shop%u" : "t", i == 0 ? agent : w->shop_of[agent]);
        if (i == 1)
            snprintf(text, sizeof(text), "%lld", (long long)on_ms++);
        row->item[i] = text_reply(text);
    }
    model_take_sessions(w->m, 0, 0, r);
    redis_reply_free(r);
}

static void tell_zones(struct world *w)
{
    struct buf text = {0};
    for (unsigned z = 1; z < ARRAY_LEN(offsets_min); z++) {
        size_t before = text.len;
        int abs_min = abs(offsets_min[z]);
        buf_printf(&text, "%c%02d:%02d %d\t", offsets_min[z] < 0 ? '-' : '+', abs_min / 60, abs_min % 60,
                   offsets_min[z] * MINUTE_MS);
        size_t with_zone = text.len;
        for (unsigned s = 0; s < SHOPS; s++)
            if (w->zone_of[s] == z)
                buf_printf(&text, "shop%u\t", s);
        if (text.len == with_zone)
            text.len = before;
        else
            buf_append_str(&text, "\n");
    }
    if (!text.len)
        buf_append_str(&text, "-");
    model_zones_take(w->m, buf_span(&text));
    buf_fini(&text);
}

/* ---- what it should come to ---- */

static int64_t day_start(const struct world *w, unsigned zone)
{
    int64_t offset = offsets_min[zone] * (int64_t)MINUTE_MS;
    return civil_floor(w->m->redis_now_ms + offset, DAY_MS) * DAY_MS - offset;
}

/* Hours before the first one that is read are forgotten. */
static void check_first_hour(struct world *w)
{
    int64_t first = day_start(w, 0) / HOUR_MS;
    for (unsigned s = 0; s < SHOPS; s++)
        first = MIN_OF(first, day_start(w, w->zone_of[s]) / HOUR_MS);
    assert_int_equal(w->m->first_hour, first);
    assert_int_equal(w->m->day_start_ms, day_start(w, 0));
    assert_true(w->m->redis_now_ms / HOUR_MS < first + DAY_HOURS_MAX);
    for (int64_t h = w->first_hour; h < first; h++)
        memset(&w->told[0][h - w->first_hour], 0, sizeof(w->told[0][0])),
            memset(&w->told[1][h - w->first_hour], 0, sizeof(w->told[0][0])),
            memset(&w->told[2][h - w->first_hour], 0, sizeof(w->told[0][0]));
}

static void check_agent(const struct world *w, unsigned agent)
{
    char name[16];
    int64_t day = 0, from = day_start(w, w->zone_of[w->shop_of[agent]]) / HOUR_MS;
    snprintf(name, sizeof(name), "a%u", agent);
    const struct agent *a = map_get(&w->m->agents, span_str(name));
    assert_non_null(a);
    for (int64_t h = w->m->first_hour; h <= w->m->redis_now_ms / HOUR_MS; h++) {
        int64_t n = 0;
        for (unsigned s = 0; s < SHARDS; s++)
            n += w->told[s][h - w->first_hour][agent];
        assert_int_equal(a->hour[h % DAY_HOURS_MAX].count[COUNT_IN], n);
        day += h >= from ? n : 0;
    }
    assert_int_equal(a->day.count[COUNT_IN], day);
    assert_int_equal(a->day.first.n, day);
    assert_int_equal(a->bucket ? a->bucket[agent] : 0, day);
    assert_int_equal(model_zone_start(w->m, a->zone, 0), day_start(w, w->zone_of[w->shop_of[agent]]));
}

/* ---- what happens ---- */

static void step(struct world *w)
{
    struct model *m = w->m;
    unsigned what = pick(w, 20);
    if (what == 0) {
        unsigned agent = pick(w, AGENTS);
        w->shop_of[agent] = pick(w, SHOPS);
        tell_session(w, agent);
    } else if (what == 1) {
        w->zone_of[pick(w, SHOPS)] = pick(w, 3) ? pick(w, ARRAY_LEN(offsets_min)) : 0;
        tell_zones(w);
    } else if (what < 6 && m->redis_now_ms / HOUR_MS < w->first_hour + HOURS - 8) {
        m->redis_now_ms += pick(w, 5) * (int64_t)HOUR_MS + pick(w, HOUR_MS);
    } else {
        int64_t hours = m->redis_now_ms / HOUR_MS - m->first_hour + 1;
        if (hours > 0 && hours <= DAY_HOURS_MAX)
            tell_hour(w, pick(w, SHARDS), m->first_hour + pick(w, (unsigned)hours));
    }
    model_turn_day(m);
}

static void an_agent_has_the_day_of_the_shop(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 20; seed++) {
        static struct world w;
        struct settings set = {.timezone = NULL};
        memset(&w, 0, sizeof(w));
        w.random = seed;
        struct model *m = w.m = xcalloc(1, sizeof(*m));
        m->set = &set;
        m->n_shards = SHARDS;
        m->shard = xcalloc(SHARDS, sizeof(*m->shard));
        m->redis_now_ms = 20779 * (int64_t)DAY_MS + seed * 5 * HOUR_MS;
        w.first_hour = m->redis_now_ms / HOUR_MS - 2 * DAY_HOURS_MAX;
        day_zone_set(&m->zone, "+08:00");
        model_turn_day(m);
        for (unsigned a = 0; a < AGENTS; a++) {
            w.shop_of[a] = pick(&w, SHOPS);
            tell_session(&w, a);
        }
        for (unsigned i = 0; i < STEPS; i++) {
            step(&w);
            check_first_hour(&w);
            for (unsigned a = 0; a < AGENTS; a++)
                check_agent(&w, a);
        }
        model_recount(m, 0);
        day_zone_fini(&m->zone);
        model_zones_fini(m);
        model_forget_all(m);
        free(m->shard);
        free(m);
    }
}

static void dates_of_several_zones(void **state)
{
    (void)state;
    struct settings set = {.timezone = NULL};
    struct model *m = xcalloc(1, sizeof(*m));
    m->set = &set;
    m->redis_now_ms = 20779 * (int64_t)DAY_MS + 10 * HOUR_MS + HOUR_MS / 2; /* 18:30 in Shanghai */
    day_zone_set(&m->zone, "Asia/Shanghai");
    model_turn_day(m);
    model_zones_take(
        m, span_str("+14:00 50400000\te\t\n-12:00 -43200000\tw\tx\t\nNo/Zone 0\tn\t\n+14:00 50400000\tf\t\n"));
    unsigned e = model_zone_of(m, span_str("e")), west = model_zone_of(m, span_str("x"));
    assert_true(e && west && e != west && m->n_own == 3);
    assert_int_equal(model_zone_of(m, span_str("f")), e);
    assert_int_equal(model_zone_of(m, span_str("n")), 0); /* not known on this machine */
    assert_int_equal(model_zone_of(m, span_str("other")), 0);
    const int64_t day = DAY_MS, shanghai = 8 * (int64_t)HOUR_MS, east = 14 * (int64_t)HOUR_MS,
                  far_west = -12 * (int64_t)HOUR_MS;
    assert_int_equal(model_zone_start(m, 0, 0), 20779 * day - shanghai);
    assert_int_equal(model_zone_start(m, e, 0), 20780 * day - east); /* half past midnight, the day after */
    assert_int_equal(model_zone_start(m, west, 0), 20778 * day - far_west);
    assert_int_equal(model_zone_end(m, west, 0), INT64_MAX);
    for (unsigned ago = 1; ago < 8; ago++) { /* the same date everywhere */
        assert_int_equal(model_zone_start(m, e, ago), (20779 - ago) * day - east);
        assert_int_equal(model_zone_start(m, west, ago), (20779 - ago) * day - far_west);
        assert_int_equal(model_zone_end(m, west, ago), (20780 - ago) * day - far_west);
        assert_int_equal(model_zone_end(m, 0, ago), (20780 - ago) * day - shanghai);
        assert_int_equal(model_zone_date(m, e, model_zone_start(m, e, ago)), 20779 - ago);
    }
    assert_int_equal(model_zone_start(m, 99, 0), model_zone_start(m, 0, 0)); /* a zone that is no more */
    day_zone_fini(&m->zone);
    model_zones_fini(m);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_agent_has_the_day_of_the_shop),
        cmocka_unit_test(dates_of_several_zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
