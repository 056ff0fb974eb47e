/* Reminders: asks each shard every half second which are due, claims them, shows them to agents who have a session on
 * this node, and records what came of it (docs/redis.md, "Reminders"). Control thread only. */
#pragma once

#include "track/redis.h"
#include "track/track.h"

struct reminder;

struct reminder_options {
    struct loop *loop;
    struct redis *redis;     /* must be freed before the reminder: it ends what is in flight */
    const struct conf *conf; /* read at start, like the directory; reminder_reconfigure for a reload */
    const struct directory *directory;
    const char *node_id; /* copied */
    unsigned n_shards;
    track_notify_fn notify;
    track_has_agent_fn has_agent;
    void *ctx;
};

/* Call before the first loop turn (it registers its scripts with the link). */
struct reminder *reminder_start(const struct reminder_options *o);
void reminder_reconfigure(struct reminder *r, const struct conf *conf, const struct directory *directory);
/* Steps that this node recorded, those that it handed to an agent's client, and how often quiet hours held one. */
void reminder_get_counts(const struct reminder *r, uint64_t *raised, uint64_t *delivered, uint64_t *held);
/* Stops and frees. NULL is fine. */
void reminder_stop(struct reminder **r);

enum { REMINDER_TEXT_MAX = 400, REMINDER_DURATION_MAX = 64, REMINDER_NAME_MAX = 98 };
/* "5 分钟"; what is below zero is 0. */
void reminder_duration(int64_t ms, char out[REMINDER_DURATION_MAX]);
/* " id", or nothing when the id is no text that can be shown. */
void reminder_name(struct span id, char out[REMINDER_NAME_MAX]);
/* What an agent is told. `kind`: unanswered, stale_case, cold_case, review_chat, review_call, follow_up, commitment;
 * `ref`: case id, or due time in decimal. Customers whose id is no valid UTF-8 are not named. */
void reminder_text(struct span kind, struct span customer, struct span ref, int64_t since_ms, int64_t now_ms,
                   char out[REMINDER_TEXT_MAX]);
