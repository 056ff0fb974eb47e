/* Shops whose days begin elsewhere than in the zone of the deployment (`tracking.zone`): those that name a calendar of
 * their own in the directory, in another zone. As the scripts take it, lines "ZONE\tSHOP\tSHOP\t…\n", each zone as in
 * day_zone.h; "-": there are none. */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "conf/conf.h"
#include "conf/directory.h"
#include "track/day_zone.h"

struct shop_zones {
    struct map by_name; /* zone name to struct shop_zone */
    struct buf text;
    int64_t from_ms, to_ms; /* the text holds in [from, to) */
    char main[DAY_ZONE_TEXT];
    bool has_quarters;
    uint64_t version; /* another one: the text changed. Never 0 */
};

/* What the directory says from now on (NULL: nothing); nothing of it is kept. */
void shop_zones_set(struct shop_zones *z, const struct directory *d);
void shop_zones_fini(struct shop_zones *z);
/* As it is at that moment, beside the deployment's zone (a text of day_zone.h): shops whose clocks show the same are
 * left out. Valid until the next call. */
struct span shop_zones_text(struct shop_zones *z, const char *main, int64_t now_ms);
/* Into how many parts days of all these zones and of the deployment's cut an hour: 1, or 4. As of the last text. */
unsigned shop_zones_parts(const struct shop_zones *z);

/* What is equal on gateways that count in the same way: measure_counting, and behind it a number of these shops, if
 * there are any. */
enum { SHOP_ZONES_COUNTING_MAX = MEASURE_COUNTING_MAX + 32 };
const char *shop_zones_counting(const struct conf_tracking *t, const struct directory *d,
                                char out[SHOP_ZONES_COUNTING_MAX]);

/* The zone of a shop in such a text, as in day_zone.h; empty: it is the deployment's. */
struct span shop_zones_find(struct span text, struct span shop);
