/* What the whole node knows, shared by its workers: which agent has sessions where, and per conversation the last texts
 * (for split messages) and the last warnings. Bounded, least recently used out; locks are striped and never held across
 * input or output. Not shared between nodes. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "rule/set.h"

struct node;

struct node *node_new(void);
void node_free(struct node **n);

/* --- agents with sessions here --- */

struct seat {
    unsigned worker;
    uint64_t session;
};
/* A session of this agent began / ended. */
void node_seat_add(struct node *n, struct span agent, struct seat seat);
void node_seat_remove(struct node *n, struct span agent, struct seat seat);
/* The newest session of an agent; false: none here. */
bool node_seat_find(struct node *n, struct span agent, struct seat *out);
size_t node_agents(struct node *n);

/* --- conversations --- */

enum { WINDOW_TEXT_MAX = 400 };

/* The last texts, copied out under the lock. */
struct window {
    size_t n;
    struct {
        int64_t at_ms;
        uint16_t len;
        struct window_note note;
        uint8_t text[WINDOW_TEXT_MAX];
    } item[WINDOW_MAX];
};
/* Fills `out` with at most `messages` texts not older than max_age_ms, oldest first. */
void node_window_get(struct node *n, struct span agent, struct span conv, int64_t now_ms, unsigned messages,
                     int64_t max_age_ms, struct window *out);
/* Remembers a delivered text (the last WINDOW_TEXT_MAX bytes of it, cut at a character) with what its verdict noted of
 * it, which it numbers; of a conversation at most `messages` are kept. */
void node_window_add(struct node *n, struct span agent, struct span conv, int64_t now_ms, struct span text,
                     const struct window_note *note, unsigned messages);
/* May this rule's warning be shown in this conversation (at most once every ten minutes)? Counts as shown when true. */
bool node_may_warn(struct node *n, struct span agent, struct span conv, int64_t now_ms, const char *rule_id);
