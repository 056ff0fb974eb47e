/* An event loop per thread (libevent): timers, descriptors, and messages from other threads. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct event_base;
struct loop;

struct loop *loop_new(void);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
/* Ends loop_run after the current turn. Any thread. */
void loop_stop(struct loop *l);
void loop_free(struct loop **l);
struct event_base *loop_base(struct loop *l);

typedef void (*loop_fn)(void *ctx);
/* Runs fn(ctx) once in that loop's thread, soon, in posting order. Any thread; the only way to talk to another loop. */
void loop_post(struct loop *l, loop_fn fn, void *ctx);
/* After loop_run has returned, in whatever thread: runs what was posted too late, so that nothing it owns is lost. */
void loop_run_posted(struct loop *l);

/* A timer; fires once after `ms` (again and again with is_periodic). Own thread only. */
struct timer;
struct timer *timer_new(struct loop *l, loop_fn fn, void *ctx);
void timer_start(struct timer *t, int64_t ms, bool is_periodic);
/* Fires once in this turn, after the callbacks that are due already. */
void timer_fire_soon(struct timer *t);
void timer_stop(struct timer *t);
void timer_free(struct timer **t);
