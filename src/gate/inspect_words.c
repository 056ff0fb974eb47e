/* A verdict in words: ids of rules for the event, notices for the agent. */
#include "base/clock.h"
#include "gate/gate.h"
#include "gate/inspect_parts.h"

static void add_id(struct buf *b, const char *id)
{
    size_t n = strlen(id);
    struct span have = buf_span(b);
    for (size_t i = 0; i + n <= have.n; i++) /* every id once */
        if (memcmp(have.p + i, id, n) == 0 && (i + n == have.n || have.p[i + n] == ',') &&
            (i == 0 || have.p[i - 1] == ','))
            return;
    if (b->len)
        buf_append(b, ",", 1);
    buf_append(b, id, n);
}

struct span inspect_rule_ids(struct worker *w, const struct verdict *v, bool shadow, bool all)
{
    if (!v->n_hits) /* as most messages */
        return span_of("", 0);
    buf_reset(&w->words);
    for (size_t i = 0; i < v->n_hits; i++)
        if (all || rule_is_shadow(v->hit[i].rule) == shadow)
            add_id(&w->words, rule_id(v->hit[i].rule));
    return inspect_keep(w, buf_span(&w->words));
}

struct span inspect_notices(struct session *s, const struct verdict *v, bool refused, struct span conv)
{
    struct worker *w = s->w;
    if (!v->n_hits)
        return span_of("", 0);
    const char *shown[VERDICT_HITS_MAX];
    size_t n = 0;
    buf_reset(&w->words);
    for (size_t i = 0; i < v->n_hits; i++) {
        const struct hit *h = &v->hit[i];
        bool counts = refused ? h->action >= ACTION_HOLD : h->action == ACTION_WARN;
        const char *text = rule_notice(h->rule)[0] ? rule_notice(h->rule) : rule_title(h->rule);
        if (rule_is_shadow(h->rule) || !counts || !text[0])
            continue;
        bool seen = false;
        for (size_t k = 0; k < n; k++)
            seen = seen || strcmp(shown[k], text) == 0;
        if (seen ||
            (!refused && !node_may_warn(w->gate->node, session_agent(s), conv, clock_wall_ms(), rule_id(h->rule))))
            continue;
        shown[n++] = text;
        if (w->words.len)
            buf_append_str(&w->words, " ");
        buf_append_str(&w->words, text);
    }
    return inspect_keep(w, buf_span(&w->words));
}

struct span inspect_strictest_rule(const struct verdict *v)
{
    const struct hit *best = NULL;
    for (size_t i = 0; i < v->n_hits; i++)
        if (!rule_is_shadow(v->hit[i].rule) && (!best || v->hit[i].action > best->action))
            best = &v->hit[i];
    return best ? span_str(rule_id(best->rule)) : span_str("");
}
