/* The figures of hours into those of agents and their days. */
#include <stdlib.h>

#include "base/civil.h"
#include "base/xalloc.h"
#include "board/model_read.h"

static void replies_add(struct replies *to, const struct replies *more)
{
    to->n += more->n;
    to->sum_ms += more->sum_ms;
    for (unsigned i = 0; i < LIMITS; i++)
        to->within[i] += more->within[i];
}

void figures_add(struct figures *to, const struct figures *more)
{
    replies_add(&to->first, &more->first);
    replies_add(&to->next, &more->next);
    replies_add(&to->first_business, &more->first_business);
    replies_add(&to->next_business, &more->next_business);
    replies_add(&to->measured, &more->measured);
    for (unsigned i = 0; i < COUNT_KINDS; i++)
        to->count[i] += more->count[i];
}

static void read_replies(const struct redis_reply *row, size_t at, int sign, struct replies *out)
{
    out->n = sign * row_int(row, at);
    out->sum_ms = sign * row_int(row, at + 1);
    for (unsigned i = 0; i < LIMITS; i++)
        out->within[i] = sign * row_int(row, at + 2 + i);
}

/* "name:count,name:count": the next pair; false at the end. */
static bool next_pair(struct span *rest, struct span *name, int64_t *count)
{
    while (rest->n) {
        const uint8_t *comma = memchr(rest->p, ',', rest->n);
        struct span pair = comma ? span_of(rest->p, (size_t)(comma - rest->p)) : *rest;
        *rest = span_from(*rest, comma ? pair.n + 1 : rest->n);
        const uint8_t *colon = memchr(pair.p, ':', pair.n);
        uint64_t n;
        if (!colon || !span_u64(span_from(pair, (size_t)(colon - pair.p) + 1), &n) || n > INT32_MAX)
            continue;
        *name = span_of(pair.p, (size_t)(colon - pair.p));
        *count = (int64_t)n;
        return true;
    }
    return false;
}

static void add_buckets(uint32_t **bucket, struct span text, int sign)
{
    struct span name;
    int64_t n;
    while (next_pair(&text, &name, &n)) {
        uint64_t at;
        if (!span_u64(name, &at) || at >= HIST_BUCKETS)
            continue;
        if (!*bucket)
            *bucket = xcalloc(HIST_BUCKETS, sizeof(**bucket));
        (*bucket)[at] += (uint32_t)(sign * n);
    }
}

static void add_counts(struct span text, int sign, int64_t out[COUNT_KINDS])
{
    struct span name;
    int64_t n;
    while (next_pair(&text, &name, &n))
        for (unsigned i = 0; i < COUNT_KINDS; i++)
            if (span_is(name, count_name((enum count)i)))
                out[i] += sign * n;
}

void model_read_counts(struct span text, int64_t out[COUNT_KINDS])
{
    add_counts(text, 1, out);
}

/* Rows: {agent, 7 numbers of first replies, 7 of next replies, buckets, counts, the first three in business hours, 7
 * numbers of replies as they are measured} */
static void read_row(const struct redis_reply *row, int sign, struct figures *out)
{
    *out = (struct figures){0};
    read_replies(row, 1, sign, &out->first);
    read_replies(row, 8, sign, &out->next);
    add_counts(row_text(row, 16), sign, out->count);
    read_replies(row, 17, sign, &out->first_business);
    read_replies(row, 24, sign, &out->next_business);
    read_replies(row, 32, sign, &out->measured);
}

static void add_to_day(struct agent *a, const struct redis_reply *row, int sign, const struct figures *f)
{
    add_buckets(&a->bucket, row_text(row, 15), sign);
    add_buckets(&a->business, row_text(row, 31), sign);
    figures_add(&a->day, f);
}

void model_add_day(struct agent *a, const struct redis_reply *row)
{
    struct figures f;
    read_row(row, 1, &f);
    add_to_day(a, row, 1, &f);
}

/* An hour of before the agent's day counts for the desk's hours alone. */
static void add_hour(struct model *m, unsigned hour, const struct redis_reply *reply, int sign)
{
    for (size_t i = 1; reply && i < reply->n; i++) {
        const struct redis_reply *row = redis_item(reply, i);
        struct agent *a = model_agent_get(m, row_text(row, 0));
        struct figures f;
        if (!a)
            continue;
        read_row(row, sign, &f);
        figures_add(&a->hour[hour % DAY_HOURS_MAX], &f);
        a->is_counted = true;
        if ((int64_t)hour >= m->own[a->zone].start_ms / HOUR_MS)
            add_to_day(a, row, sign, &f);
    }
}

void model_take_hour(struct model *m, unsigned shard, unsigned hour, const struct redis_reply *reply)
{
    struct redis_reply **held = &m->shard[shard].hour[hour % DAY_HOURS_MAX];
    if (hour < m->first_hour || hour >= m->first_hour + DAY_HOURS_MAX)
        return; /* the day turned while it was asked for */
    add_hour(m, hour, *held, -1);
    redis_reply_free(*held);
    *held = redis_reply_copy(reply);
    add_hour(m, hour, *held, 1);
}

static void forget_figures(struct model *m)
{
    size_t pos = 0;
    struct span key;
    for (void *v; map_next(&m->agents, &pos, &key, &v);) {
        struct agent *a = v;
        memset(a->hour, 0, sizeof(a->hour));
        memset(&a->day, 0, sizeof(a->day));
        free(a->bucket);
        free(a->business);
        a->bucket = a->business = NULL;
        a->is_counted = false;
        a->zone = model_zone_of(m, span_str(a->shop));
    }
}

void model_recount(struct model *m, int64_t first_hour)
{
    int64_t old = m->first_hour;
    forget_figures(m);
    m->first_hour = first_hour;
    for (unsigned s = 0; s < m->n_shards; s++) {
        for (int64_t h = old; h < old + DAY_HOURS_MAX; h++) {
            struct redis_reply **held = &m->shard[s].hour[h % DAY_HOURS_MAX];
            if (h >= first_hour && h < first_hour + DAY_HOURS_MAX) {
                add_hour(m, (unsigned)h, *held, 1);
            } else {
                redis_reply_free(*held);
                *held = NULL;
            }
        }
    }
}
