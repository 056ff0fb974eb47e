/* Where the days of figures begin (`tracking.zone`), as the scripts take it: "NAME OFFSET_MS", local time being UTC
 * plus the offset; and " BEFORE_MS SINCE_MS" behind it when the clock was changed within the last 8 days. */
#pragma once

#include "base/span.h"
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
/* The number of the day since 1970 in which that moment lies, by such a text; one that is none counts as UTC. */
int64_t day_zone_day(struct span text, int64_t at_ms);
/* Its name, cut down to `out`; false when it is no such text. */
bool day_zone_read_name(struct span text, char out[64]) MUST_CHECK;
