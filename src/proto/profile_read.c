/* Peeling the envelope of a WebSocket message and judging every document in it. */
#include "proto/profile_conn.h"
#include "proto/profile_sel.h"
#include "proto/profile_unit.h"

#include "base/xalloc.h"

struct reading {
    struct profile_scratch *s;
    enum profile_dir dir;
    int64_t now_ms;
    struct unit *units;
    struct span payload;
};

struct profile_scratch *profile_scratch_new(void)
{
    return xcalloc(1, sizeof(struct profile_scratch));
}

void profile_scratch_free(struct profile_scratch **ps)
{
    struct profile_scratch *s = *ps;
    *ps = NULL;
    if (!s)
        return;
    for (uint32_t i = 0; i < LAYERS_MAX; i++)
        json_doc_fini(&s->layer[i].doc);
    arena_fini(&s->arena);
    buf_fini(&s->tmp);
    buf_fini(&s->wrapped);
    free(s);
}

bool profile_saw_utf8(const struct profile_scratch *s)
{
    return s->saw_utf8;
}

static void unreadable(struct reading *r, struct layer *root, uint32_t elem, enum cause cause)
{
    unit_add_unreadable(r->s, root, elem, cause, r->units);
}

/* A document that is plain bytes of the payload from `at` on. NULL when it cannot be read (a unit says so). */
static struct layer *open_root(struct reading *r, size_t at)
{
    struct layer *l = layer_open(r->s, span_from(r->payload, at), NULL, 0);
    l->base = (uint32_t)at;
    r->s->saw_utf8 = !at && l->result == JSON_OK && !(r->s->profile->json_flags & JSON_TRAILING_OK);
    if (l->result == JSON_OK)
        return l;
    unreadable(r, NULL, 0, unit_cause_of(l->result));
    return NULL;
}

static void judge(struct reading *r, struct layer *root, uint32_t elem)
{
    unit_judge(r->s, r->dir, root, elem, r->now_ms, r->units);
}

static void read_plain(struct reading *r)
{
    struct layer *root = open_root(r, 0);
    if (root)
        judge(r, root, 0);
}

/* --- SockJS --- */

/* A string of the envelope. Only strings carry messages; other values would be turned into text by the server in ways
 * of its own. */
static void read_sockjs_string(struct reading *r, uint32_t node)
{
    struct profile_scratch *s = r->s;
    struct place at = {s->envelope, node, 0};
    uint32_t layers = s->n_layers, units = s->n_units;
    if (place_kind(at) != JSON_STRING) {
        unreadable(r, NULL, node, CAUSE_AMBIGUOUS_JSON);
        return;
    }
    s->trouble = JSON_OK;
    struct layer *root = layer_inside(s, at);
    if (root)
        judge(r, root, node);
    else
        unreadable(r, NULL, node, unit_cause_of(s->trouble));
    if (s->n_units == units)
        s->n_layers = layers;
}

/* s2c: o, h, c[...] are the transport's own, a[...] carries messages, m"..." one. c2s: [...] or one string. */
static void read_sockjs(struct reading *r)
{
    uint8_t first = r->payload.n ? r->payload.p[0] : 0;
    bool is_framed = r->dir == S2C;
    if (is_framed && first != 'a' && first != 'm')
        return;
    if (!is_framed && !first)
        return;
    if (!is_framed && first != '[' && first != '"') {
        unreadable(r, NULL, 0, CAUSE_AMBIGUOUS_JSON);
        return;
    }
    struct layer *l = open_root(r, is_framed);
    if (!l)
        return;
    r->s->envelope = l;
    if (l->doc.node[0].kind != JSON_ARRAY) {
        read_sockjs_string(r, 0);
        return;
    }
    for (uint32_t k = 1; k < l->doc.n; k = l->doc.node[k].next)
        read_sockjs_string(r, k);
    if (r->s->is_overflow && r->dir == C2S) { /* one fate for all: nothing may pass because it stood behind others */
        r->s->n_units = 0;
        unreadable(r, NULL, 0, CAUSE_TOO_COMPLEX);
    }
}

/* --- Engine.IO 4 and Socket.IO 5 --- */

static size_t count_digits(struct span s, size_t at)
{
    size_t n = 0;
    while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9')
        n++;
    return n;
}

/* "4" TYPE [attachments "-"] ["/ns" ","] [ack id] [json]. Fills s->packet; the place where the JSON begins, or 0 when
 * the packet is malformed. */
static size_t read_packet(struct reading *r)
{
    struct span in = r->payload;
    struct packet *p = &r->s->packet;
    size_t at = 2, n;
    *p = (struct packet){.type = (uint8_t)(in.n > 1 ? in.p[1] - '0' : 255), .ns = span_of("", 0)};
    if (p->type > 6)
        return 0;
    if (p->type >= 5) {
        n = count_digits(in, at);
        if (!n || at + n >= in.n || in.p[at + n] != '-')
            return 0;
        at += n + 1;
    }
    if (at < in.n && in.p[at] == '/') {
        const uint8_t *comma = memchr(in.p + at, ',', in.n - at);
        size_t end = comma ? (size_t)(comma - in.p) : in.n;
        p->ns = span_of(in.p + at, end - at);
        if (memchr(p->ns.p, '"', p->ns.n) || memchr(p->ns.p, '[', p->ns.n) || memchr(p->ns.p, '{', p->ns.n))
            return 0;
        at = end + (comma ? 1 : 0);
    }
    n = count_digits(in, at);
    p->has_ack = n > 0;
    p->ack = span_of(in.p + at, n);
    at += n;
    bool is_json = at == in.n || in.p[at] == '[' || in.p[at] == '{';
    bool is_plain_number = n <= 15 && !(n > 1 && p->ack.p[0] == '0');
    return is_json && is_plain_number ? at : 0;
}

static void read_event(struct reading *r, size_t at)
{
    struct layer *root = at < r->payload.n ? open_root(r, at) : NULL;
    if (root && root->doc.node[0].kind == JSON_ARRAY)
        judge(r, root, 0);
    else if (root)
        unreadable(r, root, 0, CAUSE_BAD_JSON);
}

/* Connect packets and acknowledgements carry no message, but may tell who the agent is, or what became of a send. */
static void learn_packet(struct reading *r, size_t at)
{
    struct span json = at < r->payload.n ? span_from(r->payload, at) : span_str("null");
    struct layer *root = layer_open(r->s, json, NULL, 0);
    root->base = (uint32_t)at;
    if (root->result != JSON_OK)
        return;
    if (r->s->packet.type == 3 && r->dir == S2C)
        judge(r, root, 0);
    else
        conn_learn(r->s, r->dir, root);
}

static void read_socketio(struct reading *r)
{
    struct profile_scratch *s = r->s;
    uint8_t first = r->payload.n ? r->payload.p[0] : 0;
    if (first != '4') { /* open, close, ping, pong, upgrade, noop carry no message */
        if (r->dir == C2S && (first < '0' || first > '6'))
            unreadable(r, NULL, 0, CAUSE_BAD_JSON);
        return;
    }
    size_t at = read_packet(r);
    if (!at) {
        s->packet = (struct packet){.type = 255, .ns = span_of("", 0)}; /* nothing of it goes into an answer */
        unreadable(r, NULL, 0, CAUSE_AMBIGUOUS_JSON);
        return;
    }
    conn_learn_packet(s->conn, r->dir, &s->packet);
    if (s->packet.has_ack)
        s->ack = layer_open(s, s->packet.ack, NULL, 0);
    if (s->packet.type == 2)
        read_event(r, at);
    else if (s->packet.type == 5)
        unreadable(r, NULL, 0, CAUSE_BINARY);
    else if (s->packet.type == 0 || s->packet.type == 3)
        learn_packet(r, at);
}

size_t profile_read(struct profile_scratch *s, struct profile_conn *c, enum profile_dir dir, struct span payload,
                    int64_t now_ms, struct unit units[UNITS_MAX])
{
    const struct socket *ws = &c->profile->socket[c->ws];
    arena_reset(&s->arena);
    s->n_layers = s->n_units = 0;
    s->envelope = s->ack = NULL;
    s->is_overflow = s->saw_utf8 = false;
    s->packet = (struct packet){.type = 255, .ns = span_of("", 0), .ack = span_of("", 0)};
    s->trouble = JSON_OK;
    s->profile = c->profile;
    s->conn = c;
    for (uint32_t i = 0; i < ws->n_ignore; i++)
        if (span_eq(ws->ignore[i], payload))
            return 0;
    struct reading r = {.s = s, .dir = dir, .now_ms = now_ms, .units = units, .payload = payload};
    switch (ws->framing) {
    case FRAMING_PLAIN:
        read_plain(&r);
        break;
    case FRAMING_SOCKJS:
        read_sockjs(&r);
        break;
    case FRAMING_SOCKETIO:
        read_socketio(&r);
        break;
    case FRAMING_XMPP: /* a codec of its own reads it */
        break;
    }
    return s->n_units;
}
