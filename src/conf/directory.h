/* Who is who (`directory:`): agents by id or pattern to team, shop, role, time zone; shops to facts, platform and
 * calendar.
 * Immutable and reference-counted; docs/configuration.md has the format. */
#pragma once

#include <stdbool.h>

#include "base/calendar.h"
#include "base/err.h"
#include "base/span.h"

struct directory;

struct directory_agent {
    struct span team, shop, role; /* empty when not given */
    struct span time_zone;        /* IANA name, empty when not given */
    struct span platform;         /* of the shop */
    const char *const *facts;     /* of the shop: "name" or "name=value" */
    size_t n_facts;
    const struct calendar *calendar; /* of the shop, else the one named "default"; NULL: there is none */
    bool is_listed;
};

/* Ids and patterns in the file. */
size_t directory_count(const struct directory *d);

/* Loads the file (NULL: an empty directory that lists nobody). */
int directory_load(const char *path, struct directory **out, struct err_list *errs) MUST_CHECK;
struct directory *directory_ref(struct directory *d);
void directory_unref(struct directory **d);
/* What is known of an agent: the exact id first, then the patterns (`*` and `?`) in file order. Spans live as long as
 * d. */
struct directory_agent directory_find(const struct directory *d, struct span agent);
/* Calls fn for each shop that names a calendar of its own, with that calendar's time zone; in any order. */
typedef void (*directory_zone_fn)(void *ctx, struct span shop, const char *zone);
void directory_each_own_zone(const struct directory *d, directory_zone_fn fn, void *ctx);
/* Calls fn for each fact of each shop, platform and locale among them; in any order. */
typedef void (*directory_fact_fn)(void *ctx, struct span shop, const char *fact);
void directory_each_fact(const struct directory *d, directory_fact_fn fn, void *ctx);
