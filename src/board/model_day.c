/* Days and hours of the dashboard: in the zone of board.yaml, else in that of the gateways, else in the system's. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/civil.h"
#include "board/model.h"

static bool is_zone_theirs(const struct model *m)
{
    return !m->set->timezone && m->zone.zone;
}

int64_t model_offset_ms(const struct model *m, int64_t at_ms)
{
    time_t t = at_ms / 1000;
    struct tm tm;
    if (is_zone_theirs(m))
        return zone_offset_ms(m->zone.zone, at_ms);
    localtime_r(&t, &tm);
    return tm.tm_gmtoff * 1000;
}

const char *model_zone_name(const struct model *m, char out[SETTINGS_ZONE_MAX])
{
    if (!is_zone_theirs(m))
        return settings_zone_name(m->set, out);
    snprintf(out, SETTINGS_ZONE_MAX, "%s", strpbrk(m->zone.name, "+-") == m->zone.name ? "" : m->zone.name);
    return out;
}

static int64_t midnight_ms(const struct model *m, int64_t now_ms, int days_ago)
{
    if (is_zone_theirs(m)) {
        int64_t day = civil_floor(now_ms + zone_offset_ms(m->zone.zone, now_ms), DAY_MS) - days_ago;
        return zone_utc_ms(m->zone.zone, day * DAY_MS);
    }
    time_t t = now_ms / 1000;
    struct tm tm;
    localtime_r(&t, &tm);
    tm.tm_mday -= days_ago;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm) * 1000;
}

int64_t model_day_start(const struct model *m, unsigned days_ago)
{
    return midnight_ms(m, m->redis_now_ms, (int)days_ago);
}

unsigned model_hours_today(const struct model *m)
{
    int64_t hours = m->redis_now_ms / HOUR_MS - m->day_start_ms / HOUR_MS + 1;
    return hours < 0 ? 0 : (unsigned)MIN_OF(hours, DAY_HOURS_MAX);
}

unsigned model_hour_slot(const struct model *m, unsigned hour_of_day)
{
    return (unsigned)((m->day_start_ms / HOUR_MS + hour_of_day) % DAY_HOURS_MAX);
}
