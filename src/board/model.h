/* What the pages show, read from Redis once a second for all of them together, while anybody looks. */
#pragma once

#include "base/hist.h"
#include "base/map.h"
#include "board/nodes.h"
#include "board/settings.h"
#include "conf/measure.h"
#include "track/day_zone.h"
#include "track/redis.h"

/* What people think of verdicts: violation's id to "verdict\tat\twho\trole\trules\twhy", and "RULE|verdict" to a
 * number. */
#define FEEDBACK_GIVEN_KEY "cg:{feedback}:given"
#define FEEDBACK_RULES_KEY "cg:{feedback}:rules"

/* DAY_HOURS_MAX: of a day of 25 hours that does not begin at a full one. */
enum { DAY_HOURS_MAX = 26, AGENTS_MAX = 5000, WAITING_MOST = 500, LIMITS = 5, OWN_ZONES_MAX = 64 };

/* X(id, name): what a message became, or a promise; the names are those of the schema. */
#define COUNTS(X)                                                                                                      \
    X(COUNT_IN, "in")                                                                                                  \
    X(COUNT_PASS, "pass")                                                                                              \
    X(COUNT_WARN, "warn")                                                                                              \
    X(COUNT_REWRITE, "rewrite")                                                                                        \
    X(COUNT_HOLD, "hold")                                                                                              \
    X(COUNT_BLOCK, "block")                                                                                            \
    X(COUNT_REFUSED, "refused")                                                                                        \
    X(COUNT_KEPT, "promise_kept")                                                                                      \
    X(COUNT_BROKEN, "promise_broken")                                                                                  \
    X(COUNT_EXTENDED, "promise_extended")                                                                              \
    X(COUNT_UNANSWERED, "unanswered") /* units, as the deployment measures */

enum count {
#define X(id, name) id,
    COUNTS(X)
#undef X
        COUNT_KINDS
};
const char *count_name(enum count c);

struct replies {
    int64_t n, sum_ms, within[LIMITS]; /* 3, 30, 60, 180, 300 s */
};

struct figures {
    struct replies first, next, first_business, next_business; /* the latter: in business hours */
    struct replies measured;                                   /* as the deployment measures */
    int64_t count[COUNT_KINDS];
};
void figures_add(struct figures *to, const struct figures *more);

struct agent {
    char *id, *team, *shop, *node;
    int64_t on_ms, off_ms; /* last begin and end of a session; 0: none seen */
    int64_t open;          /* conversations */
    unsigned n_waiting;
    int64_t n_lost;                     /* their units that count as unanswered by now */
    int64_t longest_ms;                 /* the customer who waits longest waits since; 0: nobody */
    struct figures hour[DAY_HOURS_MAX]; /* by number of the hour since 1970 modulo their count */
    struct figures day;                 /* of the shop */
    unsigned zone;                      /* whose day that is: index of model.own */
    bool is_counted;                    /* figures were added since that was settled */
    uint32_t *bucket;                   /* HIST_BUCKETS counts of today's replies, or NULL: none yet */
    uint32_t *business;                 /* the same in business hours */
    uint64_t shown_hash;                /* of what the Now page shows */
    uint64_t changed_tick;              /* when that changed */
};

struct waiting {
    char *key; /* "shard:conversation", unique */
    char *conv, *cust, *agent, *team, *shop;
    int64_t since_ms, n, lost; /* lost: units that count as unanswered by now */
    unsigned shard;
    uint64_t changed_tick, seen_tick;
};

/* No longer waiting, or shown anew, in this tick. */
struct left {
    char *key, *team, *shop;
};

struct shard_reply {
    struct redis_reply *hour[DAY_HOURS_MAX], *open; /* what is counted in, so that it can be taken out again; hours as
                                                     * those of agents */
    int64_t cases_open, oldest_case_ms, held, hooks_waiting;
};

/* Where days begin; the first one is the desk's, the others those of shops with a calendar elsewhere. */
struct own_zone {
    struct day_zone day; /* unused of the first */
    int64_t start_ms;    /* of the day that it is there now */
};

struct model {
    struct loop *loop;
    struct redis *redis;
    const struct settings *set;
    struct redis_script *read, *extra, *move, *act, *held_read, *held_decide, *feedback, *remind_list, *remind_snooze,
        *hooks, *said;
    struct timer *timer;
    loop_fn publish; /* after every tick whose answers are all here */
    void *ctx;

    int64_t n_shards; /* 0: not known yet */
    bool is_empty;    /* Redis answered, and no gateway has been there yet */
    uint64_t tick, failed_ticks, calls;
    unsigned pending;
    bool is_fresh, was_complete;        /* was_complete: the last tick had no error */
    bool had_agents;                    /* figures are asked by agent, so agents come first */
    int64_t wanted_ms;                  /* monotonic: somebody looked last */
    int64_t complete_ms;                /* Redis time of the last complete tick, 0: never */
    int64_t day_start_ms, redis_now_ms; /* day_start_ms: of the desk's day */
    int64_t first_hour;                 /* since 1970, of those that are read */
    struct own_zone own[OWN_ZONES_MAX];
    unsigned n_own;
    struct buf zones; /* of shops, as Redis tells (track/shop_zones.h) */
    bool want_recount;
    struct measure measure; /* as the gateways measure; no name: they do not */
    int64_t measure_at_ms;  /* what told it is so old */
    struct day_zone zone;   /* of their days; no name: not known */
    unsigned sweep;         /* next closed hour and shard to read again */
    bool is_swept;          /* all hours of today were read */
    bool is_cut;            /* a shard has more waiting customers than are read */

    struct map agents, waiting;
    struct nodes nodes;
    struct left *left;
    size_t n_left, cap_left;
    struct shard_reply *shard;
    struct asked *asked; /* questions under way, and answers not yet too old */
    struct log_limit limit;
};

struct model *model_new(struct loop *l, struct redis *r, const struct settings *set, loop_fn publish, void *ctx);
/* Before the link is freed it must be told to end: call redis_free first. */
void model_free(struct model **m);
/* Somebody looks: reading goes on for the next 15 s, and begins at once if it was not going on. */
void model_want(struct model *m);
/* As above, from within the publishing: nothing begins. */
void model_keep(struct model *m);
/* A tick now, if none is running. */
void model_poke(struct model *m);
/* Local time is UTC plus this: by `timezone` of board.yaml, else by the gateways' zone, else by the system's. */
int64_t model_offset_ms(const struct model *m, int64_t at_ms);
/* The name of that zone; empty: it has none. */
const char *model_zone_name(const struct model *m, char out[SETTINGS_ZONE_MAX]);
/* Midnight so many days ago. */
int64_t model_day_start(const struct model *m, unsigned days_ago);
/* Hours of the desk's day so far, and where the figures of one of them stand in `hour` of agents and shards. */
unsigned model_hours_today(const struct model *m);
unsigned model_hour_slot(const struct model *m, unsigned hour_of_day);
/* The day of a zone (agent.zone) as [start, end). So many days ago counts from the desk's date; 0: the day that it is
 * there now, which may have another date, and has no end. */
int64_t model_zone_start(const struct model *m, unsigned zone, unsigned days_ago);
int64_t model_zone_end(const struct model *m, unsigned zone, unsigned days_ago);
/* Days since 1970 of that moment there. */
int64_t model_zone_date(const struct model *m, unsigned zone, int64_t at_ms);

/* One question at every shard, for requests. The same question within a second gets the same answers, so that many
 * pages cost no more than one; model_ask_forget makes the next one ask anew. fn gets the answers in shard order; it may
 * come before model_ask returns. False, and no call: Redis is not there, or too many requests wait. */
struct gather {
    unsigned n;
    const char *error; /* NULL: all shards answered */
    struct redis_reply **reply;
};
typedef void (*gather_fn)(void *ctx, const struct gather *g);
struct asked;
enum model_script { MODEL_READ, MODEL_EXTRA, MODEL_HELD, MODEL_REMIND }; /* read, board, held_read, remind_list .lua */
bool model_ask(struct model *m, gather_fn fn, void *ctx, enum model_script script, const char *question,
               const char *arg1, const char *arg2) MUST_CHECK;
void model_ask_forget(struct model *m);
/* After redis_free: forgets all answers. */
void model_ask_end(struct model *m);
/* Adds a row of the question `day` or `hour` to the agent's day. */
void model_add_day(struct agent *a, const struct redis_reply *row);
/* Adds "name:count,…" by the names of COUNTS. */
void model_read_counts(struct span text, int64_t out[COUNT_KINDS]);
/* Item `at` of a row as a number; 0 when it is none. */
int64_t row_int(const struct redis_reply *row, size_t at);
struct span row_text(const struct redis_reply *row, size_t at);
