#include "gate/node.h"

#include <pthread.h>
#include <stddef.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/xalloc.h"

enum {
    STRIPES = 16,
    CONVS_PER_STRIPE = 4096,
    SEATS_MAX = 8,
    WARNED_MAX = 8,
    ID_PART_MAX = 190,
    KEY_MAX = 2 * ID_PART_MAX + 10,
    WARN_EVERY_MS = 600000
};

struct agent_seats {
    uint32_t n, cap;
    struct seat seat[]; /* oldest first; at most SEATS_MAX */
};

/* A conversation; the list runs from most to least recently used. */
struct conv {
    struct conv *prev, *next;
    uint16_t key_len;
    char key[KEY_MAX];
    unsigned head, n; /* ring of texts */
    uint32_t number;  /* of the last text */
    struct {
        int64_t at_ms;
        uint16_t len, note_len, cap;
        uint8_t *kept; /* the note as far as it is used, the text behind it */
    } item[WINDOW_MAX];
    struct {
        uint64_t rule;
        int64_t at_ms;
    } warned[WARNED_MAX];
};

struct stripe {
    pthread_mutex_t lock;
    struct map agents; /* agent -> agent_seats */
    struct map convs;  /* agent NUL conv -> conv */
    struct conv lru;   /* sentinel */
};

struct node {
    struct stripe stripe[STRIPES];
};

struct node *node_new(void)
{
    struct node *n = xcalloc(1, sizeof(*n));
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *s = &n->stripe[i];
        pthread_mutex_init(&s->lock, NULL);
        s->lru.prev = s->lru.next = &s->lru;
    }
    return n;
}

static void conv_free(struct conv *c)
{
    for (size_t i = 0; i < WINDOW_MAX; i++)
        free(c->item[i].kept);
    free(c);
}

void node_free(struct node **np)
{
    struct node *n = *np;
    for (size_t i = 0; n && i < STRIPES; i++) {
        struct stripe *s = &n->stripe[i];
        size_t pos = 0;
        struct span key;
        void *value;
        while (map_next(&s->agents, &pos, &key, &value))
            free(value);
        map_fini(&s->agents);
        map_fini(&s->convs);
        while (s->lru.next != &s->lru) {
            struct conv *c = s->lru.next;
            s->lru.next = c->next;
            conv_free(c);
        }
        pthread_mutex_destroy(&s->lock);
    }
    free(n);
    *np = NULL;
}

static struct stripe *lock_stripe(struct node *n, struct span agent)
{
    struct stripe *s = &n->stripe[hash_stable(agent) % STRIPES];
    pthread_mutex_lock(&s->lock);
    return s;
}

/* Room for one more: most agents have one session, and a place takes memory for as long as it is held. */
static struct agent_seats *grow_seats(struct stripe *s, struct span agent, struct agent_seats *a)
{
    uint32_t cap = a ? MIN_OF(2 * a->cap, (uint32_t)SEATS_MAX) : 1, n = a ? a->n : 0;
    a = xrealloc(a, sizeof(*a) + cap * sizeof(a->seat[0]));
    a->n = n;
    a->cap = cap;
    map_put(&s->agents, agent, a);
    return a;
}

void node_seat_add(struct node *n, struct span agent, struct seat seat)
{
    struct stripe *s = lock_stripe(n, agent);
    struct agent_seats *a = map_get(&s->agents, agent);
    if (!a || (a->n == a->cap && a->cap < SEATS_MAX))
        a = grow_seats(s, agent, a);
    if (a->n == a->cap) { /* the oldest device makes room */
        memmove(a->seat, a->seat + 1, (a->n - 1) * sizeof(a->seat[0]));
        a->n--;
    }
    a->seat[a->n++] = seat;
    pthread_mutex_unlock(&s->lock);
}

void node_seat_remove(struct node *n, struct span agent, struct seat seat)
{
    struct stripe *s = lock_stripe(n, agent);
    struct agent_seats *a = map_get(&s->agents, agent);
    for (uint32_t i = 0; a && i < a->n; i++) {
        if (a->seat[i].worker == seat.worker && a->seat[i].session == seat.session) {
            memmove(a->seat + i, a->seat + i + 1, (a->n - i - 1) * sizeof(a->seat[0]));
            a->n--;
            break;
        }
    }
    if (a && !a->n)
        free(map_del(&s->agents, agent));
    pthread_mutex_unlock(&s->lock);
}

bool node_seat_find(struct node *n, struct span agent, struct seat *out)
{
    struct stripe *s = lock_stripe(n, agent);
    struct agent_seats *a = map_get(&s->agents, agent);
    if (a)
        *out = a->seat[a->n - 1];
    pthread_mutex_unlock(&s->lock);
    return a != NULL;
}

size_t node_agents(struct node *n)
{
    size_t total = 0;
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_mutex_lock(&n->stripe[i].lock);
        total += n->stripe[i].agents.len;
        pthread_mutex_unlock(&n->stripe[i].lock);
    }
    return total;
}

static void unlink_conv(struct conv *c)
{
    c->prev->next = c->next;
    c->next->prev = c->prev;
}

static void push_front(struct stripe *s, struct conv *c)
{
    c->next = s->lru.next;
    c->prev = &s->lru;
    c->next->prev = c->prev->next = c;
}

/* agent, 1, conv. Ids that do not fit are told apart by their hash. */
static struct span conv_key(struct span agent, struct span conv, char out[KEY_MAX])
{
    size_t a = MIN_OF(agent.n, (size_t)ID_PART_MAX), c = MIN_OF(conv.n, (size_t)ID_PART_MAX), n = a + 1 + c;
    if (a)
        memcpy(out, agent.p, a);
    out[a] = 1;
    if (c)
        memcpy(out + a + 1, conv.p, c);
    if (agent.n > ID_PART_MAX || conv.n > ID_PART_MAX) {
        uint64_t both = hash_stable(agent) * 31 + hash_stable(conv);
        out[n++] = 1;
        memcpy(out + n, &both, sizeof(both));
        n += sizeof(both);
    }
    return span_of(out, n);
}

static struct conv *find_conv(struct stripe *s, struct span agent, struct span conv, bool create)
{
    char text[KEY_MAX];
    struct span key = conv_key(agent, conv, text);
    struct conv *c = map_get(&s->convs, key);
    if (c) {
        unlink_conv(c);
        push_front(s, c);
        return c;
    }
    if (!create)
        return NULL;
    if (s->convs.len >= CONVS_PER_STRIPE) {
        struct conv *oldest = s->lru.prev;
        unlink_conv(oldest);
        map_del(&s->convs, span_of(oldest->key, oldest->key_len));
        conv_free(oldest);
    }
    c = xcalloc(1, sizeof(*c));
    memcpy(c->key, key.p, key.n);
    c->key_len = (uint16_t)key.n;
    map_put(&s->convs, key, c);
    push_front(s, c);
    return c;
}

void node_window_get(struct node *n, struct span agent, struct span conv, int64_t now_ms, unsigned messages,
                     int64_t max_age_ms, struct window *out)
{
    out->n = 0;
    struct stripe *s = lock_stripe(n, agent);
    struct conv *c = find_conv(s, agent, conv, false);
    unsigned want = c ? MIN_OF(messages, c->n) : 0;
    for (unsigned k = want; k > 0; k--) {
        unsigned i = (c->head + WINDOW_MAX - k) % WINDOW_MAX;
        if (now_ms - c->item[i].at_ms > max_age_ms)
            continue;
        out->item[out->n].at_ms = c->item[i].at_ms;
        out->item[out->n].len = c->item[i].len;
        memcpy(&out->item[out->n].note, c->item[i].kept, c->item[i].note_len);
        memcpy(out->item[out->n].text, c->item[i].kept + c->item[i].note_len, c->item[i].len);
        out->n++;
    }
    pthread_mutex_unlock(&s->lock);
}

/* The last bytes of a text, not more than fit, starting at a character. */
static struct span tail_of(struct span text)
{
    if (text.n <= WINDOW_TEXT_MAX)
        return text;
    struct span t = span_from(text, text.n - WINDOW_TEXT_MAX);
    while (t.n && (t.p[0] & 0xc0) == 0x80)
        t = span_from(t, 1);
    return t;
}

/* The place of a new text; it takes over the memory of the one that is not kept any longer. */
static unsigned next_item(struct conv *c, unsigned messages)
{
    unsigned i = c->head, keep = MIN_OF(messages, (unsigned)WINDOW_MAX), gone = (i + WINDOW_MAX - keep) % WINDOW_MAX;
    if (c->n >= keep && !c->item[i].kept) {
        c->item[i].kept = c->item[gone].kept;
        c->item[i].cap = c->item[gone].cap;
        c->item[gone].kept = NULL;
    }
    c->head = (i + 1) % WINDOW_MAX;
    c->n = MIN_OF(c->n + 1, keep);
    return i;
}

void node_window_add(struct node *n, struct span agent, struct span conv, int64_t now_ms, struct span text,
                     const struct window_note *note, unsigned messages)
{
    struct span t = tail_of(text);
    struct window_note kept;
    size_t note_len = offsetof(struct window_note, word);
    if (t.n == text.n && note->set) {
        note_len += note->n_words * sizeof(note->word[0]);
        memcpy(&kept, note, note_len);
    } else { /* a note speaks of the whole text */
        memset(&kept, 0, note_len);
    }
    struct stripe *s = lock_stripe(n, agent);
    struct conv *c = find_conv(s, agent, conv, true);
    unsigned i = next_item(c, messages);
    size_t size = note_len + t.n;
    if (!c->item[i].kept || size > c->item[i].cap) { /* in the steady state nothing is allocated */
        c->item[i].cap = (uint16_t)((size + 64) & ~(size_t)63);
        c->item[i].kept = xrealloc(c->item[i].kept, c->item[i].cap);
    }
    c->item[i].at_ms = now_ms;
    c->item[i].len = (uint16_t)t.n;
    c->item[i].note_len = (uint16_t)note_len;
    c->number += c->number == UINT32_MAX ? 2 : 1; /* 0 is none */
    kept.number = c->number;
    memcpy(c->item[i].kept, &kept, note_len);
    if (t.n)
        memcpy(c->item[i].kept + note_len, t.p, t.n);
    pthread_mutex_unlock(&s->lock);
}

bool node_may_warn(struct node *n, struct span agent, struct span conv, int64_t now_ms, const char *rule_id)
{
    uint64_t rule = hash_stable(span_str(rule_id));
    struct stripe *s = lock_stripe(n, agent);
    struct conv *c = find_conv(s, agent, conv, true);
    size_t slot = 0;
    bool may = true;
    for (size_t i = 0; i < WARNED_MAX; i++) {
        if (c->warned[i].rule == rule) {
            slot = i;
            /* a clock that was set back must not keep it quiet for the length of the jump */
            may = now_ms < c->warned[i].at_ms || now_ms - c->warned[i].at_ms >= WARN_EVERY_MS;
            break;
        }
        if (c->warned[i].at_ms < c->warned[slot].at_ms)
            slot = i;
    }
    if (may) {
        c->warned[slot].rule = rule;
        c->warned[slot].at_ms = now_ms;
    }
    pthread_mutex_unlock(&s->lock);
    return may;
}
