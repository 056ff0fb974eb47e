#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "board/model.h"
#include "track/schema.h"

enum { KEEP_MS = 1000, WAITERS_MAX = 500, ASKED_MAX = 200 };

struct waiter {
    gather_fn fn;
    void *ctx;
};

/* One question: under way (pending > 0, waiters wait) or answered. */
struct asked {
    struct asked *next;
    enum model_script script;
    char *question, *arg1, *arg2;
    struct gather g;
    unsigned pending, n_waiters;
    struct waiter *waiter;
    int64_t asked_ms;
    bool is_answering; /* those who wait are being called, who may ask themselves: it must stay */
    bool is_old;       /* its answer serves those who wait, and nobody after them */
};

struct part {
    struct asked *asked;
    unsigned shard;
};

static void free_asked(struct asked *a)
{
    for (unsigned i = 0; i < a->g.n; i++)
        redis_reply_free(a->g.reply[i]);
    free(a->g.reply);
    free(a->waiter);
    free(a->question);
    free(a->arg1);
    free(a->arg2);
    free(a);
}

/* Those under way stay in the list until they are answered. */
static unsigned drop_old(struct model *m)
{
    unsigned left = 0;
    for (struct asked **at = &m->asked; *at;) {
        struct asked *a = *at;
        if (!a->pending && !a->is_answering && (a->is_old || a->g.error || clock_mono_ms() - a->asked_ms > KEEP_MS)) {
            *at = a->next;
            free_asked(a);
        } else {
            at = &a->next;
            left++;
        }
    }
    return left;
}

static void on_part(void *ctx, const struct redis_reply *reply)
{
    struct part *p = ctx;
    struct asked *a = p->asked;
    if (!redis_is_array(reply) || !reply->n)
        a->g.error = "a shard of Redis did not answer";
    else
        a->g.reply[p->shard] = redis_reply_copy(reply);
    free(p);
    if (--a->pending)
        return;
    unsigned n = a->n_waiters;
    a->n_waiters = 0;
    a->is_answering = true;
    for (unsigned i = 0; i < n; i++)
        a->waiter[i].fn(a->waiter[i].ctx, &a->g);
    a->is_answering = false;
}

static bool is_same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static struct asked *find(struct model *m, enum model_script script, const char *q, const char *arg1, const char *arg2)
{
    for (struct asked *a = m->asked; a; a = a->next)
        if (!a->is_old && a->script == script && is_same(a->question, q) && is_same(a->arg1, arg1) &&
            is_same(a->arg2, arg2))
            return a;
    return NULL;
}

static const struct redis_script *script_of(const struct model *m, enum model_script script)
{
    const struct redis_script *of[] = {
        [MODEL_READ] = m->read, [MODEL_EXTRA] = m->extra, [MODEL_HELD] = m->held_read, [MODEL_REMIND] = m->remind_list};
    return of[script];
}

static void send(struct model *m, struct asked *a)
{
    struct span args[] = {span_str(a->question), span_str(a->arg1), span_str(a->arg2)};
    a->pending = a->g.n;
    for (unsigned s = 0; s < a->g.n; s++) {
        struct part *p = xmalloc(sizeof(*p));
        struct schema_keys keys;
        *p = (struct part){a, s};
        schema_apply_keys(s, &keys);
        redis_eval(m->redis, on_part, p, script_of(m, a->script), SCHEMA_KEY_COUNT, keys.span,
                   a->arg2   ? 3
                   : a->arg1 ? 2
                             : 1,
                   args);
    }
}

static struct asked *start(struct model *m, enum model_script script, const char *q, const char *arg1, const char *arg2)
{
    struct asked *a = xcalloc(1, sizeof(*a));
    *a = (struct asked){.next = m->asked,
                        .script = script,
                        .question = xstrdup(q),
                        .arg1 = arg1 ? xstrdup(arg1) : NULL,
                        .arg2 = arg2 ? xstrdup(arg2) : NULL,
                        .g = {.n = (unsigned)m->n_shards},
                        .asked_ms = clock_mono_ms()};
    a->g.reply = xcalloc(a->g.n, sizeof(*a->g.reply));
    a->waiter = xcalloc(WAITERS_MAX, sizeof(*a->waiter));
    m->asked = a;
    send(m, a);
    return a;
}

bool model_ask(struct model *m, gather_fn fn, void *ctx, enum model_script script, const char *question,
               const char *arg1, const char *arg2)
{
    if (!m->n_shards || !redis_is_up(m->redis))
        return false;
    unsigned n = drop_old(m);
    struct asked *a = find(m, script, question, arg1, arg2);
    if (!a && n >= ASKED_MAX)
        return false;
    if (!a)
        a = start(m, script, question, arg1, arg2); /* answers come after this returned */
    if (!a->pending) {
        bool was_answering = a->is_answering;
        a->is_answering = true;
        fn(ctx, &a->g);
        a->is_answering = was_answering;
    } else if (a->n_waiters < WAITERS_MAX)
        a->waiter[a->n_waiters++] = (struct waiter){fn, ctx};
    else
        return false;
    return true;
}

void model_ask_forget(struct model *m)
{
    for (struct asked *a = m->asked; a; a = a->next)
        a->is_old = true;
    drop_old(m);
}

void model_ask_end(struct model *m)
{
    while (m->asked) {
        struct asked *a = m->asked;
        m->asked = a->next;
        free_asked(a);
    }
}
