#include "base/json_out.h"
#include "base/xalloc.h"
#include "cli/replay_tally.h"

enum { TEXT_SHOWN_MAX = 400 };

const char *replay_end_name(int end)
{
    static const char *const names[] = {
#define X(id, name) name,
        REPLAY_ENDS(X)
#undef X
    };
    return end < ACTION_COUNT ? action_name((enum action)end) : names[end - ACTION_COUNT];
}

static bool has_rule(const struct replay_outcome *o, struct span id)
{
    for (size_t i = 0; i < o->n_rules; i++)
        if (o->rule[i].n == id.n && memcmp(o->rule[i].p, id.p, id.n) == 0)
            return true;
    return false;
}

static struct replay_rule *rule_of(struct replay_tally *t, struct span id)
{
    struct replay_rule *r = map_get(&t->rules, id);
    if (!r) {
        r = xcalloc(1, sizeof(*r));
        r->id = xmemdup0(id.p, id.n);
        map_put(&t->rules, id, r);
    }
    return r;
}

static void count_rules(struct replay_tally *t, const struct replay_outcome *old, const struct replay_outcome *now)
{
    for (size_t i = 0; i < old->n_rules; i++) {
        struct replay_rule *r = rule_of(t, old->rule[i]);
        r->old++;
        r->lost += !has_rule(now, old->rule[i]);
    }
    for (size_t i = 0; i < now->n_rules; i++) {
        struct replay_rule *r = rule_of(t, now->rule[i]);
        r->now++;
        r->gained += !has_rule(old, now->rule[i]);
    }
}

static enum replay_class class_of(const struct replay_message *m, int old, int now)
{
    if (m->dir == DIR_INCOMING)
        return CLASS_CUSTOMER;
    if (old >= ACTION_HOLD && now >= ACTION_HOLD)
        return CLASS_HELD;
    if (old >= ACTION_HOLD || now >= ACTION_HOLD)
        return now >= ACTION_HOLD ? CLASS_REFUSED : CLASS_DELIVERED;
    if (now < old)
        return CLASS_MILDER;
    return now == ACTION_REWRITE ? CLASS_REWRITTEN : CLASS_WARNED;
}

/* The rules of `a` that are not in `b`: "x","y". */
static char *only_in(const struct replay_outcome *a, const struct replay_outcome *b)
{
    struct buf buf = {0};
    struct json_out j = {.buf = &buf};
    for (size_t i = 0; i < a->n_rules; i++)
        if (!has_rule(b, a->rule[i]))
            json_span(&j, a->rule[i]);
    char *text = xstrdup(buf_cstr(&buf));
    buf_fini(&buf);
    return text;
}

static char *end_text(const struct replay_outcome *o)
{
    return o->case_kind.n ? xasprintf("%s %.*s", replay_end_name(o->end), (int)MIN_OF(o->case_kind.n, 80u),
                                      (const char *)o->case_kind.p)
                          : xstrdup(replay_end_name(o->end));
}

static char *shown_text(const struct replay_message *m)
{
    struct buf buf = {0};
    for (size_t i = 0; i < m->n_texts && buf.len <= TEXT_SHOWN_MAX; i++) {
        struct span s = m->text[i];
        size_t n = MIN_OF(s.n, (size_t)TEXT_SHOWN_MAX);
        while (n < s.n && n && (s.p[n] & 0xc0) == 0x80)
            n--;
        buf_append_str(&buf, i ? " / " : "");
        buf_append(&buf, s.p, n);
        if (n < s.n)
            buf_append_str(&buf, "…");
    }
    char *text = xstrdup(buf_cstr(&buf));
    buf_fini(&buf);
    return text;
}

static void keep_change(struct replay_tally *t, enum replay_class class, const struct replay_message *m,
                        const struct replay_outcome *old, const struct replay_outcome *now)
{
    if (t->n_class[class]++ >= t->worst)
        return;
    if (t->n_changes == t->cap_changes) {
        t->cap_changes = t->cap_changes ? t->cap_changes * 2 : 64;
        t->change = xrealloc(t->change, t->cap_changes * sizeof(*t->change));
    }
    t->change[t->n_changes++] = (struct replay_change){.class = class,
                                                       .file = m->file,
                                                       .line = m->line,
                                                       .id = xmemdup0(m->id.p, m->id.n),
                                                       .old = end_text(old),
                                                       .now = end_text(now),
                                                       .gained = only_in(now, old),
                                                       .lost = only_in(old, now),
                                                       .text = shown_text(m)};
}

void replay_tally_add(struct replay_tally *t, const struct replay_message *m, const struct replay_outcome *old,
                      const struct replay_outcome *now)
{
    t->n[m->dir]++;
    t->masked += m->is_masked;
    t->ends[old->end][now->end]++;
    count_rules(t, old, now);
    if (m->rules_version.n && !t->recorded)
        t->recorded = xmemdup0(m->rules_version.p, m->rules_version.n);
    else if (m->rules_version.n)
        t->is_mixed = t->is_mixed || strlen(t->recorded) != m->rules_version.n ||
                      memcmp(t->recorded, m->rules_version.p, m->rules_version.n) != 0;
    bool is_same_kind = old->case_kind.n == now->case_kind.n &&
                        (!now->case_kind.n || memcmp(old->case_kind.p, now->case_kind.p, now->case_kind.n) == 0);
    if (old->end == now->end && is_same_kind)
        return;
    t->changed[m->dir]++;
    keep_change(t, class_of(m, old->end, now->end), m, old, now);
}

void replay_tally_fini(struct replay_tally *t)
{
    for (size_t i = 0; i < t->n_changes; i++) {
        struct replay_change *c = &t->change[i];
        free(c->id), free(c->old), free(c->now), free(c->gained), free(c->lost), free(c->text);
    }
    free(t->change);
    size_t pos = 0;
    struct span key;
    void *value;
    while (map_next(&t->rules, &pos, &key, &value)) {
        free(((struct replay_rule *)value)->id);
        free(value);
    }
    map_fini(&t->rules);
    free(t->recorded);
}
