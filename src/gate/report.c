/* What the operator sees: status as JSON, metrics as Prometheus text, readiness. */
#include "base/clock.h"
#include "base/metrics.h"
#include "gate/capture.h"
#include "gate/gate.h"

/* Sums the workers' counters. They are written by other threads while we read: each value is whole, the set is not. */
static void sum_counters(struct gate *g, struct counters *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (unsigned i = 0; i < g->n_workers; i++) {
        const struct counters *c = &g->worker[i]->count;
#define X(field, name, help) sum->field += __atomic_load_n(&c->field, __ATOMIC_RELAXED);
        COUNTERS(X)
#undef X
        for (size_t k = 0; k < CAUSE_COUNT; k++)
            sum->cause[k] += __atomic_load_n(&c->cause[k], __ATOMIC_RELAXED);
        hist_merge(&sum->inspect_us, &c->inspect_us);
    }
}

bool gate_is_ready(struct gate *g, const char **why)
{
    if (g->is_draining) {
        *why = "draining";
        return false;
    }
    for (size_t i = 0; i < g->snap->n_upstreams; i++) {
        if (!upstream_is_any_up(g->snap->upstream[i])) {
            *why = "no server of an upstream is up";
            return false;
        }
    }
    return true;
}

static void kv_int(struct json_out *j, const char *key, int64_t v)
{
    json_key(j, key);
    json_int(j, v);
}

static void kv_str(struct json_out *j, const char *key, const char *v)
{
    json_key(j, key);
    json_str(j, v);
}

static void kv_time(struct json_out *j, const char *key, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_MAX];
    json_key(j, key);
    if (wall_ms)
        json_str(j, clock_rfc3339_ms(wall_ms, text));
    else
        json_null(j);
}

static void status_upstreams(struct gate *g, struct json_out *j)
{
    json_key(j, "upstreams");
    json_arr(j);
    for (size_t i = 0; i < g->snap->n_upstreams; i++) {
        const struct upstream *u = g->snap->upstream[i];
        for (size_t k = 0; k < upstream_count(u); k++) {
            struct upstream_state st = upstream_get_state(u, k);
            json_obj(j);
            kv_str(j, "upstream", upstream_name(u));
            kv_str(j, "server", st.server);
            json_key(j, "up");
            json_bool(j, st.is_up);
            kv_int(j, "sessions", st.sessions);
            kv_int(j, "failures", (int64_t)st.failures);
            json_obj_end(j);
        }
    }
    json_arr_end(j);
}

static void status_tracking(struct gate *g, struct json_out *j)
{
    json_key(j, "tracking");
    if (!g->track) {
        json_null(j);
        return;
    }
    struct track_state t;
    track_get_state(g->track, &t);
    json_obj(j);
    json_key(j, "redis_connected");
    json_bool(j, t.is_connected);
    kv_str(j, "redis_error", t.last_error);
    kv_int(j, "events_pumped", (int64_t)t.events_pumped);
    kv_int(j, "events_duplicate", (int64_t)t.events_dup);
    kv_int(j, "events_lost", (int64_t)t.events_lost);
    kv_int(j, "gaps", (int64_t)t.gaps);
    kv_int(j, "unsent_bytes", (int64_t)t.unsent_bytes);
    kv_int(j, "ring_bytes", (int64_t)t.ring_bytes);
    kv_int(j, "oldest_unsent_ms", (int64_t)t.oldest_unsent_ms);
    kv_int(j, "clock_offset_ms", t.redis_clock_offset_ms);
    kv_int(j, "reminders_raised", (int64_t)t.reminders_raised);
    kv_int(j, "held_open", (int64_t)t.held.open);
    kv_int(j, "reminders_delivered", (int64_t)t.reminders_delivered);
    json_obj_end(j);
}

static void status_webhooks(struct gate *g, struct json_out *j)
{
    const struct webhook *w = g->track ? track_webhooks(g->track) : NULL;
    json_key(j, "webhooks");
    json_arr(j);
    for (size_t i = 0; w && i < webhook_count(w); i++) {
        struct webhook_state st;
        webhook_get_state(w, i, &st);
        json_obj(j);
        kv_str(j, "target", st.name);
        kv_str(j, "kind", st.kind);
        kv_str(j, "host", st.host);
        json_key(j, "usable");
        json_bool(j, st.is_usable);
        kv_int(j, "sent", (int64_t)st.count.sent);
        kv_int(j, "failed", (int64_t)st.count.failed);
        kv_int(j, "gave_up", (int64_t)st.count.gave_up);
        kv_int(j, "closed_ms", st.closed_ms);
        kv_str(j, "closed_why", st.closed_why);
        kv_str(j, "last_error", st.last_error);
        json_obj_end(j);
    }
    json_arr_end(j);
}

static void status_capture(struct gate *g, struct json_out *j)
{
    struct capture_state c = capture_get_state(g->capture);
    json_key(j, "capture");
    json_obj(j);
    json_key(j, "enabled");
    json_bool(j, c.is_on);
    kv_int(j, "written", (int64_t)c.written);
    kv_int(j, "failed", (int64_t)c.failed);
    json_obj_end(j);
}

static void status_rules(struct gate *g, struct json_out *j)
{
    json_key(j, "rules");
    json_obj(j);
    kv_int(j, "count", (int64_t)ruleset_count(g->snap->rules));
    kv_str(j, "version", ruleset_version(g->snap->rules));
    kv_time(j, "loaded", g->snap->loaded_ms);
    kv_int(j, "reloads", (int64_t)g->reloads);
    kv_int(j, "reloads_failed", (int64_t)g->reloads_failed);
    kv_time(j, "last_reload", g->last_reload_ms);
    kv_str(j, "last_reload_error", g->last_reload_error);
    json_obj_end(j);
}

void gate_report_status(struct gate *g, struct json_out *j)
{
    static struct counters sum; /* control thread only */
    sum_counters(g, &sum);
    const char *why = "";
    json_obj(j);
    kv_str(j, "version", CHATGATE_VERSION);
    kv_str(j, "node", g->node_id);
    kv_str(j, "config", g->conf_path);
    kv_time(j, "started", g->started_ms);
    kv_str(j, "mode", mode_name(g->mode));
    kv_time(j, "mode_until", g->mode_until_ms);
    json_key(j, "ready");
    json_bool(j, gate_is_ready(g, &why));
    kv_str(j, "not_ready_why", why);
    kv_int(j, "workers", g->n_workers);
    kv_int(j, "sessions", atomic_load(&g->connections));
    kv_int(j, "agents", (int64_t)node_agents(g->node));
    status_rules(g, j);
    json_key(j, "counters");
    json_obj(j);
#define X(field, name, help) kv_int(j, name, (int64_t)sum.field);
    COUNTERS(X)
#undef X
    json_obj_end(j);
    json_key(j, "causes");
    json_obj(j);
    for (size_t k = 0; k < CAUSE_COUNT; k++)
        kv_int(j, cause_name((enum cause)k), (int64_t)sum.cause[k]);
    json_obj_end(j);
    status_upstreams(g, j);
    status_tracking(g, j);
    status_webhooks(g, j);
    status_capture(g, j);
    json_obj_end(j);
}

/* --- metrics --- */

static void gauge(struct buf *out, const char *name, const char *help, double v)
{
    metrics_family(out, name, "gauge", help);
    metrics_value(out, name, NULL, 0, v);
}

static void counter(struct buf *out, const char *name, const char *help, double v)
{
    metrics_family(out, name, "counter", help);
    metrics_value(out, name, NULL, 0, v);
}

static void metrics_counters(const struct counters *sum, struct buf *out)
{
#define X(field, name, help) counter(out, name, help, (double)sum->field);
    COUNTERS(X)
#undef X
    metrics_family(out, "failure_causes_total", "counter", "Messages that met a failure cause, by cause");
    for (size_t k = 0; k < CAUSE_COUNT; k++) {
        struct metrics_label l = {"cause", span_str(cause_name((enum cause)k))};
        metrics_value(out, "failure_causes_total", &l, 1, (double)sum->cause[k]);
    }
    static const uint64_t bounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20000};
    metrics_family(out, "inspect_seconds", "histogram", "Time to judge one outgoing message");
    metrics_histogram(out, "inspect_seconds", NULL, 0, &sum->inspect_us, bounds, ARRAY_LEN(bounds), 1e-6);
}

static void metrics_upstreams(struct gate *g, struct buf *out)
{
    static const struct {
        const char *name, *type, *help;
    } family[] = {{"upstream_up", "gauge", "1 when the server passes its health checks"},
                  {"upstream_sessions", "gauge", "Sessions on this server"},
                  {"upstream_failures_total", "counter", "Failed checks and connects of this server"}};
    for (size_t f = 0; f < ARRAY_LEN(family); f++) {
        metrics_family(out, family[f].name, family[f].type, family[f].help);
        for (size_t i = 0; i < g->snap->n_upstreams; i++) {
            const struct upstream *u = g->snap->upstream[i];
            for (size_t k = 0; k < upstream_count(u); k++) {
                struct upstream_state st = upstream_get_state(u, k);
                struct metrics_label l[2] = {{"upstream", span_str(upstream_name(u))}, {"server", span_str(st.server)}};
                double v = f == 0 ? st.is_up : f == 1 ? (double)st.sessions : (double)st.failures;
                metrics_value(out, family[f].name, l, 2, v);
            }
        }
    }
}

static void metrics_tracking(struct gate *g, struct buf *out)
{
    struct track_state t = {0};
    if (g->track)
        track_get_state(g->track, &t);
    gauge(out, "redis_connected", "1 when the link to Redis is up", t.is_connected);
    counter(out, "events_pumped_total", "Events that Redis confirmed", (double)t.events_pumped);
    counter(out, "events_duplicate_total", "Events that Redis had already", (double)t.events_dup);
    counter(out, "event_gaps_total", "Gap events written", (double)t.gaps);
    counter(out, "redis_reconnects_total", "Connections made to Redis", (double)t.reconnects);
    gauge(out, "ring_unsent_bytes", "Bytes of events that Redis has not confirmed", (double)t.unsent_bytes);
    gauge(out, "ring_capacity_bytes", "Bytes that the rings can hold", (double)t.ring_bytes);
    gauge(out, "ring_oldest_unsent_seconds", "Age of the oldest unconfirmed event",
          (double)t.oldest_unsent_ms / 1000.0);
    gauge(out, "redis_clock_offset_seconds", "Redis TIME minus the clock of this node",
          (double)t.redis_clock_offset_ms / 1000.0);
    gauge(out, "held_open", "Held messages without an end, in all of Redis", (double)t.held.open);
    counter(out, "seals_total", "Signed heads of transcripts that this node wrote", (double)t.sealer.seals);
    counter(out, "seals_failed_total", "Heads that could not be written, and are signed again",
            (double)t.sealer.failed);
    counter(out, "held_sent_total", "Held messages sent by this node after approval", (double)t.held.count[HELD_SENT]);
    counter(out, "held_blocked_total", "Approved messages that could not be sent by this node",
            (double)t.held.count[HELD_BLOCKED]);
    counter(out, "held_returned_total", "Approved messages given back by this node: no session could take them",
            (double)t.held.count[HELD_BACK]);
    counter(out, "held_told_total", "Ends of held messages that this node showed to agents",
            (double)t.held.count[HELD_TOLD]);
    counter(out, "reminders_raised_total", "Reminder steps that this node recorded", (double)t.reminders_raised);
    counter(out, "reminders_delivered_total", "Reminders shown in an agent's chat", (double)t.reminders_delivered);
    counter(out, "reminders_held_total", "Times that quiet hours held a reminder back", (double)t.reminders_held);
}

static void webhook_family(const struct webhook *w, struct buf *out, const char *name, const char *type,
                           const char *help, double (*value)(const struct webhook_state *st))
{
    metrics_family(out, name, type, help);
    for (size_t i = 0; w && i < webhook_count(w); i++) {
        struct webhook_state st;
        webhook_get_state(w, i, &st);
        struct metrics_label l = {"target", span_str(st.name)};
        metrics_value(out, name, &l, 1, value(&st));
    }
}

#define WEBHOOK_METRICS(X)                                                                                             \
    X(sent, "webhook_sent_total", "counter", "Deliveries that the receiver took", (double)st->count.sent)              \
    X(failed, "webhook_failed_total", "counter", "Tries that failed", (double)st->count.failed)                        \
    X(held, "webhook_held_total", "counter", "Deliveries put back for the rate limit or a broken circuit",             \
      (double)st->count.held)                                                                                          \
    X(gave_up, "webhook_given_up_total", "counter", "Deliveries given up after webhooks.retry_for",                    \
      (double)st->count.gave_up)                                                                                       \
    X(in_flight, "webhook_in_flight", "gauge", "Deliveries under way on this node", st->in_flight)                     \
    X(closed, "webhook_closed", "gauge", "1 while the target takes nothing", st->closed_ms > 0)                        \
    X(usable, "webhook_usable", "gauge", "0 when URL, secret or certificates cannot be used", st->is_usable)

#define X(id, name, type, help, value)                                                                                 \
    static double webhook_##id(const struct webhook_state *st)                                                         \
    {                                                                                                                  \
        return value;                                                                                                  \
    }
WEBHOOK_METRICS(X)
#undef X

static void metrics_webhooks(struct gate *g, struct buf *out)
{
    static const uint64_t bounds[] = {10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000};
    const struct webhook *w = g->track ? track_webhooks(g->track) : NULL;
#define X(id, name, type, help, value) webhook_family(w, out, name, type, help, webhook_##id);
    WEBHOOK_METRICS(X)
#undef X
    gauge(out, "webhook_waiting", "Deliveries that wait in Redis, of all gateways", w ? (double)webhook_waiting(w) : 0);
    metrics_family(out, "webhook_seconds", "histogram", "Time until the receiver took a delivery");
    for (size_t i = 0; w && i < webhook_count(w); i++) {
        struct webhook_state st;
        webhook_get_state(w, i, &st);
        struct metrics_label l = {"target", span_str(st.name)};
        metrics_histogram(out, "webhook_seconds", &l, 1, st.latency_ms, bounds, ARRAY_LEN(bounds), 1e-3);
    }
}

static void metrics_capture(struct gate *g, struct buf *out)
{
    struct capture_state c = capture_get_state(g->capture);
    gauge(out, "capture_enabled", "1 while messages are written to the capture files", c.is_on);
    counter(out, "capture_written_total", "Messages written to the capture files", (double)c.written);
    counter(out, "capture_failed_total", "Messages that could not be written to the capture files", (double)c.failed);
}

void gate_report_metrics(struct gate *g, struct buf *out)
{
    static struct counters sum; /* control thread only */
    sum_counters(g, &sum);
    struct metrics_label info[3] = {{"version", span_str(CHATGATE_VERSION)},
                                    {"rules_version", span_str(ruleset_version(g->snap->rules))},
                                    {"node", span_str(g->node_id)}};
    metrics_family(out, "info", "gauge", "Version, rule set and node as labels");
    metrics_value(out, "info", info, 3, 1);
    metrics_family(out, "mode", "gauge", "1 for the operator's mode in force");
    for (int m = MODE_ENFORCE; m <= MODE_BYPASS; m++) {
        struct metrics_label l = {"mode", span_str(mode_name((enum mode)m))};
        metrics_value(out, "mode", &l, 1, g->mode == m);
    }
    gauge(out, "sessions", "Client connections now", atomic_load(&g->connections));
    gauge(out, "agents", "Agents with a session on this node", (double)node_agents(g->node));
    gauge(out, "rules", "Rules in force", (double)ruleset_count(g->snap->rules));
    gauge(out, "rules_loaded_timestamp_seconds", "When the rules in force were loaded",
          (double)g->snap->loaded_ms / 1000.0);
    counter(out, "reloads_total", "Successful reloads", (double)g->reloads);
    counter(out, "reload_failures_total", "Reloads that changed nothing because of an error",
            (double)g->reloads_failed);
    metrics_counters(&sum, out);
    metrics_upstreams(g, out);
    metrics_tracking(g, out);
    metrics_webhooks(g, out);
    metrics_capture(g, out);
}
