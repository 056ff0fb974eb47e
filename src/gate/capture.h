/* Capturing messages with their verdicts for `chatgate replay` (docs/replay.md). Off by default. Workers put a record
 * into a bounded queue of their own and never wait; one thread makes JSON Lines of it, masks, and writes files.
 *
 *   worker 0 ──▶ queue 0 ──┐
 *   worker 1 ──▶ queue 1 ──┴─ by number ─▶ writer thread: mask, JSON ─▶ DIR/capture-NODE-TIME.jsonl               */
#pragma once

#include "base/span.h"
#include "conf/conf.h"
#include "rule/set.h"

struct capture;

/* One message and what was decided about it. Everything is copied. */
struct capture_item {
    int64_t at_ms; /* the time by which it was judged */
    enum direction dir;
    struct span agent, conv;
    struct rule_who who; /* team, shop, role, facts */
    const struct span *text;
    size_t n_texts;
    bool is_edit;
    const struct verdict *verdict; /* what the rules said; NULL: they were not asked */
    enum action action;            /* outgoing with a verdict */
    bool has_cause;
    enum cause cause;          /* why it was decided without the rules, or against them */
    const char *mode;          /* the operator's, when it is not enforce; else NULL */
    const char *rules_version; /* 16 characters */
};

enum { CAPTURE_TEXT_MAX = 64 * 1024, CAPTURE_QUEUE_BYTES = 1 << 20 };

struct capture *capture_new(const char *node_id, unsigned n_workers);
/* Writes what is queued, then ends the thread. After the workers have ended. */
void capture_free(struct capture **c);
/* Takes over the settings, also while it runs. Control thread. */
void capture_configure(struct capture *c, const struct conf *conf);

/* Is this conversation captured? Any thread. */
bool capture_wants(const struct capture *c, struct span conv);
/* Queues a message; false: it is left out, since the queue is full or the texts are longer than CAPTURE_TEXT_MAX. Own
 * worker's thread. */
bool capture_add(struct capture *c, unsigned worker, const struct capture_item *item);

/* Lines written, and lines that could not be written. Any thread. */
struct capture_state {
    bool is_on;
    uint64_t written, failed;
};
struct capture_state capture_get_state(const struct capture *c);
