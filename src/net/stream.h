/* A buffered client connection for everything that is not the data path (Redis, webhooks): connect with a time-out,
 * read and write buffers, optional TLS. Callbacks run in the loop's thread and may close the stream. */
#pragma once

#include "base/buf.h"
#include "net/loop.h"

struct stream;
struct tls_client; /* net/tls.h */

struct stream_handlers {
    void (*on_open)(void *ctx);                   /* connected (and handshaken) */
    size_t (*on_data)(void *ctx, struct span in); /* returns how many bytes were consumed; the rest comes again */
    void (*on_end)(void *ctx, const char *why);   /* refused, timed out, or ended by the peer; no call follows */
};

struct stream_options {
    const char *host; /* numeric address, name, or a path starting with '/' for a Unix socket */
    uint16_t port;
    int64_t connect_timeout_ms;
    struct tls_client *tls;  /* NULL: plain */
    const char *server_name; /* TLS: name to verify */
};

/* Starts connecting; never calls back before it returns. NULL only when the options are unusable. */
struct stream *stream_open(struct loop *l, const struct stream_options *o, const struct stream_handlers *h, void *ctx,
                           struct err *e);
/* Queues bytes. The caller bounds what is in flight: stream_pending tells. */
void stream_write(struct stream *s, const void *p, size_t n);
size_t stream_pending(const struct stream *s);
/* Closes at once, no callback any more; sets the pointer to NULL. Allowed in a callback. */
void stream_close(struct stream **s);
