#include "bench_slot.h"

#include <math.h>

#include "base/rand.h"
#include "base/xalloc.h"

enum { OPENING_MAX = 64, MESSAGES_MAX = 1 << 26 };

static const int64_t SECOND = 1000000000, LATE_NS = 1000000, OPEN_LIMIT_S = 60, CLOSE_LIMIT_S = 3;

enum fate { FATE_UNSENT, FATE_WAITING, FATE_ANSWERED };

struct sent {
    int64_t due_ns;
    uint32_t conn;
    uint8_t fate, is_measured;
    uint32_t next; /* HTTP: the agent's next request, + 1 */
};

/* HTTP answers come in the order of the requests. */
struct queue {
    uint32_t first, last; /* + 1; 0: none */
};

struct slot {
    struct common *common;
    const struct target *target;
    const struct load_plan *plan;
    const char *label;
    struct slot_result *r;
    struct peer *peer;
    uint64_t *last_seq;         /* per agent: the last answer's number + 1 */
    struct queue *queue;        /* per agent, of an http target */
    unsigned n_started, n_open; /* agents; those that ended are in neither */
    struct sent *sent;
    uint64_t n_sent, cap_sent, waiting;
    uint64_t first_id; /* of the first message: no id comes twice, as an edit or a repetition costs something else */
    uint64_t answers;  /* of any kind, measured or not */
    int64_t measure_from, measure_to;
    bool is_closing, may_send;
    struct buf message;
    uint64_t draw;
};

static uint64_t draw(struct slot *s)
{
    s->draw ^= s->draw << 13, s->draw ^= s->draw >> 7, s->draw ^= s->draw << 17;
    return s->draw;
}

static void note_trouble(struct slot *s, const char *what)
{
    if (!s->r->trouble[0])
        snprintf(s->r->trouble, sizeof(s->r->trouble), "%s", what);
}

static struct sent *new_record(struct slot *s)
{
    if (s->n_sent == s->cap_sent) {
        if (s->n_sent == MESSAGES_MAX)
            return NULL;
        s->cap_sent = s->cap_sent ? 2 * s->cap_sent : 65536;
        s->sent = xrealloc(s->sent, s->cap_sent * sizeof(*s->sent));
    }
    return &s->sent[s->n_sent];
}

static void build_message(struct slot *s, unsigned conn)
{
    const struct load_plan *plan = s->plan;
    bool is_hit = plan->hits.n && (double)(draw(s) >> 11) * 0x1p-53 < plan->hit_rate;
    struct text_fill fill = {
        .seq = s->first_id + s->n_sent,
        .convs = (uint64_t)plan->convs,
        .agent = conn + (unsigned)s->target->peer.first_agent,
        .text = is_hit ? texts_get(&plan->hits, draw(s))
                       : texts_get(&plan->texts,
                                   s->n_sent + s->n_sent / (uint64_t)plan->conns), /* not always the same per agent */
        .pad_to = plan->n_sizes ? plan->size[s->n_sent % plan->n_sizes] : 0,
    };
    buf_reset(&s->message);
    text_build(&s->message, plan->message, &fill);
}

static void put_in_queue(struct slot *s, unsigned conn)
{
    struct queue *q = &s->queue[conn];
    uint32_t number = (uint32_t)s->n_sent + 1;
    if (q->last)
        s->sent[q->last - 1].next = number;
    else
        q->first = number;
    q->last = number;
}

static bool take_from_queue(struct slot *s, unsigned conn, uint64_t *seq)
{
    struct queue *q = &s->queue[conn];
    if (!q->first)
        return false;
    *seq = q->first - 1;
    q->first = s->sent[*seq].next;
    if (!q->first)
        q->last = 0;
    return true;
}

/* Sends the next message over one agent; in a closed loop it is due now. False: there is no room for more. */
static bool send_one(struct slot *s, unsigned conn, int64_t due_ns, int64_t now)
{
    struct sent *m = new_record(s);
    if (!m)
        return false;
    struct peer *p = &s->peer[conn];
    *m = (struct sent){.due_ns = due_ns, .conn = conn};
    m->is_measured = due_ns >= s->measure_from && due_ns < s->measure_to;
    s->r->due += m->is_measured;
    if (p->state == PEER_OPEN) {
        build_message(s, conn);
        m->fate = FATE_WAITING;
        s->waiting++;
        put_in_queue(s, conn);
        s->r->sent += m->is_measured;
        s->r->late += m->is_measured && now - due_ns > LATE_NS;
        peer_send(p, buf_span(&s->message));
    } else {
        s->r->unsent += m->is_measured;
    }
    s->n_sent++;
    return true;
}

static void on_open(struct peer *p)
{
    struct slot *s = p->owner;
    s->n_open++;
}

/* The first one, for the person who wonders; a peer's control characters do not reach the terminal. */
static void keep_refusal(struct slot_result *r, struct span payload)
{
    size_t n = MIN_OF(payload.n, sizeof(r->refusal) - 1);
    for (size_t i = 0; i < n; i++)
        r->refusal[i] = payload.p[i] < 0x20 || payload.p[i] == 0x7f ? '.' : (char)payload.p[i];
    r->refusal[n] = 0;
}

static void count_answer(struct slot *s, const struct peer *p, struct sent *m, uint64_t seq, struct span payload)
{
    struct slot_result *r = s->r;
    s->waiting--;
    m->fate = FATE_ANSWERED;
    bool refused = peer_is_refused(p, payload);
    if (refused && !r->refusal[0])
        keep_refusal(r, payload);
    if (m->is_measured) {
        uint64_t took = (uint64_t)MAX_OF(now_ns() - m->due_ns, 0);
        hist_add(refused ? &r->refused_ns : &r->latency_ns, took);
        *(refused ? &r->refused : &r->answered) += 1;
        /* A refusal overtakes the messages that are still on their way through the backend. */
        r->disordered += !refused && seq < s->last_seq[m->conn];
    }
    if (!refused)
        s->last_seq[m->conn] = MAX_OF(s->last_seq[m->conn], seq + 1);
}

static void on_message(struct peer *p, struct span payload)
{
    struct slot *s = p->owner;
    uint64_t seq, id;
    bool is_http = s->target->peer.url.is_http,
         is_known = is_http ? take_from_queue(s, p->index, &seq) : text_find_id(payload, &id);
    if (!is_http && is_known)
        seq = (id - s->first_id) & TEXT_ID_MASK;
    if (!is_known || seq >= s->n_sent || s->sent[seq].conn != p->index) {
        s->r->stray++;
        return;
    }
    struct sent *m = &s->sent[seq];
    if (m->fate != FATE_WAITING) {
        s->r->doubled += m->is_measured;
        return;
    }
    s->answers++;
    count_answer(s, p, m, seq, payload);
    if (s->plan->closed && s->may_send) {
        int64_t now = now_ns();
        if (now < s->measure_to)
            s->may_send = send_one(s, p->index, now, now);
    }
}

static void on_end(struct peer *p, const char *why)
{
    struct slot *s = p->owner;
    if (s->is_closing) {
        s->n_open--;
        return;
    }
    char text[160];
    snprintf(text, sizeof(text), "agent %u: %.130s", p->index, why);
    note_trouble(s, text);
    s->r->ended++;
    s->n_started--;
}

static const struct peer_calls calls = {on_open, on_message, on_end};

static int open_all(struct slot *s)
{
    int64_t limit = now_ns() + OPEN_LIMIT_S * SECOND;
    unsigned next = 0, conns = (unsigned)s->plan->conns;
    while (s->n_open < conns && !s->r->ended && now_ns() < limit && !loop_is_interrupted()) {
        while (next < conns && s->n_started - s->n_open < OPENING_MAX && !s->r->ended) {
            s->n_started++;
            peer_start(&s->peer[next], s->common->loop, &s->target->peer, &calls, next, s);
            next++;
        }
        loop_turn(s->common->loop, now_ns() + SECOND / 10);
        progress("%s: %u of %u agents connected", s->label, s->n_open, conns);
    }
    if (s->n_open == conns)
        return 0;
    note_trouble(s, loop_is_interrupted() ? "interrupted" : "agents did not connect in time");
    return -1;
}

static void show_progress(struct slot *s, int64_t now)
{
    static int64_t shown;
    if (now - shown < SECOND / 4)
        return;
    shown = now;
    progress("%s: %+.1f s, %llu sent, %llu waiting", s->label, (double)(now - s->measure_from) / (double)SECOND,
             (unsigned long long)s->n_sent, (unsigned long long)s->waiting);
}

/* Between the two looks at the processes' run time. */
struct cpu_window {
    int64_t from_ns, to_ns, from_at, to_at;
    uint64_t answers_from, answers_to;
};

static void look(struct slot *s, int64_t *cpu, uint64_t *answers, int64_t *at)
{
    *cpu = s->target->procs.n ? procs_cpu_ns(&s->target->procs) : -1;
    *answers = s->answers;
    *at = now_ns();
}

/* Sends what is due; returns when the next one is. */
static int64_t send_due(struct slot *s, int64_t start, int64_t now)
{
    double step = (double)SECOND / s->plan->rate;
    for (;;) {
        int64_t due = start + (int64_t)llround((double)s->n_sent * step);
        if (due > now || due >= s->measure_to || !s->may_send)
            return due;
        s->may_send = send_one(s, (unsigned)(s->n_sent % (uint64_t)s->plan->conns), due, now);
    }
}

static void start_closed(struct slot *s)
{
    for (long k = 0; k < s->plan->closed; k++)
        for (unsigned i = 0; i < (unsigned)s->plan->conns; i++) {
            int64_t now = now_ns();
            s->may_send = send_one(s, i, now, now);
        }
}

static void run(struct slot *s)
{
    struct cpu_window w = {.from_ns = -1};
    bool has_from = false;
    int64_t start = now_ns() + SECOND / 1000;
    s->measure_from = start + (int64_t)(s->plan->warm_s * (double)SECOND);
    s->measure_to = s->measure_from + (int64_t)(s->plan->secs * (double)SECOND);
    s->may_send = true;
    if (s->plan->closed)
        start_closed(s);
    for (int64_t now = now_ns(); now < s->measure_to && !loop_is_interrupted(); now = now_ns()) {
        if (!has_from && now >= s->measure_from) {
            look(s, &w.from_ns, &w.answers_from, &w.from_at);
            has_from = true;
        }
        int64_t next = s->plan->closed ? s->measure_to : send_due(s, start, now);
        if (!has_from)
            next = MIN_OF(next, s->measure_from);
        loop_turn(s->common->loop, MIN_OF(next, s->measure_to));
        show_progress(s, now);
    }
    look(s, &w.to_ns, &w.answers_to, &w.to_at);
    if (!s->plan->closed && !loop_is_interrupted())
        send_due(s, start, s->measure_to); /* what became due in the last wait counts too */
    uint64_t n = w.answers_to - w.answers_from;
    if (!has_from || !n)
        return;
    s->r->rate = (double)n / ((double)(w.to_at - w.from_at) / (double)SECOND);
    if (w.from_ns >= 0 && w.to_ns >= 0)
        s->r->cpu_ns_per_message = (double)(w.to_ns - w.from_ns) / (double)n;
}

static void drain(struct slot *s)
{
    s->may_send = false;
    int64_t limit = now_ns() + (int64_t)(s->plan->drain_s * (double)SECOND);
    while (s->waiting && now_ns() < limit && !loop_is_interrupted())
        loop_turn(s->common->loop, MIN_OF(limit, now_ns() + SECOND / 10));
    for (uint64_t i = 0; i < s->n_sent; i++)
        s->r->lost += s->sent[i].is_measured && s->sent[i].fate == FATE_WAITING;
}

static void close_all(struct slot *s)
{
    s->is_closing = true;
    s->n_open = s->n_started;
    unsigned conns = (unsigned)s->plan->conns;
    for (unsigned i = 0; i < conns; i++)
        peer_close(&s->peer[i]);
    int64_t limit = now_ns() + CLOSE_LIMIT_S * SECOND;
    while (s->n_open && now_ns() < limit)
        loop_turn(s->common->loop, now_ns() + SECOND / 10);
    for (unsigned i = 0; i < conns; i++)
        peer_abort(&s->peer[i], true);
    /* what the closing leaves behind in the same process (echo backend) */
    loop_turn(s->common->loop, now_ns() + SECOND / 100);
}

int slot_run(struct common *c, const struct target *t, const struct load_plan *plan, const char *label,
             struct slot_result *r)
{
    *r = (struct slot_result){.cpu_ns_per_message = -1};
    struct slot s = {.common = c, .target = t, .plan = plan, .label = label, .r = r, .draw = 0x9e3779b97f4a7c15u};
    s.first_id = (plan->first_id ? (uint64_t)plan->first_id : rand_u64()) & TEXT_ID_MASK;
    s.peer = xcalloc((size_t)plan->conns, sizeof(*s.peer));
    s.last_seq = xcalloc((size_t)plan->conns, sizeof(*s.last_seq));
    s.queue = xcalloc((size_t)plan->conns, sizeof(*s.queue));
    int rc = open_all(&s);
    if (rc == 0) {
        run(&s);
        drain(&s);
    }
    close_all(&s);
    progress_end();
    buf_fini(&s.message);
    free(s.sent);
    free(s.last_seq);
    free(s.queue);
    free(s.peer);
    return rc;
}
