#include "track/reminder_quiet.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/log.h"
#include "base/map.h"
#include "base/xalloc.h"

struct shop {
    char *name;
    const char *zone;          /* while it is read: of its own calendar, NULL: that of the configuration */
    struct calendar *calendar; /* NULL: never quiet */
};

struct quiet {
    struct calendar *calendar; /* of all other shops */
    struct map shops;          /* by name */
};

static struct calendar *make(const char *zone, char *const *hours, size_t n, int64_t now_ms)
{
    struct calendar_hours spans = {0};
    struct calendar *c = NULL;
    struct err e = {{0}};
    for (size_t i = 0; i < n && spans.n < CALENDAR_SPANS_MAX; i++)
        if (calendar_read_span(hours[i], &spans.span[spans.n], &e) == 0)
            spans.n++;
    if (!spans.n)
        return NULL;
    struct calendar_plan plan = calendar_plan_daily(zone, &spans);
    if (calendar_new(&plan, now_ms, &c, &e) < 0) {
        log_event(LOG_ERROR, "quiet_hours_unusable", "why=\"%s\"", e.text);
        return NULL;
    }
    return c;
}

static struct shop *shop_of(struct quiet *q, struct span name)
{
    struct shop *s = map_get(&q->shops, name);
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        s->name = xmemdup0(name.p, name.n);
        map_put(&q->shops, span_str(s->name), s);
    }
    return s;
}

static void on_zone(void *ctx, struct span shop, const char *zone)
{
    shop_of(ctx, shop)->zone = zone;
}

/* The spans of all shops where they are elsewhere: one calendar for each zone. */
static void read_zones(struct quiet *q, const struct conf *conf, int64_t now_ms)
{
    struct map made = {0};
    size_t pos = 0;
    struct span name;
    for (void *v; map_next(&q->shops, &pos, &name, &v);) {
        struct shop *s = v;
        struct span zone = span_str(s->zone);
        struct calendar *c = map_get(&made, zone);
        if (!c && (c = make(s->zone, conf->reminders.quiet.hours, conf->reminders.quiet.n_hours, now_ms)))
            map_put(&made, zone, c);
        s->calendar = c ? calendar_ref(c) : NULL;
    }
    pos = 0;
    for (void *v; map_next(&made, &pos, &name, &v);)
        calendar_unref(&(struct calendar *){v});
    map_fini(&made);
}

struct quiet *quiet_new(const struct conf *conf, const struct directory *d, int64_t now_ms)
{
    struct quiet *q = xcalloc(1, sizeof(*q));
    const char *zone = conf->reminders.quiet.time_zone;
    q->calendar = make(zone, conf->reminders.quiet.hours, conf->reminders.quiet.n_hours, now_ms);
    if (d)
        directory_each_own_zone(d, on_zone, q);
    read_zones(q, conf, now_ms);
    for (size_t i = 0; i < conf->reminders.quiet.n_shops; i++) {
        const struct conf_quiet_shop *own = &conf->reminders.quiet.shop[i];
        struct shop *s = shop_of(q, span_str(own->shop));
        calendar_unref(&s->calendar);
        s->calendar = make(s->zone ? s->zone : zone, own->hours, own->n_hours, now_ms);
    }
    return q;
}

void quiet_free(struct quiet **qp)
{
    struct quiet *q = *qp;
    size_t pos = 0;
    struct span name;
    *qp = NULL;
    if (!q)
        return;
    for (void *v; map_next(&q->shops, &pos, &name, &v);) {
        struct shop *s = v;
        calendar_unref(&s->calendar);
        free(s->name);
        free(s);
    }
    map_fini(&q->shops);
    calendar_unref(&q->calendar);
    free(q);
}

int64_t quiet_until_ms(const struct quiet *q, struct span shop, int64_t now_ms)
{
    const struct shop *s = map_get(&q->shops, shop);
    const struct calendar *c = s ? s->calendar : q->calendar;
    if (!c || !calendar_is_open(c, now_ms))
        return 0;
    int64_t end = calendar_next_close(c, now_ms);
    return end == INT64_MAX ? 0 : end;
}
