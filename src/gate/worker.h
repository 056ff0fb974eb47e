/* A worker: one thread, one loop, its listeners and sessions, and the scratch memory that every message reuses. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "gate/counters.h"
#include "gate/node.h"
#include "gate/snapshot.h"
#include "net/listen.h"
#include "net/loop.h"
#include "proto/xmpp_stream.h"
#include "track/ring.h"

struct gate;
struct session;
struct judged;
struct hold_task;
struct capture_mask;

enum { READ_BYTES = 64 * 1024 };

struct worker {
    struct gate *gate;
    unsigned index;
    pthread_t thread;
    struct loop *loop;
    struct snapshot *snap; /* current; replaced between turns */
    struct listener **listener;
    size_t n_listeners;
    struct ring *ring; /* NULL: nothing is tracked */
    struct timer *sweep;
    unsigned sweep_part;
    struct timer *reaper;
    int64_t now_ms; /* monotonic (clock_tick_ms), as of the last sweep (eight a second) or read */

    struct session *first; /* all live sessions */
    struct session *dead;  /* ended in this turn, freed by the reaper */
    struct session **slot; /* by session number; NULL: free */
    uint32_t *generation;
    uint32_t n_slots, free_hint;
    atomic_uint n_sessions;
    bool is_draining;
    int64_t drain_until_ms;

    /* scratch */
    uint8_t *rbuf;      /* READ_BYTES */
    struct buf plain;   /* an unmasked payload */
    struct buf wire;    /* bytes being made */
    struct buf words;   /* notice text being made */
    struct buf emitted; /* a spliced payload */
    struct buf notes;   /* unsent.c: messages of this turn, of session notes_of */
    struct session *notes_of;
    struct profile_scratch *pscratch;
    struct xmpp_pool xmpp_pool;
    struct rule_scratch *rscratch;
    struct capture_mask *mask; /* for excerpts and transcripts */
    struct verdict verdict;
    struct window window;
    struct directory_agent who; /* the agent of the message at hand; inspect_fill_event looks it up */
    struct arena lasting;       /* what lives as long as the worker */
    struct arena arena;         /* texts of the message being judged */
    struct judged *judged;      /* UNITS_MAX */
    struct span approved;       /* id of the held message that is being sent; empty: none */
    struct counters count;
};

/* Makes the worker with its scratch memory; listeners are added with worker_listen before or after it runs. */
struct worker *worker_new(struct gate *g, unsigned index, struct snapshot *snap, struct ring *ring);
/* Takes over a listening socket for entry `i` of the snapshot. Before the thread starts. */
void worker_listen(struct worker *w, size_t entry, int fd);
void worker_start(struct worker *w);
/* After its loop was stopped: ends all sessions, joins and frees. */
void worker_free(struct worker **w);

/* --- from other threads --- */
void worker_post_snapshot(struct worker *w, struct snapshot *snap);
/* Stop accepting; end sessions spread over `ms`. */
void worker_post_drain(struct worker *w, int64_t ms);
/* Show a notice in a session's chat, if it is still there and can show it. */
void worker_post_notice(struct worker *w, uint64_t session, struct span conv, struct span text);
/* Does what the decision on a held message asks for (hold.c); the task is the worker's then. */
void worker_post_hold(struct worker *w, struct hold_task *task);

/* --- own thread --- */
uint64_t worker_put_session(struct worker *w, struct session *s);
struct session *worker_get_session(struct worker *w, uint64_t id);
/* Takes it off the lists; it is freed at the end of the turn. */
void worker_bury_session(struct worker *w, struct session *s, uint64_t id);
