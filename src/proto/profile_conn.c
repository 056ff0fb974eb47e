#include "proto/profile_conn.h"

#include "base/xalloc.h"
#include "proto/profile_cond.h"
#include "proto/profile_sel.h"

enum { NAME_MAX_BYTES = 256 };

static bool is_socketio(const struct profile_conn *c)
{
    return c->profile->socket[c->ws].framing == FRAMING_SOCKETIO;
}

void profile_conn_init(struct profile_conn *c, const struct profile *p, int ws, struct span query)
{
    (void)query; /* what a socket requires of its query was checked by profile_route */
    *c = (struct profile_conn){.profile = p, .ws = ws};
    c->notice_ready = p->notice.via == NOTICE_INLINE && !p->notice.needs_sub.is_set && !is_socketio(c);
}

void profile_conn_fini(struct profile_conn *c)
{
    struct conn_ext *x = c->ext;
    if (x)
        free(x->sent);
    free(x);
    buf_fini(&c->uid);
    buf_fini(&c->name);
    buf_fini(&c->ask_corr);
    *c = (struct profile_conn){0};
}

struct conn_ext *conn_ext(struct profile_conn *c)
{
    if (!c->ext)
        c->ext = xcalloc(1, sizeof(struct conn_ext));
    return c->ext;
}

static void update_notice_ready(struct profile_conn *c)
{
    const struct conn_ext *x = c->ext;
    const struct profile *p = c->profile;
    c->notice_ready = p->notice.via == NOTICE_INLINE && (!p->notice.needs_sub.is_set || (x && x->has_sub)) &&
                      (!is_socketio(c) || (x && x->is_connected));
}

static void set_id(struct buf *out, struct profile_scratch *s, struct place at)
{
    struct span text =
        at.layer && place_kind(at) <= JSON_STRING && place_kind(at) != JSON_NULL ? place_text(s, at) : span_of("", 0);
    buf_set(out, text.n <= NAME_MAX_BYTES ? text : span_of("", 0));
}

/* A call that takes over the id of the login must not have its result taken for the login's. */
static void learn_reuse(struct profile_scratch *s, struct layer *root)
{
    struct profile_conn *c = s->conn;
    if (!c->asked || !s->profile->identity.ask_corr.n)
        return;
    struct place corr = sel_first(s, &s->profile->identity.ask_corr, root);
    if (corr.layer && place_kind(corr) <= JSON_STRING && span_eq(place_text(s, corr), buf_span(&c->ask_corr)))
        c->asked = false;
}

static void learn_ask(struct profile_scratch *s, struct layer *root)
{
    const struct profile *p = s->profile;
    if (!p->identity.ask.is_set)
        return;
    if (!cond_all(s, &p->identity.ask, root)) {
        learn_reuse(s, root);
        return;
    }
    s->conn->asked = true;
    set_id(&s->conn->ask_corr, s, sel_first(s, &p->identity.ask_corr, root));
}

static void learn_ok(struct profile_scratch *s, struct layer *root)
{
    const struct profile *p = s->profile;
    struct profile_conn *c = s->conn;
    if (!p->identity.ok.is_set || (p->identity.ask.is_set && !c->asked) || !cond_all(s, &p->identity.ok, root))
        return;
    if (p->identity.corr.n) {
        struct place corr = sel_first(s, &p->identity.corr, root);
        if (!corr.layer || place_kind(corr) > JSON_STRING || !span_eq(place_text(s, corr), buf_span(&c->ask_corr)))
            return;
    }
    struct place uid = sel_first(s, &p->identity.uid, root);
    if (!uid.layer)
        return;
    set_id(&c->uid, s, uid);
    set_id(&c->name, s, sel_first(s, &p->identity.name, root));
    c->asked = false;
}

static void learn_sub(struct profile_scratch *s, struct layer *root)
{
    const struct conds *needs = &s->profile->notice.needs_sub;
    if (!needs->is_set || s->conn->notice_ready || !cond_all(s, needs, root))
        return;
    conn_ext(s->conn)->has_sub = true;
    update_notice_ready(s->conn);
}

void conn_learn(struct profile_scratch *s, enum profile_dir dir, struct layer *root)
{
    if (dir == C2S) {
        learn_ask(s, root);
        learn_sub(s, root);
    } else {
        learn_ok(s, root);
    }
}

void conn_learn_packet(struct profile_conn *c, enum profile_dir dir, const struct packet *p)
{
    bool is_event = dir == C2S && p->type == 2, is_accept = dir == S2C && p->type == 0;
    if ((!is_event && !is_accept) || p->ns.n > ID_MAX)
        return;
    struct conn_ext *x = conn_ext(c);
    if (is_accept && x->is_connected)
        return;
    memcpy(x->ns, p->ns.p, p->ns.n);
    x->ns_len = (uint8_t)p->ns.n;
    x->is_connected |= is_accept;
    update_notice_ready(c);
}

static uint8_t keep(uint8_t out[ID_MAX], struct span id)
{
    if (!id.n || id.n > ID_MAX)
        return 0;
    memcpy(out, id.p, id.n);
    return (uint8_t)id.n;
}

void conn_remember(struct profile_conn *c, struct span corr, struct span mid, struct span conv)
{
    struct conn_ext *x = conn_ext(c);
    if (!x->sent)
        x->sent = xcalloc(SENT_MAX, sizeof(*x->sent));
    struct sent *e = &x->sent[x->next_sent++ % SENT_MAX];
    e->corr_len = keep(e->corr, corr);
    e->mid_len = keep(e->mid, mid);
    e->conv_len = keep(e->conv, conv);
}

const struct sent *conn_find(const struct profile_conn *c, struct span corr, struct span mid)
{
    const struct conn_ext *x = c->ext;
    for (uint32_t i = 0; x && x->sent && i < SENT_MAX; i++) {
        const struct sent *e = &x->sent[(x->next_sent - 1 - i) % SENT_MAX]; /* the newest first */
        struct span key = corr.n ? span_of(e->corr, e->corr_len) : span_of(e->mid, e->mid_len);
        if (key.n && span_eq(key, corr.n ? corr : mid))
            return e;
    }
    return NULL;
}
