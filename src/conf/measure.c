#include "conf/measure.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/calendar.h"
#include "conf/conf.h"

enum { SECOND_MS = 1000, FIELDS = 8, FIELD_CHARS = 24 };

static const char *const units[] = {
#define X(id, name) [id] = name,
    MEASURE_UNITS(X)
#undef X
};
static const char *const stoppers[] = {
#define X(id, name) [id] = name,
    MEASURE_STOPPERS(X)
#undef X
};
static const char *const bys[] = {
#define X(id, name) [id] = name,
    MEASURE_BYS(X)
#undef X
};
static const int64_t limits_s[] = {3, 30, 60, 180, 300};

const char *measure_unit_name(enum measure_unit u)
{
    return units[u];
}

const char *measure_stopper_name(enum measure_stopper s)
{
    return stoppers[s];
}

const char *measure_by_name(enum measure_by b)
{
    return bys[b];
}

static int read_window(const char *text, struct measure *m, struct err *e)
{
    struct calendar_span span;
    if (strcmp(text, "calendar") == 0) {
        m->from_ms = m->to_ms = -1;
        return 0;
    }
    if (calendar_read_span(text, &span, e) < 0)
        return -1;
    if (span.to > DAY_MS / MINUTE_MS)
        return err_set(e, "is \"%s\", must end by 24:00, or be calendar", text);
    m->from_ms = (int64_t)span.from * MINUTE_MS;
    m->to_ms = (int64_t)span.to * MINUTE_MS;
    return 0;
}

/* none, day, or a time. */
static int read_horizon(const char *text, struct measure *m, struct err *e)
{
    static const struct {
        char unit;
        int64_t ms;
    } known[] = {{'s', SECOND_MS}, {'m', MINUTE_MS}, {'h', HOUR_MS}, {'d', DAY_MS}};
    uint64_t n;
    size_t len = strlen(text);
    if (strcmp(text, "none") == 0) {
        m->horizon_ms = 0;
        return 0;
    }
    if (strcmp(text, "day") == 0) {
        m->horizon_ms = MEASURE_DAY;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (len > 1 && text[len - 1] == known[i].unit && span_u64(span_of(text, len - 1), &n) && n > 0 &&
            n <= (uint64_t)(7 * DAY_MS / known[i].ms)) {
            m->horizon_ms = (int64_t)n * known[i].ms;
            return 0;
        }
    }
    return err_set(e, "is \"%.40s\", must be none, day (midnight), or a time up to 7d", text);
}

/* NULL: none. */
static const struct preset *preset_of(const struct conf_tracking *t)
{
    return t->preset > 0 ? preset_nth((size_t)t->preset - 1) : NULL;
}

static bool is_given(const struct conf_tracking *t)
{
    return preset_of(t) || t->unit || t->session_gap_ms || t->window || t->window_by || t->horizon || t->within;
}

static void begin_with(const struct preset *p, struct measure *m)
{
    struct err e;
    snprintf(m->name, sizeof(m->name), "%s", p ? p->name : "custom");
    m->unit = p ? p->unit : UNIT_OF_ROUND;
    m->stopper = p ? p->stopper : STOPPER_HUMAN;
    m->by = p ? p->by : BY_START;
    m->horizon_ms = p ? p->horizon_ms : 0;
    m->session_gap_ms = p ? p->session_gap_ms : MEASURE_SESSION_MS;
    m->within_ms = p && p->limit >= 0 ? limits_s[p->limit] * SECOND_MS : p ? 0 : 180 * SECOND_MS;
    if (read_window(p ? p->window : "00:00-24:00", m, &e) < 0)
        m->to_ms = DAY_MS; /* a constant of preset.c: never */
}

int measure_make(const struct conf_tracking *t, struct measure *m, const char **key, struct err *e)
{
    *m = (struct measure){0};
    begin_with(preset_of(t), m);
    if (!is_given(t)) /* a stopper alone says who answers, not what is measured */
        m->name[0] = '\0';
    if (t->unit)
        m->unit = (enum measure_unit)(t->unit - 1);
    if (t->stopper)
        m->stopper = (enum measure_stopper)(t->stopper - 1);
    if (t->window_by)
        m->by = (enum measure_by)(t->window_by - 1);
    if (t->within)
        m->within_ms = t->within == 1 ? 0 : limits_s[t->within - 2] * SECOND_MS;
    *key = "tracking.session_gap";
    if (t->session_gap_ms && m->unit != UNIT_OF_SESSION)
        return err_set(e, "goes with the unit session, and the unit is %s", units[m->unit]);
    if (t->session_gap_ms)
        m->session_gap_ms = t->session_gap_ms;
    *key = "tracking.window";
    if (t->window && read_window(t->window, m, e) < 0)
        return -1;
    *key = "tracking.horizon";
    if (t->horizon && read_horizon(t->horizon, m, e) < 0)
        return -1;
    *key = "tracking.window_by";
    if (m->from_ms < 0 && m->by != BY_CLIP)
        return err_set(e,
                       "is %s, must be clip where window is calendar: of a shop's calendar only the open time "
                       "between two messages is known",
                       bys[m->by]);
    return 0;
}

const char *measure_text(const struct measure *m, char out[MEASURE_TEXT_MAX])
{
    char gap[FIELD_CHARS] = "";
    out[0] = '\0';
    if (m->unit == UNIT_OF_SESSION && m->session_gap_ms != MEASURE_SESSION_MS)
        snprintf(gap, sizeof(gap), "/%" PRId64, m->session_gap_ms);
    if (m->name[0])
        snprintf(out, MEASURE_TEXT_MAX, "%s %s%s %s %s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, m->name,
                 units[m->unit], gap, stoppers[m->stopper], bys[m->by], m->from_ms, m->to_ms, m->horizon_ms,
                 m->within_ms);
    return out;
}

const char *measure_counting(const struct conf_tracking *t, char out[MEASURE_COUNTING_MAX])
{
    char text[MEASURE_TEXT_MAX];
    measure_text(&t->measure, text);
    snprintf(out, MEASURE_COUNTING_MAX, "%s%s%s stopper=%s", t->zone ? t->zone : "UTC", *text ? " " : "", text,
             stoppers[t->measure.stopper]);
    return out;
}

static bool find_word(const char *const *words, size_t n, const char *text, unsigned *out)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], text) == 0) {
            *out = (unsigned)i;
            return true;
        }
    }
    return false;
}

/* Takes "/GAP_MS" off the unit. */
static bool read_gap(char *unit, struct measure *m)
{
    char *slash = strchr(unit, '/');
    uint64_t gap = MEASURE_SESSION_MS;
    if (slash && (!span_u64(span_str(slash + 1), &gap) || gap > 7 * (uint64_t)DAY_MS))
        return false;
    if (slash)
        *slash = '\0';
    m->session_gap_ms = (int64_t)gap;
    return true;
}

bool measure_read(struct span text, struct measure *m)
{
    char copy[MEASURE_TEXT_MAX], name[FIELD_CHARS], unit[FIELD_CHARS], stopper[FIELD_CHARS], by[FIELD_CHARS];
    unsigned u, s, b;
    *m = (struct measure){0};
    if (!text.n || text.n >= sizeof(copy))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (sscanf(copy, "%15s %23s %23s %23s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, name, unit, stopper, by,
               &m->from_ms, &m->to_ms, &m->horizon_ms, &m->within_ms) != FIELDS ||
        !read_gap(unit, m) || !find_word(units, ARRAY_LEN(units), unit, &u) ||
        !find_word(stoppers, ARRAY_LEN(stoppers), stopper, &s) || !find_word(bys, ARRAY_LEN(bys), by, &b))
        return false;
    snprintf(m->name, sizeof(m->name), "%s", name);
    m->unit = (enum measure_unit)u;
    m->stopper = (enum measure_stopper)s;
    m->by = (enum measure_by)b;
    return true;
}

static void write_window(const struct measure *m, char out[32])
{
    if (m->from_ms < 0)
        snprintf(out, 32, "in the shop's hours");
    else
        snprintf(out, 32, "%02d:%02d-%02d:%02d", (int)(m->from_ms / HOUR_MS), (int)(m->from_ms / MINUTE_MS % 60),
                 (int)(m->to_ms / HOUR_MS), (int)(m->to_ms / MINUTE_MS % 60));
}

const char *measure_words(const struct measure *m, char out[MEASURE_TEXT_MAX])
{
    static const char *const what[] = {[UNIT_OF_MESSAGE] = "messages",
                                       [UNIT_OF_ROUND] = "rounds",
                                       [UNIT_OF_SESSION] = "sessions",
                                       [UNIT_OF_DAY] = "customers by day"};
    static const char *const how[] = {[BY_START] = "begun", [BY_TOUCH] = "begun or answered", [BY_CLIP] = "open time"};
    char window[32], within[32] = "", horizon[40] = "", gap[40] = "";
    write_window(m, window);
    if (m->within_ms)
        snprintf(within, sizeof(within), ", answered within %d s", (int)(m->within_ms / SECOND_MS));
    if (m->horizon_ms)
        snprintf(horizon, sizeof(horizon), m->horizon_ms < 0 ? ", unanswered at midnight" : ", unanswered after %d s",
                 (int)(m->horizon_ms / SECOND_MS));
    if (m->unit == UNIT_OF_SESSION)
        snprintf(gap, sizeof(gap), " behind %d min of silence", (int)(m->session_gap_ms / MINUTE_MS));
    snprintf(out, MEASURE_TEXT_MAX, "%s%s, %s %s%s%s", what[m->unit], gap, how[m->by], window, within, horizon);
    return out;
}

int measure_limit(const struct measure *m)
{
    for (size_t i = 0; i < ARRAY_LEN(limits_s); i++)
        if (m->within_ms == limits_s[i] * SECOND_MS)
            return (int)i;
    return -1;
}

bool measure_is_reply(const struct measure *m, struct span role)
{
    if (span_is(role, "bot"))
        return m->stopper == STOPPER_ANY;
    return !span_is(role, "assistant") || m->stopper != STOPPER_HUMAN;
}
