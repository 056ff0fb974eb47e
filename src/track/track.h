/* Tracking as the daemon sees it: rings in, Redis out, reminders back. All functions but ring_append are for the
 * control thread. Redis may be away at any time: nothing here blocks or fails because of it. */
#pragma once

#include "base/json_out.h"
#include "conf/conf.h"
#include "conf/directory.h"
#include "net/loop.h"
#include "track/held.h"
#include "track/ring.h"
#include "track/seal.h"
#include "track/webhook.h"

struct track;

/* A reminder for an agent who has a session on this node; text is what to show. Returns true when it was handed to the
 * agent's client (then it is recorded as delivered), false: no session here, the next channel is tried. Called on the
 * control thread. */
typedef bool (*track_notify_fn)(void *ctx, struct span agent, struct span conv, struct span text);
/* Is this agent connected to this node? Control thread. */
typedef bool (*track_has_agent_fn)(void *ctx, struct span agent);
/* What this node tells about itself in its heart-beat (track/beat.h). */
typedef void (*track_state_fn)(void *ctx, struct json_out *j);
typedef const char *(*track_rules_fn)(void *ctx, struct json_out *j);

struct track_options {
    const struct conf *conf; /* read at start, like the directory; track_reconfigure for a reload */
    const struct directory *directory;
    struct loop *loop; /* the control thread's */
    const char *node_id;
    track_notify_fn notify;
    track_has_agent_fn has_agent;
    track_state_fn state;
    track_rules_fn rules;
    held_fn held; /* a held message is to be sent, or told about, on this node; then track_held_done */
    void *ctx;
};

/* Opens n_workers rings, finds orphans, starts the pump and the reminder clock. NULL and err when the rings cannot be
 * opened (Redis being away is no error). */
struct track *track_start(const struct track_options *o, unsigned n_workers, struct err *e);
struct ring *track_ring(struct track *t, unsigned worker);
/* The node's state changed (mode, rules): the heart-beat says so now. */
void track_beat_now(struct track *t);
/* directory: whose shops have days of their own; nothing of it is kept. */
void track_reconfigure(struct track *t, const struct conf *conf, const struct directory *directory);
/* True when every record is confirmed by Redis. */
bool track_is_drained(const struct track *t);
/* State for status and metrics: link state, lag, unsent bytes, counters, clock offset, last error. */
struct track_state {
    bool is_connected;
    char last_error[200];
    uint64_t events_pumped, events_dup, events_lost, gaps, reconnects, scripts;
    uint64_t unsent_bytes, ring_bytes, oldest_unsent_ms;
    int64_t redis_clock_offset_ms;
    uint64_t reminders_raised, reminders_delivered, reminders_held;
    struct held_state held;
    struct sealer_state sealer;
};
void track_get_state(const struct track *t, struct track_state *out);
const struct webhook *track_webhooks(const struct track *t);
/* This node recorded a held message. Any thread. */
void track_expect_held(struct track *t);
void track_held_done(struct track *t, struct span id, const char *fence, enum held_outcome outcome, struct span why);
/* Stops pumping and closes the rings; unsent records stay in their files. */
void track_stop(struct track **t);
