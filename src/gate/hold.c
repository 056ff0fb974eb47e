#include "gate/hold.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "gate/gate.h"
#include "gate/inspect.h"
#include "gate/policy.h"
#include "gate/xmpp.h"

enum { ROUTE_MAX = 160, VIA_MAX = 160, SHOWN_MAX = 60 };

/* --- holding --- */

static struct span kept(struct worker *w, struct span t)
{
    return span_of(arena_strdup(&w->arena, t), t.n);
}

/* "PROFILE:SOCKET": who understands the bytes. */
static const char *write_route(const struct session *s, char out[ROUTE_MAX])
{
    snprintf(out, ROUTE_MAX, "%s:%d", profile_name(s->entry->profile), s->ws ? s->ws->pc.ws : 0);
    return out;
}

/* "NODE/START/WORKER/SESSION" */
static const char *write_via(const struct session *s, char out[VIA_MAX])
{
    const struct gate *g = s->w->gate;
    snprintf(out, VIA_MAX, "%s/%" PRIx64 "/%u/%" PRIx64, g->node_id, (uint64_t)g->started_ms, s->w->index, s->id);
    return out;
}

static void give_up(struct session *s, struct judged *j)
{
    if (inspect_fail(s, j, CAUSE_HOLD_IMPOSSIBLE))
        return;
    j->action = ACTION_PASS;
    j->event.action = ACTION_PASS;
    j->refused = false;
    j->reason = span_str("");
}

static bool can_hold(const struct session *s)
{
    return s->w->gate->track && s->w->ring && session_agent(s).n;
}

static void fill(struct session *s, const struct unit *u, struct span raw, struct judged *j)
{
    static const char waits[] = "（已提交审批，批准后将自动发送。）";
    struct worker *w = s->w;
    char route[ROUTE_MAX], via[VIA_MAX];
    struct buf text = {0};
    for (size_t i = 0; i < u->n_texts && text.len <= EVENT_HELD_TEXT_MAX; i++) {
        if (i)
            buf_append(&text, "\n", 1);
        buf_append_span(&text, u->text[i]);
    }
    if (!raw.n || raw.n > EVENT_HELD_RAW_MAX || !text.len || text.len > EVENT_HELD_TEXT_MAX) {
        give_up(s, j);
        buf_fini(&text);
        return;
    }
    const struct conf *c = w->snap->conf;
    j->event.held_raw = raw;
    j->event.held_text = kept(w, buf_span(&text));
    j->event.held_route = kept(w, span_str(write_route(s, route)));
    j->event.held_via = kept(w, span_str(write_via(s, via)));
    j->event.held_ttl_ms = c->hold.ttl_ms;
    j->event.held_is_sent_at_end = c->hold.is_sent_on_expiry;
    buf_reset(&text);
    buf_append_span(&text, j->reason);
    buf_append_str(&text, waits);
    j->reason = kept(w, buf_span(&text));
    buf_fini(&text);
}

/* The payload that carries unit i and nothing else. Empty: there is none, since what else the message carries would be
 * sent twice. */
static struct span alone(struct session *s, struct span payload, const struct unit *units, size_t n, size_t i)
{
    struct worker *w = s->w;
    struct unit_fate fates[UNITS_MAX];
    unsigned dropped;
    for (size_t k = 0; k < n; k++)
        fates[k] = (struct unit_fate){.drop = true};
    buf_reset(&w->emitted);
    if (profile_emit(w->pscratch, payload, units, n, fates, &w->emitted, &dropped) != EMIT_NOTHING)
        return span_of("", 0);
    if (n == 1)
        return payload;
    fates[i].drop = false;
    if (profile_emit(w->pscratch, payload, units, n, fates, &w->emitted, &dropped) != EMIT_BYTES)
        return span_of("", 0);
    return kept(w, buf_span(&w->emitted));
}

void hold_unit(struct session *s, struct span payload, const struct unit *units, size_t n, size_t i)
{
    struct judged *j = &s->w->judged[i];
    fill(s, &units[i], can_hold(s) ? alone(s, payload, units, n, i) : span_of("", 0), j);
}

void hold_stanza(struct session *s, const struct xmpp_item *item, const struct unit *u)
{
    /* with stream management the server counts what is sent later: that must be possible */
    bool is_possible = can_hold(s) && xmpp_sm_can_add_out(s);
    fill(s, u, is_possible ? item->raw : span_of("", 0), &s->w->judged[0]);
}

/* --- deciding --- */

struct hold_task {
    struct gate *gate;
    bool is_send, is_second; /* second: the session it came from is gone */
    uint64_t session;
    char *id, *fence, *state, *agent, *conv, *route, *raw, *text, *why;
    size_t raw_len;
    enum held_outcome outcome;
    char reason[200];
};

static char *copy(struct span s)
{
    return xmemdup0(s.p, s.n);
}

static void task_free(struct hold_task *t)
{
    char *all[] = {t->id, t->fence, t->state, t->agent, t->conv, t->route, t->raw, t->text, t->why};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        free(all[i]);
    free(t);
}

static void on_outcome(void *arg)
{
    struct hold_task *t = arg;
    if (t->gate->track)
        track_held_done(t->gate->track, span_str(t->id), t->fence, t->outcome, span_str(t->reason));
    task_free(t);
}

/* Any thread. */
static void finish(struct hold_task *t, enum held_outcome outcome, const char *reason)
{
    t->outcome = outcome;
    snprintf(t->reason, sizeof(t->reason), "%s", reason);
    loop_post(t->gate->loop, on_outcome, t);
}

static bool find_origin(const struct gate *g, struct span via, struct seat *out)
{
    char prefix[VIA_MAX];
    unsigned worker;
    uint64_t session;
    int n = snprintf(prefix, sizeof(prefix), "%s/%" PRIx64 "/", g->node_id, (uint64_t)g->started_ms);
    if (n >= (int)sizeof(prefix) || !span_starts(via, span_str(prefix)) ||
        sscanf((const char *)via.p + n, "%u/%" SCNx64, &worker, &session) != 2 || worker >= g->n_workers)
        return false;
    *out = (struct seat){worker, session};
    return true;
}

static void send_on(struct hold_task *t, struct seat seat)
{
    t->session = seat.session;
    worker_post_hold(t->gate->worker[seat.worker], t);
}

void hold_take(struct gate *g, const struct held_item *item)
{
    struct hold_task *t = xcalloc(1, sizeof(*t));
    struct seat seat;
    char via[VIA_MAX];
    *t = (struct hold_task){.gate = g,
                            .is_send = item->is_send,
                            .id = copy(item->id),
                            .fence = copy(span_str(item->fence)),
                            .state = copy(item->state),
                            .agent = copy(item->agent),
                            .conv = copy(item->conv),
                            .route = copy(item->route),
                            .raw = copy(item->raw),
                            .raw_len = item->raw.n,
                            .text = copy(item->text),
                            .why = copy(item->why)};
    snprintf(via, sizeof(via), "%.*s", (int)MIN_OF(item->via.n, sizeof(via) - 1), (const char *)item->via.p);
    t->is_second = !find_origin(g, span_str(via), &seat);
    if (!t->is_second || node_seat_find(g->node, item->agent, &seat))
        send_on(t, seat);
    else
        finish(t, t->is_send ? HELD_BACK : HELD_UNTOLD, "no session");
}

/* The text as far as it helps to recognise it. */
static void append_shown(struct buf *b, const char *text)
{
    size_t n = utf8_valid_prefix(span_of(text, MIN_OF(strlen(text), (size_t)SHOWN_MAX)));
    buf_append_str(b, "「");
    for (size_t i = 0; i < n; i++)
        buf_append(b, (uint8_t)text[i] < 0x20 ? " " : text + i, 1);
    buf_append_str(b, n < strlen(text) ? "…」" : "」");
}

static void write_news(struct buf *b, const struct hold_task *t)
{
    static const struct {
        const char *state, *text;
    } news[] = {
        {"sending", "已获批准，已发送。"},
        {"refused", "未获批准，没有发送。"},
        {"expired", "审批超时，没有发送。"},
        {"unsent", "已获批准，但您当时不在线，没有发送。如仍需要，请重新发送。"},
        {"blocked", "已获批准，但按现行规则不能发送。"},
        {"uncertain", "已获批准，但无法确认是否已发送，请查看对话。"},
    };
    buf_append_str(b, "您提交审批的消息");
    append_shown(b, t->text);
    for (size_t i = 0; i < ARRAY_LEN(news); i++)
        if (strcmp(news[i].state, t->state) == 0)
            buf_append_str(b, news[i].text);
    if (strcmp(t->state, "refused") == 0 && *t->why) {
        buf_append_str(b, "原因：");
        buf_append_str(b, t->why);
    }
}

static bool is_open(const struct session *s)
{
    return s->xmpp && !s->ws ? s->state == SS_XMPP && !s->xmpp->waits : s->state == SS_WS && !s->ws->client_closed;
}

static void run_send(struct session *s, struct hold_task *t)
{
    struct span raw = span_of(t->raw, t->raw_len);
    char route[ROUTE_MAX];
    struct buf news = {0};
    if (!is_open(s) || !session_client_may_send(s) || s->backend.state != CONN_OPEN ||
        strcmp(write_route(s, route), t->route) != 0) {
        finish(t, HELD_BACK, "no session that can take it");
        return;
    }
    if (s->xmpp && !xmpp_sm_can_add_out(s)) {
        finish(t, HELD_BLOCKED, "the agent's session counts stanzas, and cannot take another one");
        return;
    }
    s->w->judged[0].action = ACTION_COUNT; /* changed when the message is looked at */
    s->w->approved = span_str(t->id);
    bool is_sent = s->ws ? ws_send_approved(s, raw) : xmpp_send_approved(s, raw);
    s->w->approved = span_of("", 0);
    const struct judged *j = &s->w->judged[0];
    bool was_judged = j->action != ACTION_COUNT;
    if (is_sent && was_judged) {
        write_news(&news, t);
        session_notice(s, span_str(t->conv), buf_span(&news));
        finish(t, HELD_SENT, "");
    } else {
        char why[160];
        snprintf(why, sizeof(why), "%.*s", (int)MIN_OF(j->rule.n, 150u), was_judged ? (const char *)j->rule.p : "");
        finish(t, HELD_BLOCKED, *why ? why : "it cannot be sent in the agent's session");
    }
    buf_fini(&news);
}

static void run_tell(struct session *s, struct hold_task *t)
{
    struct buf news = {0};
    write_news(&news, t);
    char route[ROUTE_MAX];
    bool is_shown = is_open(s) && session_notice(s, span_str(t->conv), buf_span(&news));
    if (!is_shown && is_open(s) && s->ws && !s->xmpp && strcmp(write_route(s, route), t->route) == 0)
        is_shown = ws_refuse_again(s, span_of(t->raw, t->raw_len), buf_span(&news)); /* has no notices */
    buf_fini(&news);
    finish(t, is_shown ? HELD_TOLD : HELD_UNTOLD, "");
}

void hold_run(struct worker *w, struct hold_task *t)
{
    struct session *s = worker_get_session(w, t->session);
    struct seat seat;
    if (s && (!span_is(session_agent(s), t->agent) || !is_open(s)))
        s = NULL;
    if (!s && !t->is_second && node_seat_find(w->gate->node, span_str(t->agent), &seat)) {
        t->is_second = true;
        send_on(t, seat);
    } else if (!s) {
        finish(t, t->is_send ? HELD_BACK : HELD_UNTOLD, "no session");
    } else if (t->is_send) {
        run_send(s, t);
    } else {
        run_tell(s, t);
    }
}
