#include "gate/snapshot.h"

#include "base/clock.h"
#include "base/xalloc.h"

/* The control thread waits for name servers no longer than this; sessions do not wait. */
enum { NAMES_LIMIT_MS = 3000 };

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_upstream(const struct conf_upstream *a, const struct conf_upstream *b)
{
    if (!same_text(a->name, b->name) || a->n_servers != b->n_servers || a->tls.is_on || b->tls.is_on ||
        a->health_interval_ms != b->health_interval_ms || a->health_timeout_ms != b->health_timeout_ms ||
        a->health_fall != b->health_fall || a->health_rise != b->health_rise)
        return false; /* with TLS always made anew: the files may have changed */
    for (size_t i = 0; i < a->n_servers; i++)
        if (!same_text(a->server[i].text, b->server[i].text))
            return false;
    return true;
}

static struct upstream *find_old(const struct snapshot *old, const struct conf_upstream *c)
{
    for (size_t i = 0; old && i < old->conf->n_upstreams; i++)
        if (same_upstream(&old->conf->upstream[i], c))
            return upstream_ref(old->upstream[i]);
    return NULL;
}

static void load_upstreams(struct snapshot *s, const struct snapshot *old, struct err_list *errs)
{
    const struct conf *c = s->conf;
    s->upstream = xcalloc(c->n_upstreams, sizeof(struct upstream *));
    for (size_t i = 0; i < c->n_upstreams; i++) {
        struct err e;
        s->upstream[i] = find_old(old, &c->upstream[i]);
        if (!s->upstream[i])
            s->upstream[i] = upstream_new(&c->upstream[i], &e);
        if (!s->upstream[i])
            err_list_add(errs, "%s: %s", c->file, e.text);
        s->n_upstreams = i + 1;
    }
}

static void load_entry(struct snapshot *s, size_t i, struct err_list *errs)
{
    const struct conf_listener *l = &s->conf->listener[i];
    struct entry *n = s->entry[i] = xcalloc(1, sizeof(*n));
    atomic_init(&n->refs, 1);
    n->name = xstrdup(l->name);
    n->forwarded_headers = l->forwarded_headers;
    char *path = xasprintf("%s/%s.yaml", s->conf->profiles_dir, l->profile);
    n->profile = profile_load_file(path, errs);
    free(path);
    for (size_t u = 0; u < s->n_upstreams; u++)
        if (s->upstream[u] && strcmp(upstream_name(s->upstream[u]), l->upstream) == 0)
            n->upstream = upstream_ref(s->upstream[u]);
    struct err e;
    if (l->tls.is_on && !(n->tls = tls_server_new(l->tls.certificate, l->tls.key, &e)))
        err_list_add(errs, "%s: listener %s: %s", s->conf->file, l->name, e.text);
    const struct profile_xmpp *x = n->profile ? profile_xmpp(n->profile) : NULL;
    if (x && !x->is_websocket && n->tls)
        tls_server_set_alpn(n->tls, "xmpp-client");
    if (x && !x->is_websocket && n->upstream && upstream_tls(n->upstream))
        tls_client_set_alpn(upstream_tls(n->upstream), "xmpp-client");
    if (x && x->upstream_starttls && n->upstream && !upstream_tls(n->upstream))
        err_list_add(errs,
                     "%s: listener %s: profile %s has upstream_tls: starttls, so upstream %s needs tls.enabled: true",
                     s->conf->file, l->name, l->profile, l->upstream);
}

static void load_rules(struct snapshot *s, struct err_list *errs)
{
    const struct conf *c = s->conf;
    struct ruleset_options o = {.pack_paths = (const char *const *)c->rules.packs,
                                .n_pack_paths = c->rules.n_packs,
                                .local_path = c->rules.local,
                                .preset = c->rules.preset,
                                .allow_domains = (const char *const *)c->rules.allow_domains,
                                .n_allow_domains = c->rules.n_allow_domains};
    if (ruleset_load(&o, &s->rules, errs) < 0)
        s->rules = NULL;
}

static void check_same_listeners(const struct conf *old, const struct conf *now, struct err_list *errs)
{
    bool same = old->n_listeners == now->n_listeners;
    for (size_t i = 0; same && i < now->n_listeners; i++)
        same = same_text(old->listener[i].name, now->listener[i].name) &&
               same_text(old->listener[i].addr.text, now->listener[i].addr.text);
    if (!same)
        err_list_add(errs, "%s: listeners: names and addresses cannot change while running; restart chatgated",
                     now->file);
}

int snapshot_load(const char *path, const struct snapshot *old, struct snapshot **out, struct err_list *errs)
{
    size_t before = errs->n;
    struct snapshot *s = xcalloc(1, sizeof(*s));
    atomic_init(&s->refs, 1);
    s->loaded_ms = clock_wall_ms();
    if (conf_load(path, &s->conf, errs) == 0) {
        if (old)
            check_same_listeners(old->conf, s->conf, errs);
        if (directory_load(s->conf->directory, &s->directory, errs) < 0)
            s->directory = NULL;
        load_rules(s, errs);
        load_upstreams(s, old, errs);
        s->entry = xcalloc(s->conf->n_listeners, sizeof(struct entry *));
        for (size_t i = 0; i < s->conf->n_listeners; i++)
            load_entry(s, i, errs);
    }
    if (errs->n != before || !s->conf) {
        snapshot_unref(&s);
        return -1;
    }
    upstream_resolve(s->upstream, s->n_upstreams, old ? old->upstream : NULL, old ? old->n_upstreams : 0,
                     NAMES_LIMIT_MS);
    *out = s;
    return 0;
}

struct entry *entry_ref(struct entry *e)
{
    atomic_fetch_add(&e->refs, 1);
    return e;
}

void entry_unref(struct entry **ep)
{
    struct entry *e = *ep;
    *ep = NULL;
    if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
        return;
    profile_unref(&e->profile);
    upstream_unref(&e->upstream);
    tls_server_unref(&e->tls);
    free(e->name);
    free(e);
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void snapshot_unref(struct snapshot **sp)
{
    struct snapshot *s = *sp;
    *sp = NULL;
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; s->entry && i < s->conf->n_listeners; i++)
        entry_unref(&s->entry[i]);
    for (size_t i = 0; i < s->n_upstreams; i++)
        upstream_unref(&s->upstream[i]);
    free(s->entry);
    free(s->upstream);
    ruleset_unref(&s->rules);
    directory_unref(&s->directory);
    conf_free(&s->conf);
    free(s);
}
