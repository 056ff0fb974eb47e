#include "conf/conf_check.h"

#include <errno.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/calendar.h"
#include "base/zone.h"
#include "base/buf.h"
#include "conf/conf_check_files.h"
#include "conf/conf_check_webhook.h"
#include "conf/conf_read.h"

enum { ZONE_NAME_MAX = 60 };

struct check {
    const struct conf *conf;
    const struct ynode *root;
    struct err_list *errs;
    bool want_files;
};

/* The node of a key; when it was not given, the nearest map around it. */
static const struct ynode *place(const struct ynode *map, const char *path)
{
    const struct ynode *at = conf_read_find(map, path);
    return at ? at : map;
}

static const struct ynode *item(const struct check *c, const char *list, size_t i)
{
    return yaml_get(c->root, list)->value[i];
}

static void check_file(const struct check *c, const struct ynode *at, const char *key, const char *path)
{
    if (c->want_files)
        conf_check_file(c->errs, at, key, path);
}

static const struct conf_upstream *find_upstream(const struct conf *c, const char *name)
{
    for (size_t i = 0; i < c->n_upstreams; i++)
        if (c->upstream[i].name && strcmp(c->upstream[i].name, name) == 0)
            return &c->upstream[i];
    return NULL;
}

static void check_upstream_exists(const struct check *c, const struct conf_listener *l, const struct ynode *at)
{
    if (!l->upstream || find_upstream(c->conf, l->upstream))
        return;
    struct buf names = {0};
    for (size_t i = 0; i < c->conf->n_upstreams; i++)
        if (c->conf->upstream[i].name)
            buf_printf(&names, "%s%s", names.len ? ", " : "", c->conf->upstream[i].name);
    yaml_bad(c->errs, at, "listeners[].upstream: \"%s\" is no upstream, must be one of: %.300s", l->upstream,
             names.len ? buf_cstr(&names) : "(none is defined)");
    buf_fini(&names);
}

static void check_profile(const struct check *c, const struct conf_listener *l, const struct ynode *at)
{
    char path[4400];
    if (!l->profile || !c->conf->profiles_dir || !c->want_files)
        return;
    snprintf(path, sizeof(path), "%s/%s.yaml", c->conf->profiles_dir, l->profile);
    if (access(path, R_OK) != 0)
        yaml_bad(c->errs, at,
                 "listeners[].profile: is \"%s\", but %.300s cannot be read: %s; profiles_dir says where profiles are",
                 l->profile, path, strerror(errno));
}

static bool same_addr(const struct conf_addr *a, const struct conf_addr *b)
{
    if (!a->text || !b->text)
        return false;
    if (a->path || b->path)
        return a->path && b->path && strcmp(a->path, b->path) == 0;
    return a->port != 0 && a->port == b->port && a->host && b->host && strcmp(a->host, b->host) == 0;
}

static void check_listener(const struct check *c, size_t i)
{
    const struct conf_listener *l = &c->conf->listener[i];
    const struct ynode *map = item(c, "listeners", i);
    check_upstream_exists(c, l, place(map, "upstream"));
    check_profile(c, l, place(map, "profile"));
    if (!l->tls.certificate != !l->tls.key)
        yaml_bad(c->errs, place(map, "tls"), "listeners[].tls: has only %s, must have certificate and key",
                 l->tls.key ? "key" : "certificate");
    check_file(c, place(map, "tls.certificate"), "listeners[].tls.certificate", l->tls.certificate);
    check_file(c, place(map, "tls.key"), "listeners[].tls.key", l->tls.key);
    for (size_t k = 0; k < i; k++) {
        const struct conf_listener *other = &c->conf->listener[k];
        if (l->name && other->name && strcmp(l->name, other->name) == 0)
            yaml_bad(c->errs, place(map, "name"),
                     "listeners[].name: \"%s\" was given to the listener of line %d already", l->name,
                     item(c, "listeners", k)->line);
        if (same_addr(&l->addr, &other->addr))
            yaml_bad(c->errs, place(map, "address"),
                     "listeners[].address: \"%s\" is the address of the listener of line %d already", l->addr.text,
                     item(c, "listeners", k)->line);
    }
}

static void check_client_tls(const struct check *c, const struct conf_tls *t, const struct ynode *map, const char *key)
{
    char name[80];
    if (!map)
        return;
    if (!t->is_on && (t->ca || !t->verify || t->server_name))
        yaml_bad(c->errs, map, "%s: has keys but enabled is false, must be enabled: true or left out", key);
    snprintf(name, sizeof(name), "%s.ca", key);
    check_file(c, place(map, "ca"), name, t->ca);
}

static void check_upstream(const struct check *c, size_t i)
{
    const struct conf_upstream *u = &c->conf->upstream[i];
    const struct ynode *map = item(c, "upstreams", i);
    check_client_tls(c, &u->tls, yaml_get(map, "tls"), "upstreams[].tls");
    for (size_t k = 0; k < i; k++)
        if (u->name && c->conf->upstream[k].name && strcmp(u->name, c->conf->upstream[k].name) == 0)
            yaml_bad(c->errs, place(map, "name"),
                     "upstreams[].name: \"%s\" was given to the upstream of line %d already", u->name,
                     item(c, "upstreams", k)->line);
    for (size_t k = 0; k < u->n_servers; k++)
        for (size_t j = 0; j < k; j++)
            if (same_addr(&u->server[k], &u->server[j]))
                yaml_bad(c->errs, yaml_get(map, "servers")->value[k], "upstreams[].servers: \"%s\" is listed twice",
                         u->server[k].text);
}

static void check_steps(const struct check *c, const struct conf_reminder_step *step, size_t n, const char *key)
{
    const struct ynode *list = conf_read_find(c->root, key);
    for (size_t i = 1; list && i < n; i++)
        if (step[i].after_ms && step[i].after_ms <= step[i - 1].after_ms)
            yaml_bad(c->errs, place(list->value[i], "after"),
                     "%s[].after: is %llds, must be later than the step before (%llds)", key,
                     (long long)step[i].after_ms / 1000, (long long)step[i - 1].after_ms / 1000);
}

/* Chat and call steps of a review are counted from different moments. */
static void check_review(const struct check *c)
{
    const struct ynode *list = conf_read_find(c->root, "reminders.review");
    int64_t last[2] = {-1, -1};
    for (size_t i = 0; list && i < c->conf->reminders.n_review; i++) {
        const struct conf_reminder_step *s = &c->conf->reminders.review[i];
        if (s->after_ms <= last[s->is_call])
            yaml_bad(c->errs, place(list->value[i], "after"),
                     "reminders.review[].after: is %llds, must be later than the %s step before (%llds)",
                     (long long)s->after_ms / 1000, s->is_call ? "call" : "chat", (long long)last[s->is_call] / 1000);
        last[s->is_call] = s->after_ms;
    }
}

static void check_hours(const struct check *c, const struct ynode *at, const char *key, char *const *hours, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct calendar_span span;
        struct err e;
        if (hours[i] && calendar_read_span(hours[i], &span, &e) < 0)
            yaml_bad(c->errs, at, "%s: %s", key, e.text);
    }
}

static void check_zone(const struct check *c, const char *key, const char *name)
{
    struct zone *zone = NULL;
    struct err e;
    if (name && zone_new(name, &zone, &e) < 0)
        yaml_bad(c->errs, place(c->root, key), "%s: %s", key, e.text);
    zone_free(&zone);
}

static void check_tracking(const struct check *c)
{
    struct measure m;
    const char *key, *zone = c->conf->tracking.zone;
    struct err e;
    check_zone(c, "tracking.zone", zone);
    if (zone && (strlen(zone) > ZONE_NAME_MAX || strpbrk(zone, " \t")))
        yaml_bad(c->errs, place(c->root, "tracking.zone"), "tracking.zone: is longer than %d bytes, or has spaces",
                 ZONE_NAME_MAX);
    /* The first problem ends the making; without its key the next one shows. */
    struct conf_tracking t = c->conf->tracking;
    while (measure_make(&t, &m, &key, &e) < 0) {
        yaml_bad(c->errs, conf_read_find(c->root, key) ? place(c->root, key) : place(c->root, "tracking"), "%s: %s",
                 key, e.text);
        if (strcmp(key, "tracking.session_gap") == 0)
            t.session_gap_ms = 0;
        else if (strcmp(key, "tracking.window") == 0)
            t.window = NULL;
        else if (strcmp(key, "tracking.horizon") == 0)
            t.horizon = NULL;
        else
            return;
    }
}

static void check_quiet(const struct check *c)
{
    const struct conf *conf = c->conf;
    check_zone(c, "reminders.quiet.time_zone", conf->reminders.quiet.time_zone);
    check_hours(c, place(c->root, "reminders.quiet.hours"), "reminders.quiet.hours", conf->reminders.quiet.hours,
                conf->reminders.quiet.n_hours);
    const struct ynode *list = conf_read_find(c->root, "reminders.quiet.shops");
    for (size_t i = 0; list && i < conf->reminders.quiet.n_shops; i++)
        check_hours(c, place(list->value[i], "hours"), "reminders.quiet.shops[].hours",
                    conf->reminders.quiet.shop[i].hours, conf->reminders.quiet.shop[i].n_hours);
}

static void check_control(const struct check *c)
{
    const char *path = c->conf->control;
    if (path && strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        yaml_bad(c->errs, place(c->root, "control"),
                 "control: \"%.200s\" has %zu bytes, a Unix socket's path at most 107", path, strlen(path));
}

static void check_limits(const struct check *c)
{
    const struct conf *conf = c->conf;
    if (conf->limits.message_bytes > conf->limits.buffer_bytes)
        yaml_bad(c->errs, place(c->root, "limits"),
                 "limits.message_bytes: is %lld, must not be more than limits.buffer_bytes (%lld)",
                 (long long)conf->limits.message_bytes, (long long)conf->limits.buffer_bytes);
    if (conf->limits.connections_per_address > conf->limits.connections)
        yaml_bad(c->errs, place(c->root, "limits.connections_per_address"),
                 "limits.connections_per_address: is %lld, must not be more than limits.connections (%lld)",
                 (long long)conf->limits.connections_per_address, (long long)conf->limits.connections);
}

static void check_admin(const struct check *c)
{
    for (size_t i = 0; i < c->conf->n_listeners; i++) {
        if (same_addr(&c->conf->listener[i].addr, &c->conf->admin)) {
            yaml_bad(c->errs, place(c->root, "admin"),
                     "admin: \"%s\" is the address of the listener of line %d already", c->conf->admin.text,
                     item(c, "listeners", i)->line);
            return;
        }
    }
}

static void check_user(const struct check *c, const char *prefix, const char *username, const char *password_file)
{
    char user[80], file[80];
    snprintf(user, sizeof(user), "%s.username", prefix);
    snprintf(file, sizeof(file), "%s.password_file", prefix);
    conf_check_secret(c->errs, place(c->root, file), file, password_file);
    if (username && !password_file)
        yaml_bad(c->errs, place(c->root, user), "%s: is \"%s\", but %s is missing", user, username, file);
}

void conf_check_redis(const struct conf_redis *r, const struct ynode *root, struct err_list *errs)
{
    struct check c = {.root = root, .errs = errs, .want_files = true};
    bool has_sentinel = conf_read_find(root, "redis.sentinel"), has_cluster = conf_read_find(root, "redis.cluster");
    check_user(&c, "redis", r->username, r->password_file);
    check_user(&c, "redis.sentinel", r->sentinel.username, r->sentinel.password_file);
    if (has_sentinel && (!r->sentinel.master || !r->sentinel.n))
        yaml_bad(errs, place(root, "redis.sentinel"),
                 "redis.sentinel: master and addresses belong together, must both be given");
    if (has_cluster && !r->cluster.n)
        yaml_bad(errs, place(root, "redis.cluster"), "redis.cluster: has no addresses, must have at least one");
    if (has_sentinel && has_cluster)
        yaml_bad(errs, place(root, "redis.cluster"),
                 "redis.cluster: stands beside redis.sentinel, must be one of them");
    if ((has_sentinel || has_cluster) && conf_read_find(root, "redis.address"))
        yaml_bad(errs, place(root, "redis.address"), "redis.address: stands beside redis.%s, must be one of them",
                 has_cluster ? "cluster" : "sentinel");
    for (size_t i = 0; i < r->cluster.n + r->sentinel.n; i++) {
        bool is_sentinel = i >= r->cluster.n;
        const struct conf_addr *a = is_sentinel ? &r->sentinel.addr[i - r->cluster.n] : &r->cluster.addr[i];
        if (a->path)
            yaml_bad(errs, place(root, is_sentinel ? "redis.sentinel.addresses" : "redis.cluster.addresses"),
                     "redis.%s.addresses: \"%s\" is a Unix socket, must be HOST:PORT",
                     is_sentinel ? "sentinel" : "cluster", a->text);
    }
}

void conf_check(const struct conf *conf, const struct ynode *root, bool want_files, struct err_list *errs)
{
    struct check c = {.conf = conf, .root = root, .errs = errs, .want_files = want_files};
    for (size_t i = 0; i < conf->n_listeners; i++)
        check_listener(&c, i);
    for (size_t i = 0; i < conf->n_upstreams; i++)
        check_upstream(&c, i);
    check_admin(&c);
    check_control(&c);
    check_limits(&c);
    check_client_tls(&c, &conf->redis.tls, conf_read_find(root, "redis.tls"), "redis.tls");
    if (want_files)
        conf_check_files(conf, root, errs);
    conf_check_redis(&conf->redis, root, errs);
    check_steps(&c, conf->reminders.unanswered, conf->reminders.n_unanswered, "reminders.unanswered");
    check_steps(&c, conf->reminders.stale_case, conf->reminders.n_stale_case, "reminders.stale_case");
    check_steps(&c, conf->reminders.commitment, conf->reminders.n_commitment, "reminders.commitment");
    check_steps(&c, conf->reminders.cold_case, conf->reminders.n_cold_case, "reminders.cold_case");
    check_steps(&c, conf->reminders.follow_up, conf->reminders.n_follow_up, "reminders.follow_up");
    check_review(&c);
    check_tracking(&c);
    check_quiet(&c);
    if (want_files)
        conf_check_webhooks(conf, root, errs);
}
