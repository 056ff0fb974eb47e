#include "rule/when.h"

#include "rule/calendar.h"

enum { DAY_MINUTES = 24 * 60 };

static bool has_fact(const struct rule_who *w, const char *fact)
{
    for (size_t i = 0; i < w->n_facts; i++)
        if (strcmp(w->facts[i], fact) == 0)
            return true;
    return false;
}

static bool is_in_spans(const struct calendar_hours *h, int minute)
{
    for (size_t i = 0; i < h->n; i++) {
        const struct calendar_span *s = &h->span[i];
        bool is_today = s->from <= minute && minute < s->to, is_since_yesterday = minute + DAY_MINUTES < s->to;
        if (is_today || is_since_yesterday)
            return true;
    }
    return false;
}

static bool holds_at(const struct rule_when *w, bool is_open, int minute)
{
    switch (w->hours) {
    case HOURS_ANY:
        return true;
    case HOURS_OPEN:
        return is_open;
    case HOURS_CLOSED:
        return !is_open;
    case HOURS_SPANS:
        return is_in_spans(&w->spans, minute);
    }
    return true;
}

static bool is_usual_minute(int minute)
{
    return minute >= OPEN_HOUR * 60 && minute < CLOSE_HOUR * 60;
}

bool when_holds(const struct rule_when *w, const struct rule_who *who, int64_t now_ms)
{
    for (size_t i = 0; i < w->facts.n; i++)
        if (!has_fact(who, w->facts.name[i]))
            return false;
    for (size_t i = 0; i < w->absent.n; i++)
        if (has_fact(who, w->absent.name[i]))
            return false;
    if (w->hours == HOURS_ANY)
        return true;
    const struct calendar *c = who->calendar;
    int64_t local = c ? calendar_local_ms(c, now_ms) : now_ms + ZONE_MS;
    int minute = (int)((local - calendar_day_of(local) * DAY_MS) / MINUTE_MS);
    return holds_at(w, c ? calendar_is_open(c, now_ms) : is_usual_minute(minute), minute);
}

int when_minute(const struct rule_when *w, int otherwise)
{
    for (int i = 0; i < DAY_MINUTES; i++) {
        int minute = (otherwise + i) % DAY_MINUTES;
        if (holds_at(w, is_usual_minute(minute), minute))
            return minute;
    }
    return otherwise;
}
