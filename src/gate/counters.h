/* What a worker counts. Written by its own thread, read by the control thread for /metrics and status. */
#pragma once

#include "base/cause.h"
#include "base/hist.h"

/* X(field, metric name without prefix, help) */
#define COUNTERS(X)                                                                                                    \
    X(sessions, "sessions_total", "Client connections accepted")                                                       \
    X(sessions_refused, "sessions_refused_total", "Client connections refused by a limit")                             \
    X(http_requests, "http_requests_total", "HTTP requests read")                                                      \
    X(http_denied, "http_denied_total", "HTTP requests refused by a profile's route")                                  \
    X(http_bad, "http_bad_requests_total", "HTTP requests refused as malformed or ambiguous")                          \
    X(websockets, "websockets_total", "WebSocket sessions opened")                                                     \
    X(backend_failures, "backend_failures_total", "Backend connections that failed or broke")                          \
    X(protocol_errors, "protocol_errors_total", "WebSocket sessions closed for a protocol error of the client")        \
    X(out_pass, "messages_passed_total", "Outgoing messages delivered as they came")                                   \
    X(out_warn, "messages_warned_total", "Outgoing messages delivered with a warning to the agent")                    \
    X(out_rewrite, "messages_rewritten_total", "Outgoing messages delivered with edited spans")                        \
    X(out_hold, "messages_held_total", "Outgoing messages refused until somebody approves them")                       \
    X(out_block, "messages_blocked_total", "Outgoing messages refused")                                                \
    X(out_edits, "message_edits_total", "Outgoing edits and corrections among the messages")                           \
    X(in_messages, "messages_incoming_total", "Customer messages seen")                                                \
    X(in_cases, "cases_opened_by_rule_total", "Customer messages that opened a case")                                  \
    X(units_other, "units_other_total", "Frames that carry no message")                                                \
    X(observe_skipped, "observe_skipped_total", "Backend messages too large or broken to be observed")                 \
    X(notices, "notices_total", "Notices shown to agents in their chat")                                               \
    X(notices_uncounted, "notices_unshown_total", "Notices that an XMPP client's stream had no place for")             \
    X(xmpp_foreign_resumes, "xmpp_foreign_resumptions_total", "XMPP resumptions of another node's sessions, refused")  \
    X(events_lost, "events_lost_total", "Events that found the ring full")                                             \
    X(captured, "captured_total", "Messages queued for the capture files")                                             \
    X(capture_dropped, "capture_dropped_total", "Messages left out of the capture: queue full or text too long")       \
    X(throttled, "throttled_total", "Times a session was slowed down by a rate limit")                                 \
    X(bytes_out, "bytes_to_backend_total", "Bytes relayed to backends")                                                \
    X(bytes_in, "bytes_to_clients_total", "Bytes relayed to clients")

struct counters {
#define X(field, name, help) uint64_t field;
    COUNTERS(X)
#undef X
    uint64_t cause[CAUSE_COUNT];
    struct hist inspect_us; /* time spent judging one outgoing message */
};

/* By the one thread that owns the counter; a reader in another thread sees a whole number. As cheap as ++. */
static inline void counter_add(uint64_t *c, uint64_t n)
{
    __atomic_store_n(c, __atomic_load_n(c, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
