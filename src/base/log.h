/* One event per line on standard error: `level event key=value …`. Chat text, tokens and passwords never go here;
 * bytes that a peer sent are escaped with log_esc. Thread-safe: one write per line. */
#pragma once

#include "base/span.h"

#define LOG_LEVELS(X)                                                                                                  \
    X(LOG_ERROR, "error") /* a human must act */                                                                       \
    X(LOG_WARN, "warn")   /* trouble of our own, handled */                                                            \
    X(LOG_INFO, "info")   /* a session ended, rules loaded, … */                                                     \
    X(LOG_DEBUG, "debug") /* trace, off by default */

enum log_level {
#define X(id, name) id,
    LOG_LEVELS(X)
#undef X
};

/* Lines below this level are dropped. May be called at any time from any thread. */
void log_set_level(enum log_level level);
/* False when the name is none of LOG_LEVELS. */
bool log_level_from_name(const char *name, enum log_level *out);
bool log_wants(enum log_level level);

/* `event` is the line's first word after the level; fmt gives "key=value key=value". */
void log_event(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As log_event, but the same event is written at most once a second; the next line says how many were left out. */
struct log_limit {
    int64_t last_ms;
    unsigned suppressed;
};
void log_event_limited(struct log_limit *limit, enum log_level level, const char *event, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

enum { LOG_ESC_MAX = 128 };
enum { LOG_TEXT_MAX = 1024 };
/* A text of ours that may quote, for use between quotation marks: these and backslashes get a backslash, control
 * characters become a blank. */
const char *log_text(const char *s, char out[LOG_TEXT_MAX]);

/* Peer bytes made harmless: printable ASCII stays, the rest becomes \xHH, cut with "…" marked as "..". */
const char *log_esc(struct span s, char out[LOG_ESC_MAX]);
