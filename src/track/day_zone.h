/* Where the days of figures begin (`tracking.zone`), as the scripts take it: "NAME OFFSET_MS", local time being UTC
 * plus the offset; and " BEFORE_MS SINCE_MS" behind it when the clock was changed within the last 8 days. */
#pragma once

#include "base/zone.h"

enum { DAY_ZONE_TEXT = 128 };

struct day_zone {
    char name[64];
    struct zone *zone;
    int64_t from_ms, to_ms; /* the text holds in [from, to) */
    char text[DAY_ZONE_TEXT];
};

/* Another zone; an unknown one (which the configuration's check refuses) counts as UTC. */
void day_zone_set(struct day_zone *z, const char *name);
void day_zone_fini(struct day_zone *z);
/* As it is at that moment; valid until the next call. */
const char *day_zone_text(struct day_zone *z, int64_t now_ms);
