#include "track/webhook_target.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"

static const struct {
    unsigned per_minute, per_second;
} limits[] = {
    /* dingtalk mutes a robot for ten minutes when it gets more */
    [WEBHOOK_GENERIC] = {600, 0},
    [WEBHOOK_DINGTALK] = {20, 0},
    [WEBHOOK_WECOM] = {20, 0},
    [WEBHOOK_FEISHU] = {100, 5},
};

static int read_url(struct webhook_target *t, const struct conf *conf, const struct conf_webhook *h, struct err *e)
{
    char line[CONF_TARGET_MAX];
    const char *why;
    if (h->url_file && conf_read_line(h->url_file, line, sizeof(line), e) < 0)
        return -1;
    if (conf_url_parse(h->url_file ? line : h->url, &t->url, &why) < 0)
        return err_set(e, "its URL %s", why);
    if (!conf_host_is_allowed(t->url.host, conf->webhooks.allow_hosts, conf->webhooks.n_allow_hosts))
        return err_set(e, "host %s is not in webhooks.allow_hosts", t->url.host);
    return 0;
}

static int read_files(struct webhook_target *t, const struct conf *conf, const struct conf_webhook *h, struct err *e)
{
    if (read_url(t, conf, h, e) < 0)
        return -1;
    if (h->secret_file && conf_read_line(h->secret_file, t->secret, sizeof(t->secret), e) < 0)
        return -1;
    if (t->url.is_tls && !(t->tls = tls_client_new(h->ca, true, e)))
        return -1;
    return 0;
}

static void go_on(struct webhook_target *t, struct webhook_target *before)
{
    memcpy(t->closed_until_ms, before->closed_until_ms, sizeof(t->closed_until_ms));
    memcpy(t->closed_why, before->closed_why, sizeof(t->closed_why));
    t->count = before->count;
    memcpy(t->last_error, before->last_error, sizeof(t->last_error));
    *t->latency_ms = *before->latency_ms;
}

static void target_init(struct webhook_target *t, const struct conf *conf, const struct conf_webhook *h)
{
    struct err e;
    *t = (struct webhook_target){.name = xstrdup(h->name),
                                 .kind = h->kind,
                                 .min_severity = h->min_severity,
                                 .timeout_ms = h->timeout_ms,
                                 .per_minute = h->per_minute ? (unsigned)h->per_minute : limits[h->kind].per_minute,
                                 .per_second = limits[h->kind].per_second,
                                 .n_shops = h->n_shops};
    for (size_t i = 0; i < h->n_events; i++) {
        t->wants_reminders = t->wants_reminders || strcmp(h->events[i], "reminder") == 0;
        t->wants_cases = t->wants_cases || strcmp(h->events[i], "case") == 0;
    }
    t->shop = xcalloc(h->n_shops + 1, sizeof(*t->shop));
    for (size_t i = 0; i < h->n_shops; i++)
        t->shop[i] = xstrdup(h->shops[i]);
    t->latency_ms = xcalloc(1, sizeof(*t->latency_ms));
    if (read_files(t, conf, h, &e) < 0) {
        snprintf(t->trouble, sizeof(t->trouble), "%s", e.text);
        log_event(LOG_ERROR, "webhook_unusable", "target=%s why=\"%s\"", t->name, e.text);
    }
}

struct webhook_set *webhook_set_new(const struct conf *conf, struct webhook_set *before)
{
    struct webhook_set *s = xcalloc(1, sizeof(*s));
    *s = (struct webhook_set){.refs = 1,
                              .retry_for_ms = conf->webhooks.retry_for_ms,
                              .n_networks = conf->webhooks.n_allow_networks,
                              .n = conf->webhooks.n_targets};
    s->network = xcalloc(s->n_networks + 1, sizeof(*s->network));
    for (size_t i = 0; i < s->n_networks; i++)
        s->network[i] = conf->webhooks.allow_networks[i];
    s->target = xcalloc(s->n + 1, sizeof(*s->target));
    for (size_t i = 0; i < s->n; i++) {
        target_init(&s->target[i], conf, &conf->webhooks.target[i]);
        struct webhook_target *old = before ? webhook_set_find(before, span_str(s->target[i].name)) : NULL;
        if (old)
            go_on(&s->target[i], old);
    }
    return s;
}

void webhook_set_ref(struct webhook_set *s)
{
    s->refs++;
}

void webhook_set_unref(struct webhook_set **sp)
{
    struct webhook_set *s = *sp;
    *sp = NULL;
    if (!s || --s->refs)
        return;
    for (size_t i = 0; i < s->n; i++) {
        struct webhook_target *t = &s->target[i];
        for (size_t k = 0; k < t->n_shops; k++)
            free(t->shop[k]);
        explicit_bzero(t->secret, sizeof(t->secret));
        tls_client_unref(&t->tls);
        free(t->latency_ms);
        free(t->shop);
        free(t->name);
    }
    free(s->target);
    free(s->network);
    free(s);
}

struct webhook_target *webhook_set_find(struct webhook_set *s, struct span name)
{
    for (size_t i = 0; i < s->n; i++)
        if (span_is(name, s->target[i].name))
            return &s->target[i];
    return NULL;
}

bool webhook_target_wants(const struct webhook_target *t, struct span kind, int64_t severity, struct span shop)
{
    bool is_kind = span_is(kind, "case") ? t->wants_cases : t->wants_reminders;
    if (!is_kind || severity < t->min_severity)
        return false;
    bool is_shop = t->n_shops == 0;
    for (size_t i = 0; i < t->n_shops; i++)
        is_shop = is_shop || span_is(shop, t->shop[i]);
    return is_shop;
}

void webhook_target_close(struct webhook_target *t, bool is_common, int64_t ms, struct span why)
{
    t->closed_until_ms[0] = ms ? clock_mono_ms() + ms : 0;
    if (!is_common || !ms)
        t->closed_until_ms[1] = t->closed_until_ms[0];
    snprintf(t->closed_why, sizeof(t->closed_why), "%.*s", ms ? (int)why.n : 0, (const char *)why.p);
}

int64_t webhook_target_closed_ms(const struct webhook_target *t, bool is_urgent)
{
    return MAX_OF(t->closed_until_ms[is_urgent] - clock_mono_ms(), 0);
}
