#include "track/reminder_quiet.h"

#include "base/calendar.h"
#include "base/log.h"
#include "base/xalloc.h"

struct shop {
    char *name;
    struct calendar *calendar; /* NULL: never quiet */
};

struct quiet {
    struct calendar *calendar;
    struct shop *shop;
    size_t n;
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

struct quiet *quiet_new(const struct conf *conf, int64_t now_ms)
{
    struct quiet *q = xcalloc(1, sizeof(*q));
    const char *zone = conf->reminders.quiet.time_zone;
    q->calendar = make(zone, conf->reminders.quiet.hours, conf->reminders.quiet.n_hours, now_ms);
    q->n = conf->reminders.quiet.n_shops;
    q->shop = xcalloc(q->n + 1, sizeof(*q->shop));
    for (size_t i = 0; i < q->n; i++) {
        const struct conf_quiet_shop *s = &conf->reminders.quiet.shop[i];
        q->shop[i] = (struct shop){xstrdup(s->shop), make(zone, s->hours, s->n_hours, now_ms)};
    }
    return q;
}

void quiet_free(struct quiet **qp)
{
    struct quiet *q = *qp;
    *qp = NULL;
    if (!q)
        return;
    for (size_t i = 0; i < q->n; i++) {
        calendar_unref(&q->shop[i].calendar);
        free(q->shop[i].name);
    }
    calendar_unref(&q->calendar);
    free(q->shop);
    free(q);
}

int64_t quiet_until_ms(const struct quiet *q, struct span shop, int64_t now_ms)
{
    const struct calendar *c = q->calendar;
    for (size_t i = 0; i < q->n; i++)
        if (span_is(shop, q->shop[i].name))
            c = q->shop[i].calendar;
    if (!c || !calendar_is_open(c, now_ms))
        return 0;
    int64_t end = calendar_next_close(c, now_ms);
    return end == INT64_MAX ? 0 : end;
}
