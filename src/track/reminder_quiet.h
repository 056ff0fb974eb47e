/* Quiet hours: when reminders of a shop wait (base/calendar.h; open means quiet). */
#pragma once

#include "conf/conf.h"
#include "conf/directory.h"

struct quiet;

/* Spans and zone were checked when the configuration was read; a zone that cannot be loaded any more is logged and
 * leaves no quiet hours. Shops that name a calendar of their own in the directory (NULL: none) have them in its zone.
 * Nothing of either is kept. */
struct quiet *quiet_new(const struct conf *conf, const struct directory *d, int64_t now_ms);
void quiet_free(struct quiet **q);
/* When the quiet hours in which now_ms lies end; 0: they are not now. */
int64_t quiet_until_ms(const struct quiet *q, struct span shop, int64_t now_ms);
