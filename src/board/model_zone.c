/* Whose day it is: shops with a calendar of their own have days of their own, and so have their agents. */
#include <stdio.h>

#include "base/civil.h"
#include "board/model_read.h"
#include "track/shop_zones.h"

/* ---- what Redis tells ---- */

static void forget(struct model *m)
{
    for (unsigned i = 1; i < m->n_own; i++)
        day_zone_fini(&m->own[i].day);
    m->n_own = 1;
}

static unsigned find(const struct model *m, const char *name)
{
    for (unsigned i = 1; i < m->n_own; i++)
        if (strcmp(m->own[i].day.name, name) == 0)
            return i;
    return 0;
}

static void add(struct model *m, struct span line)
{
    struct own_zone *z = &m->own[m->n_own];
    char name[sizeof(z->day.name)];
    if (m->n_own == OWN_ZONES_MAX || !day_zone_read_name(line, name) || find(m, name))
        return;
    *z = (struct own_zone){0};
    day_zone_set(&z->day, name);
    if (z->day.zone) /* else this machine does not know it, and the desk's has to do */
        m->n_own++;
    else
        day_zone_fini(&z->day);
}

void model_zones_take(struct model *m, struct span text)
{
    if (m->n_own && span_eq(text, buf_span(&m->zones)))
        return;
    buf_reset(&m->zones);
    buf_append_span(&m->zones, text);
    forget(m);
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        struct span line = end ? span_of(text.p, (size_t)(end - text.p)) : text;
        add(m, line);
        text = span_from(text, MIN_OF(line.n + 1, text.n));
    }
    m->want_recount = true;
    model_turn_day(m); /* at once: agents' zones are numbers of the former list */
}

unsigned model_zone_of(const struct model *m, struct span shop)
{
    char name[64];
    return day_zone_read_name(shop_zones_find(buf_span(&m->zones), shop), name) ? find(m, name) : 0;
}

void model_zone_changed(struct model *m, struct agent *a)
{
    unsigned zone = model_zone_of(m, span_str(a->shop));
    if (zone == a->zone)
        return;
    if (a->is_counted)
        m->want_recount = true; /* his figures were added by the former one */
    else
        a->zone = zone;
}

void model_zones_fini(struct model *m)
{
    forget(m);
    buf_fini(&m->zones);
}

/* ---- days ---- */

/* NULL: the desk's, also of a number that is no more. */
static const struct zone *zone_at(const struct model *m, unsigned zone)
{
    return zone && zone < m->n_own ? m->own[zone].day.zone : NULL;
}

int64_t model_zone_date(const struct model *m, unsigned zone, int64_t at_ms)
{
    const struct zone *z = zone_at(m, zone);
    int64_t offset = z ? zone_offset_ms(z, at_ms) : model_offset_ms(m, at_ms);
    return civil_floor(at_ms + offset, DAY_MS);
}

static int64_t desk_date(const struct model *m, unsigned days_ago)
{
    return model_zone_date(m, 0, model_day_start(m, days_ago));
}

int64_t model_zone_start(const struct model *m, unsigned zone, unsigned days_ago)
{
    const struct zone *z = zone_at(m, zone);
    if (!z)
        return model_day_start(m, days_ago);
    return zone_utc_ms(z, DAY_MS * (days_ago ? desk_date(m, days_ago) : model_zone_date(m, zone, m->redis_now_ms)));
}

int64_t model_zone_end(const struct model *m, unsigned zone, unsigned days_ago)
{
    const struct zone *z = zone_at(m, zone);
    if (!days_ago)
        return INT64_MAX;
    return z ? zone_utc_ms(z, DAY_MS * (desk_date(m, days_ago) + 1)) : model_day_start(m, days_ago - 1);
}

bool model_zones_turn(struct model *m, int64_t *first_hour)
{
    bool is_other = m->want_recount || !m->n_own;
    m->n_own = MAX_OF(m->n_own, 1);
    m->want_recount = false;
    *first_hour = INT64_MAX;
    for (unsigned i = 0; i < m->n_own; i++) {
        int64_t start = model_zone_start(m, i, 0);
        is_other |= start != m->own[i].start_ms;
        m->own[i].start_ms = start;
        *first_hour = MIN_OF(*first_hour, start / HOUR_MS);
    }
    m->day_start_ms = m->own[0].start_ms;
    return is_other;
}
