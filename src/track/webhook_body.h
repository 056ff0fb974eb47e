/* What is posted: the event as JSON for programs, as a line of Chinese for the robots of group chats, each with its own
 * signature (docs/reminders.md). */
#pragma once

#include "base/buf.h"
#include "conf/conf.h"

/* An event as the scripts keep it; `field` are name and value in turn. */
struct webhook_event {
    struct span id; /* of the delivery: the same at every try */
    struct span kind;
    int64_t at_ms, severity;
    bool is_urgent;
    struct span *field;
    size_t n_fields;
};

struct webhook_message {
    struct buf headers, body;
    char query[192]; /* to append to the URL's query, beginning with '&'; "" for most */
};

struct span webhook_field(const struct webhook_event *ev, const char *name);
/* How many events one message of this kind can tell: robots get several as one text, since they take few messages. */
enum { WEBHOOK_DIGEST_MAX = 8 };
size_t webhook_most_events(enum webhook_kind kind);
/* Fills the message in (buffers are appended to). `secret` may be empty: unsigned. now_ms: wall time. */
void webhook_write(enum webhook_kind kind, struct span secret, const struct webhook_event *ev, size_t n,
                   unsigned attempt, int64_t now_ms, struct webhook_message *out);
/* What people read: a line, or a numbered list. */
void webhook_text(const struct webhook_event *ev, size_t n, int64_t now_ms, struct buf *out);

enum webhook_outcome {
    WEBHOOK_TAKEN,
    WEBHOOK_FAILED,
    WEBHOOK_TOO_FAST, /* a robot says that it is sent to too often */
};
/* What the receiver's answer means: any 2xx, and of robots an error code of 0 in the body. `why` gets a short text. */
enum webhook_outcome webhook_judge(enum webhook_kind kind, int status, struct span body, char why[160]);
