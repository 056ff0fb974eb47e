/* One HTTP POST to a webhook's receiver: name look-up, allowed addresses only, TLS, one answer. Control thread; never
 * blocks. No redirect is followed. */
#pragma once

#include "conf/conf_url.h"
#include "net/addr.h"
#include "net/loop.h"
#include "net/tls.h"

struct webhook_post;

/* status 0: no answer came, `why` says it (a literal or valid during the call). Else the answer's status, the first
 * bytes of its body, and what Retry-After asks for (0: nothing). */
struct webhook_answer {
    int status;
    struct span body;
    int64_t retry_after_ms;
    const char *why;
};
typedef void (*webhook_post_fn)(void *ctx, const struct webhook_answer *answer);

struct webhook_post_options {
    struct loop *loop;
    const struct conf_url *url;      /* copied */
    struct tls_client *tls;          /* for https */
    const struct conf_cidr *network; /* private networks that are allowed; must outlive the post */
    size_t n_networks;
    int64_t timeout_ms; /* for everything together */
    unsigned turn;      /* which of several addresses goes first */
};

enum { WEBHOOK_REQUEST_MAX = 64 << 10, WEBHOOK_ANSWER_MAX = 64 << 10 };

/* `headers`: complete lines besides Host, Content-Length, Connection. Both are copied. fn is called once, never before
 * this returns. */
struct webhook_post *webhook_post_start(const struct webhook_post_options *o, struct span headers, struct span body,
                                        webhook_post_fn fn, void *ctx);
/* fn is not called any more. Needless inside of fn and behind it. NULL is fine. */
void webhook_post_cancel(struct webhook_post **p);
/* Is it none of the private, local and reserved networks? */
bool webhook_is_public(const struct addr *a);
