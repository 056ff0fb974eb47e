/* The figures of agents, teams or shops, as `chatgate agents` reads and prints them. */
#pragma once

#include "base/buf.h"
#include "base/hist.h"
#include "base/map.h"
#include "cli/cli_tracked.h"
#include "conf/measure.h"

enum { AGENTS_LIMITS = 5 };

struct replies {
    struct hist hist;
    int64_t within[AGENTS_LIMITS];
};

/* Or a team, or a shop; or a day or an hour of one of them. */
struct agent {
    char *name;
    int64_t number; /* of the day or hour since 1970; 0: of all that were asked for */
    struct replies first, next, first_open, next_open; /* _open: in business hours */
    struct replies measured;                           /* as the deployment measures, those that were answered … */
    int64_t unanswered;                                /* … and those that were not, in time */
    int64_t in, passed, blocked, held, rewritten, warned, refused, kept, broken, waiting;
    int64_t waits_since_ms; /* 0: nobody waits */
};

struct agents {
    struct map by_name;
    const char *only;
    int64_t now_ms;
    char scope; /* a agent, t team, s shop */
    const struct preset *preset;
    int64_t days; /* so many of each one's own; 0: hours */
    bool is_each; /* a row for each day or hour of `only` */
    int64_t measure_at_ms;
    struct measure measure; /* as the gateways measure; no name: they do not */
    struct buf zone, zones; /* of days, and of shops with days of their own (track/day_zone.h, shop_zones.h) */
    struct map today;       /* of agents or teams, where it is known */
};

struct wanted {
    char scope;
    int64_t days; /* 0: hours */
    bool is_business, want_rounds, is_each;
    const struct preset *preset;
};

/* Reads what is wanted of every agent (team, shop), with those who wait. -1: the error was printed. */
int agents_ask(struct tracked *t, struct agents *all, const struct wanted *w, int64_t hours) MUST_CHECK;
/* All of them sorted by number and name; given back to agents_fini, which frees the rest too. */
struct agent **agents_sorted(const struct agents *all, size_t *n);
void agents_fini(struct agents *all, struct agent **list, size_t n);

void agents_print_json(const struct agents *all, struct agent **list, size_t n);
void agents_print_table(const struct agents *all, struct agent **list, size_t n, bool is_business);
/* What a marketplace or desk looks at. */
void agents_print_preset(const struct agents *all, struct agent **list, size_t n);
/* By the deployment's own definition, behind an empty line; nothing where there is none. */
void agents_print_measured(const struct agents *all, struct agent **list, size_t n);
/* The newest rounds of one agent (team, shop), at most n. -1: the error was printed. */
int agents_print_rounds(struct tracked *t, char scope, const char *name, size_t n, bool want_json) MUST_CHECK;
