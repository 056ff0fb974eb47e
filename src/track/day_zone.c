#include "track/day_zone.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"

/* Figures of events older than this are not kept. */
#define LOOK_BACK_MS (8 * (int64_t)DAY_MS)

void day_zone_set(struct day_zone *z, const char *name)
{
    struct err e;
    if (z->zone && strcmp(z->name, name) == 0)
        return;
    day_zone_fini(z);
    snprintf(z->name, sizeof(z->name), "%s", name);
    if (zone_new(name, &z->zone, &e) < 0) {
        snprintf(z->name, sizeof(z->name), "UTC");
        z->zone = NULL;
    }
}

void day_zone_fini(struct day_zone *z)
{
    zone_free(&z->zone);
    *z = (struct day_zone){0};
}

static void write_text(struct day_zone *z, int64_t now_ms)
{
    int64_t now = z->zone ? zone_offset_ms(z->zone, now_ms) : 0;
    int64_t change = z->zone ? zone_next_change_ms(z->zone, now_ms - LOOK_BACK_MS) : INT64_MAX;
    int n = snprintf(z->text, sizeof(z->text), "%s %" PRId64, z->name, now);
    if (change <= now_ms) /* of several, the one before counts little: an hour of some days ago */
        snprintf(z->text + n, sizeof(z->text) - (size_t)n, " %" PRId64 " %" PRId64, zone_offset_ms(z->zone, change - 1),
                 change);
}

const char *day_zone_text(struct day_zone *z, int64_t now_ms)
{
    if (now_ms < z->from_ms || now_ms >= z->to_ms) {
        write_text(z, now_ms);
        z->from_ms = now_ms;
        z->to_ms = now_ms + HOUR_MS; /* changes of the clock come at full hours or halves of them */
        int64_t next = z->zone ? zone_next_change_ms(z->zone, now_ms) : INT64_MAX;
        z->to_ms = next < z->to_ms ? next : z->to_ms;
    }
    return z->text;
}

int64_t day_zone_day(struct span text, int64_t at_ms)
{
    char copy[DAY_ZONE_TEXT];
    long long offset = 0, before = 0, since = INT64_MIN;
    snprintf(copy, sizeof(copy), "%.*s", (int)MIN_OF(text.n, sizeof(copy) - 1), (const char *)text.p);
    const char *space = strchr(copy, ' ');
    if (space && sscanf(space, "%lld %lld %lld", &offset, &before, &since) == 3 && at_ms < since)
        offset = before;
    return civil_floor(at_ms + offset, DAY_MS);
}

bool day_zone_read_name(struct span text, char out[64])
{
    const uint8_t *space = text.n ? memchr(text.p, ' ', text.n) : NULL;
    size_t n = space ? (size_t)(space - text.p) : 0;
    if (!n || n >= 64)
        return false;
    memcpy(out, text.p, n);
    out[n] = '\0';
    return true;
}
