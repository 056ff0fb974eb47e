/* One measurement of one target: agents connect, messages run for a while, everything is counted, agents leave. */
#pragma once

#include "base/hist.h"
#include "bench_target.h"
#include "bench_text.h"

enum { SIZES_MAX = 16 };

struct load_plan {
    long conns;
    double rate;   /* messages a second over all agents; open loop */
    long convs;    /* conversations that {c} goes through */
    long first_id; /* number of the first message's id; 0: drawn anew for each run */
    long closed;   /* > 0: closed loop with so many messages outstanding per agent, the rate is not used */
    double warm_s, secs, drain_s;
    const char *message; /* template */
    struct texts texts, hits;
    double hit_rate; /* share of the messages that take their text from `hits` */
    size_t size[SIZES_MAX], n_sizes;
};

struct slot_result {
    struct hist latency_ns; /* measured messages that came back */
    struct hist refused_ns; /* those that were answered by a refusal instead */
    uint64_t due;           /* measured messages that were to be sent */
    uint64_t sent, answered, refused, lost, doubled, disordered, unsent;
    uint64_t stray;            /* frames without one of our ids */
    uint64_t late;             /* sent more than 1 ms after they were due: this program was the bottleneck */
    uint64_t ended;            /* connections that ended before their time */
    double rate;               /* answers a second while measuring */
    double cpu_ns_per_message; /* < 0: no processes were named */
    char refusal[400];         /* the first refusal as it came, or "" */
    char trouble[200];         /* the first thing that went wrong, or "" */
};

/* 0, or -1 when agents could not connect (`trouble` says why). `label` is shown while it runs. */
int slot_run(struct common *c, const struct target *t, const struct load_plan *plan, const char *label,
             struct slot_result *r);
