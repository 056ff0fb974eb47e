#include "gate/xmpp_sm.h"

#include <inttypes.h>

#include "base/rand.h"
#include "gate/gate.h"
#include "gate/xmpp.h"
#include "proto/xmpp_message.h"

#define NS_SM "urn:xmpp:sm:"

enum { ID_MAX = 4096, ASK_AFTER = 4 };

/* Servers keep a session some minutes; without a word of it, a day. */
static const int64_t resume_default_ms = 24ll * 3600 * 1000, resume_margin_ms = 60 * 1000;
static const char tag[] = "cgsm-";

void xmpp_sm_fini(struct xmpp_sm *sm)
{
    if (sm->ledger && sm->id.len)
        xmpp_ledger_leave(sm->ledger, buf_span(&sm->id), sm->owner, sm->is_over ? 0 : sm->resume_ms + resume_margin_ms);
    buf_fini(&sm->id);
    buf_fini(&sm->asked_id);
    buf_fini(&sm->asked_as);
}

bool xmpp_sm_is_counting(const struct xmpp_sm *sm)
{
    return sm->is_on || sm->asked;
}

static bool may_add(const struct session *s)
{
    return profile_xmpp(s->entry->profile)->counts_notices;
}

static bool read_h(const struct xmpp_dom *d, uint32_t node, uint32_t *h)
{
    uint64_t value;
    if (!span_u64(xmpp_attr(d, node, "h"), &value) || value > UINT32_MAX)
        return false;
    *h = (uint32_t)value;
    return true;
}

static bool cut_h(struct xmpp_cuts *cuts, const struct xmpp_item *item, uint32_t node, uint32_t h)
{
    char text[16];
    snprintf(text, sizeof(text), "%" PRIu32, h);
    return xmpp_cut_attr(cuts, item->dom, item->raw, node, "h", span_str(text));
}

/* --- ids --- */

static void make_id(struct session *s, struct span server_id, struct buf *out)
{
    buf_reset(out);
    buf_printf(out, "%s%s-", tag, xmpp_ledger_name(s->w->gate->xmpp_ledger));
    buf_append_span(out, server_id);
}

/* The server's id of a client's; an id that was not made here stays as it is. False: another node's. */
static bool read_id(struct session *s, struct span id, struct span *server_id, bool *is_ours)
{
    struct span name = span_str(xmpp_ledger_name(s->w->gate->xmpp_ledger)), rest = span_from(id, strlen(tag));
    *server_id = id;
    *is_ours = false;
    if (!span_starts(id, span_str(tag)))
        return true;
    *is_ours = span_starts(rest, name) && rest.n > name.n + 1 && rest.p[name.n] == '-';
    *server_id = span_from(rest, name.n + 1);
    return *is_ours;
}

/* --- client to server --- */

static bool take_resume(struct session *s, const struct xmpp_item *item, uint32_t node, struct xmpp_cuts *cuts)
{
    struct xmpp_sm *sm = &s->xmpp->sm;
    struct span id = xmpp_attr(item->dom, node, "previd"), server_id;
    uint32_t h = 0;
    bool is_ours;
    buf_reset(&sm->asked_id);
    if (!read_h(item->dom, node, &h) || id.n > ID_MAX)
        return true;
    if (!read_id(s, id, &server_id, &is_ours)) {
        char unknown[33];
        rand_hex32(unknown);
        counter_add(&s->w->count.xmpp_foreign_resumes, 1);
        return xmpp_cut_attr(cuts, item->dom, item->raw, node, "previd", span_str(unknown));
    }
    if (!is_ours)
        return true;
    struct xmpp_tally t;
    xmpp_ledger_read(s->w->gate->xmpp_ledger, server_id, &t);
    buf_append_span(&sm->asked_id, server_id);
    buf_reset(&sm->asked_as);
    buf_append_span(&sm->asked_as, id);
    sm->asked_h = h;
    return cut_h(cuts, item, node, xmpp_counts_lower(&t.in, h)) &&
           xmpp_cut_attr(cuts, item->dom, item->raw, node, "previd", server_id);
}

static void keep(struct xmpp_sm *sm)
{
    if (sm->id.len) /* without room it was never added to, and nothing is lost */
        (void)!xmpp_ledger_write(sm->ledger, buf_span(&sm->id), sm->owner, &sm->tally);
}

/* `c` and `sent`: of the direction that is acknowledged. */
static bool take_ack(struct session *s, const struct xmpp_item *item, uint32_t node, struct xmpp_cuts *cuts,
                     struct xmpp_counts *c, uint32_t sent)
{
    uint32_t h;
    if (!s->xmpp->sm.is_on || !read_h(item->dom, node, &h))
        return true;
    uint32_t lowered = xmpp_counts_lower(c, h), n = c->n;
    xmpp_counts_ack(c, h, sent);
    if (c->n != n)
        keep(&s->xmpp->sm);
    return lowered == h || cut_h(cuts, item, node, lowered);
}

bool xmpp_sm_out(struct session *s, const struct xmpp_item *item, struct xmpp_cuts *cuts)
{
    const struct xmpp_dom *d = item->dom;
    struct xmpp_sm *sm = &s->xmpp->sm;
    bool ok = true;
    for (uint32_t i = 0; ok && i < d->node[0].end; i++) {
        if (!span_starts(xmpp_ns(d, i), span_str(NS_SM)))
            continue;
        bool is_resume = span_is(xmpp_name(d, i), "resume");
        if (is_resume || span_is(xmpp_name(d, i), "enable")) {
            sm->asked++;
            sm->version = (char)xmpp_ns(d, i).p[xmpp_ns(d, i).n - 1];
        }
        if (is_resume)
            ok = take_resume(s, item, i, cuts);
        else if (span_is(xmpp_name(d, i), "a"))
            ok = take_ack(s, item, i, cuts, &sm->tally.in, sm->sent_in);
        else if (span_is(xmpp_name(d, i), "enable"))
            sm->sent_out = 0; /* the server counts from here on */
    }
    return ok;
}

/* --- server to client --- */

static void begin(struct session *s)
{
    struct xmpp_sm *sm = &s->xmpp->sm;
    sm->asked = 0; /* a login may ask for both a resumption and a new session: one was granted */
    sm->is_on = true;
    sm->ledger = s->w->gate->xmpp_ledger;
    sm->resume_ms = resume_default_ms;
}

static bool take_enabled(struct session *s, const struct xmpp_item *item, uint32_t node, struct xmpp_cuts *cuts)
{
    const struct xmpp_dom *d = item->dom;
    struct xmpp_sm *sm = &s->xmpp->sm;
    struct span id = xmpp_attr(d, node, "id"), resume = xmpp_attr(d, node, "resume");
    uint64_t max_s;
    bool ok = true;
    begin(s);
    sm->tally = (struct xmpp_tally){0};
    sm->sent_in = 0;
    if (span_u64(xmpp_attr(d, node, "max"), &max_s) && max_s && max_s < 7 * 24 * 3600)
        sm->resume_ms = (int64_t)max_s * 1000;
    if (xmpp_attr(d, node, "location").n) /* it would lead the client round the gateway */
        ok = xmpp_cut_attr(cuts, d, item->raw, node, "location", span_of(NULL, 0));
    sm->is_resumable = id.n && (span_is(resume, "true") || span_is(resume, "1"));
    if (!sm->is_resumable || id.n > ID_MAX || !may_add(s))
        return ok;
    buf_reset(&sm->id);
    buf_append_span(&sm->id, id);
    sm->owner = rand_u64() | 1;
    struct buf marked = {0};
    make_id(s, id, &marked);
    ok = ok && xmpp_cut_attr(cuts, d, item->raw, node, "id", buf_span(&marked));
    buf_fini(&marked);
    return ok;
}

static bool take_resumed(struct session *s, const struct xmpp_item *item, uint32_t node, struct xmpp_cuts *cuts)
{
    struct xmpp_sm *sm = &s->xmpp->sm;
    uint32_t h = 0;
    begin(s);
    sm->is_resumable = true;
    if (!sm->asked_id.len || !read_h(item->dom, node, &h))
        return true; /* an id that was not made here: nothing was added, nothing will be */
    buf_fini(&sm->id);
    sm->id = sm->asked_id;
    sm->asked_id = (struct buf){0};
    sm->owner = rand_u64() | 1;
    xmpp_ledger_claim(sm->ledger, buf_span(&sm->id), sm->owner, &sm->tally);
    uint32_t lowered = xmpp_counts_lower(&sm->tally.out, h);
    xmpp_counts_resume(&sm->tally.in, sm->asked_h);
    xmpp_counts_resume(&sm->tally.out, h);
    sm->sent_in = sm->asked_h;
    sm->sent_out = h;
    keep(sm);
    bool ok = lowered == h || cut_h(cuts, item, node, lowered);
    if (ok && xmpp_attr(item->dom, node, "previd").n)
        ok = xmpp_cut_attr(cuts, item->dom, item->raw, node, "previd", buf_span(&sm->asked_as));
    buf_fini(&sm->asked_as);
    return ok;
}

/* A server may say what it had before the session was lost. */
static bool take_failed(struct session *s, const struct xmpp_item *item, uint32_t node, struct xmpp_cuts *cuts)
{
    struct xmpp_sm *sm = &s->xmpp->sm;
    struct xmpp_tally t;
    uint32_t h;
    sm->asked -= sm->asked > 0;
    if (!sm->asked_id.len || !read_h(item->dom, node, &h))
        return true;
    xmpp_ledger_read(s->w->gate->xmpp_ledger, buf_span(&sm->asked_id), &t);
    buf_reset(&sm->asked_id);
    uint32_t lowered = xmpp_counts_lower(&t.out, h);
    return lowered == h || cut_h(cuts, item, node, lowered);
}

bool xmpp_sm_in(struct session *s, const struct xmpp_item *item, struct xmpp_cuts *cuts, bool *has_resumed)
{
    const struct xmpp_dom *d = item->dom;
    struct xmpp_sm *sm = &s->xmpp->sm;
    bool ok = true;
    *has_resumed = false;
    for (uint32_t i = 0; ok && i < d->node[0].end; i++) {
        struct span name = xmpp_name(d, i);
        if (!span_starts(xmpp_ns(d, i), span_str(NS_SM)))
            continue;
        if (span_is(name, "enabled")) {
            ok = take_enabled(s, item, i, cuts);
        } else if (span_is(name, "resumed")) {
            *has_resumed = true;
            ok = take_resumed(s, item, i, cuts);
        } else if (span_is(name, "failed")) {
            ok = take_failed(s, item, i, cuts);
        } else if (span_is(name, "a")) {
            ok = take_ack(s, item, i, cuts, &sm->tally.out, sm->sent_out);
        }
    }
    return ok;
}

void xmpp_sm_count_in(struct xmpp_sm *sm)
{
    sm->sent_in += sm->is_on;
}

void xmpp_sm_count_out(struct xmpp_sm *sm)
{
    sm->sent_out++; /* from <enable/> on, which sets it to 0; before that nobody looks at it */
}

/* Is it known which number an added stanza gets, and would a resumption not lose it? */
static bool is_known(const struct session *s)
{
    const struct xmpp_sm *sm = &s->xmpp->sm;
    return sm->is_on && !sm->asked && may_add(s) && (sm->id.len || !sm->is_resumable);
}

static bool add(struct session *s, bool to_server)
{
    struct xmpp_sm *sm = &s->xmpp->sm;
    if (!xmpp_sm_is_counting(sm))
        return true;
    struct xmpp_tally fresh = sm->tally;
    uint32_t *sent = to_server ? &sm->sent_out : &sm->sent_in;
    if (!is_known(s) || !xmpp_counts_add(to_server ? &fresh.out : &fresh.in, *sent + 1))
        return false;
    if (sm->id.len && !xmpp_ledger_write(sm->ledger, buf_span(&sm->id), sm->owner, &fresh))
        return false;
    sm->tally = fresh;
    (*sent)++;
    return true;
}

bool xmpp_sm_add_in(struct session *s)
{
    return add(s, false);
}

bool xmpp_sm_add_out(struct session *s)
{
    return add(s, true);
}

bool xmpp_sm_can_add_out(const struct session *s)
{
    const struct xmpp_sm *sm = &s->xmpp->sm;
    return !xmpp_sm_is_counting(sm) || (is_known(s) && sm->tally.out.n < XMPP_NOTES_MAX);
}

bool xmpp_sm_wants_ack(const struct xmpp_sm *sm)
{
    return sm->is_on && sm->tally.in.n >= ASK_AFTER;
}
