/* The bench's event loop: epoll with waits in nanoseconds. One thread, level-triggered. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

/* Embedded in whoever owns the descriptor. */
struct source {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT as registered */
    void (*on_ready)(struct source *s, uint32_t ready);
};

struct loop;
struct loop *loop_new(void);
void loop_free(struct loop **l);
void loop_add(struct loop *l, struct source *s, uint32_t events);
/* Changes what is awaited; costs no system call when nothing changes. */
void loop_set(struct loop *l, struct source *s, uint32_t events);
/* Forgets and closes the descriptor. The source gets no further call and may be freed at once. */
void loop_remove(struct loop *l, struct source *s);
/* Waits for readiness until the monotonic time `until_ns` at the latest and calls back. */
void loop_turn(struct loop *l, int64_t until_ns);

int64_t now_ns(void);
/* Set by SIGINT and SIGTERM: every command ends soon, with what it has. */
bool loop_is_interrupted(void);
void loop_catch_signals(void);
