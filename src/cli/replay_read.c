#include "base/json_out.h"
#include "cli/replay.h"

static struct span text_of(struct replay_reader *r, uint32_t node)
{
    struct span raw = json_raw_span(&r->doc, node);
    uint8_t *out = arena_alloc(&r->arena, raw.n + 1);
    return span_of(out, json_decode(&r->doc, node, out, NULL)); /* arena memory is zeroed: NUL behind it */
}

static uint32_t member(struct replay_reader *r, const char *key)
{
    return json_member(&r->doc, 0, span_str(key));
}

/* Optional text; -1 when it is something else. */
static int read_text(struct replay_reader *r, const char *key, struct span *out, struct err *e)
{
    uint32_t at = member(r, key);
    *out = span_str("");
    if (!at)
        return 0;
    if (r->doc.node[at].kind != JSON_STRING)
        return err_set(e, "%s: is no string", key);
    *out = text_of(r, at);
    return 0;
}

/* An optional list of strings into slots; -1 when it is none or has too many. */
static int read_list(struct replay_reader *r, const char *key, struct span *out, size_t max, size_t *n, struct err *e)
{
    uint32_t at = member(r, key);
    if (!at)
        return 0;
    if (r->doc.node[at].kind != JSON_ARRAY || r->doc.node[at].n > max - *n)
        return err_set(e, "%s: must be a list of at most %zu strings", key, max - *n);
    for (uint32_t i = at + 1; i < r->doc.node[at].next; i = r->doc.node[i].next) {
        if (r->doc.node[i].kind != JSON_STRING)
            return err_set(e, "%s: holds something that is no string", key);
        out[(*n)++] = text_of(r, i);
    }
    return 0;
}

static bool is_true(struct replay_reader *r, const char *key)
{
    uint32_t at = member(r, key);
    return at && r->doc.node[at].kind == JSON_TRUE;
}

static int read_time(struct replay_reader *r, int64_t *out, struct err *e)
{
    uint32_t at = member(r, "at");
    *out = r->now_ms;
    if (!at)
        return 0;
    struct span raw = json_raw_span(&r->doc, at);
    char text[24], *end = text;
    snprintf(text, sizeof(text), "%.*s", (int)MIN_OF(raw.n, sizeof(text) - 1), (const char *)raw.p);
    long long v = strtoll(text, &end, 10);
    if (r->doc.node[at].kind != JSON_NUMBER || *end || v < 0 || raw.n >= sizeof(text))
        return err_set(e, "at: is %.40s, must be milliseconds since 1970, a whole number", text);
    *out = v;
    return 0;
}

static int read_side(struct replay_reader *r, struct replay_message *m, struct err *e)
{
    uint32_t at = member(r, "side");
    bool is_customer = at && json_is(&r->doc, at, span_str("customer"));
    if (at && !is_customer && !json_is(&r->doc, at, span_str("agent")))
        return err_set(e, "side: must be \"agent\" or \"customer\"");
    m->dir = is_customer ? DIR_INCOMING : DIR_OUTGOING;
    return 0;
}

static int read_texts(struct replay_reader *r, struct replay_message *m, struct err *e)
{
    uint32_t at = member(r, "text");
    if (!at || r->doc.node[at].kind != JSON_STRING)
        return err_set(e, "text: missing or no string");
    m->text[0] = text_of(r, at);
    m->n_texts = 1;
    return read_list(r, "more", m->text, INPUT_TEXTS_MAX, &m->n_texts, e);
}

static int read_who(struct replay_reader *r, struct replay_message *m, struct err *e)
{
    struct span fact[REPLAY_FACTS_MAX];
    if (read_text(r, "agent", &m->agent, e) || read_text(r, "conv", &m->conv, e) ||
        read_text(r, "team", &m->who.team, e) || read_text(r, "shop", &m->who.shop, e) ||
        read_text(r, "role", &m->who.role, e) || read_list(r, "facts", fact, REPLAY_FACTS_MAX, &m->who.n_facts, e))
        return -1;
    const char **facts = arena_alloc(&r->arena, sizeof(char *) * (m->who.n_facts + 1));
    for (size_t i = 0; i < m->who.n_facts; i++)
        facts[i] = (const char *)fact[i].p;
    m->who.agent = m->agent;
    m->who.facts = facts;
    return 0;
}

static int read_action(struct replay_reader *r, uint32_t at, int *end, struct err *e)
{
    for (int a = 0; a < ACTION_COUNT; a++) {
        if (json_is(&r->doc, at, span_str(action_name((enum action)a)))) {
            *end = a;
            return 0;
        }
    }
    return err_set(e, "action: must be pass, warn, rewrite, hold or block");
}

static int read_outcome(struct replay_reader *r, struct replay_message *m, struct err *e)
{
    struct replay_outcome *o = &m->outcome;
    uint32_t at = member(r, "action");
    m->has_outcome = at != 0;
    if (!at)
        return 0;
    if (read_action(r, at, &o->end, e) || read_text(r, "opens_case", &o->case_kind, e) ||
        read_list(r, "rules", o->rule, OUTCOME_RULES_MAX, &o->n_rules, e))
        return -1;
    if (m->dir == DIR_INCOMING)
        o->end = o->case_kind.n ? END_CASE : is_true(r, "confirms_case") ? END_CONFIRMED : END_NONE;
    return 0;
}

int replay_read(struct replay_reader *r, struct span line, struct replay_message *m, struct err *e)
{
    arena_reset(&r->arena);
    m->id = span_str("");
    m->n_texts = m->who.n_facts = m->outcome.n_rules = 0;
    if (line.n > REPLAY_LINE_MAX)
        return err_set(e, "longer than 1 MiB");
    if (json_read(&r->doc, line, 0, e) != JSON_OK)
        return -1;
    if (r->doc.node[0].kind != JSON_OBJECT)
        return err_set(e, "is no JSON object, must be one of a capture, or "
                          "{\"id\":…,\"text\":…,\"side\":\"agent\"|\"customer\"}");
    uint32_t id = member(r, "id"), mode = member(r, "mode");
    if (id)
        m->id = json_raw_span(&r->doc, id);
    m->is_edit = is_true(r, "edit");
    m->is_masked = is_true(r, "masked");
    m->is_observed = mode && json_is(&r->doc, mode, span_str("observe"));
    m->is_bypassed = mode && json_is(&r->doc, mode, span_str("bypass"));
    if (read_time(r, &m->at_ms, e) || read_side(r, m, e) || read_texts(r, m, e) || read_who(r, m, e) ||
        read_outcome(r, m, e) || read_text(r, "rules_version", &m->rules_version, e))
        return -1;
    m->is_unruled = !m->has_outcome && member(r, "cause");
    return 0;
}

void replay_reader_fini(struct replay_reader *r)
{
    json_doc_fini(&r->doc);
    arena_fini(&r->arena);
}
