/* Between the files of upstream.h (inside of src/net): its servers, how they are checked (upstream.c), and where they
 * are (upstream_names.c). Control thread only, unless said otherwise. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "net/resolve.h"
#include "net/upstream.h"

struct server {
    struct conf_addr conf;
    char *tls_name;
    struct addr list[RESOLVE_ADDRS_MAX]; /* of its name; the one in use is list[at]. Guarded by upstream.lock */
    size_t n_list, at;
    atomic_bool has_addr, is_up;
    atomic_uint sessions;
    atomic_uint_fast64_t failures;
    atomic_uint failed_in_a_row;
    unsigned good_in_a_row; /* control thread */
    struct event *check;    /* a check in progress; NULL: none */
    int check_fd;
    struct resolve *look_up; /* of its name; NULL: none under way */
    int64_t looked_up_ms;    /* monotonic */
    struct upstream *owner;
};

struct upstream {
    char *name;
    atomic_uint refs;
    pthread_mutex_t lock;
    struct server *server;
    size_t n;
    struct tls_client *tls;
    int64_t interval_ms, timeout_ms;
    unsigned fall, rise;
    struct loop *loop;
    struct timer *round;
};

/* An address that no name server is needed for; -1 and err: the path of a Unix socket does not fit. */
int upstream_set_plain_addr(struct server *s, struct err *e);
/* The next of its name's addresses, if it has several. */
void upstream_try_next_addr(struct server *s);
/* Names may move to another address: looked up again while a server is down, and now and then. The answer is for the
 * next check. */
void upstream_look_again(struct server *s);
/* Tries to connect, unless a check is under way or no address is known. */
void upstream_check(struct server *s);
/* Told in the log when it changes. Any thread. */
void upstream_set_up(struct server *s, bool up, const char *why);
/* Down after `fall` of them in a row. Any thread. */
void upstream_note_failure(struct server *s, const char *why);
