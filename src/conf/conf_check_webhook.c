#include "conf/conf_check_webhook.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "conf/conf_read.h"
#include "conf/conf_url.h"

struct check {
    const struct conf *conf;
    const struct ynode *map; /* of the target */
    const struct conf_webhook *hook;
    struct err_list *errs;
};

static const struct ynode *at(const struct check *c, const char *key)
{
    const struct ynode *n = yaml_get(c->map, key);
    return n ? n : c->map;
}

static void check_readable(const struct check *c, const char *key, const char *path)
{
    if (path && access(path, R_OK) != 0)
        yaml_bad(c->errs, at(c, key), "webhooks.targets[].%s: \"%s\" cannot be read: %s", key, path, strerror(errno));
}

static void check_url(const struct check *c, const char *key, const char *text)
{
    struct conf_url url;
    const char *why;
    bool is_secret = strcmp(key, "url_file") == 0; /* then its text is not shown */
    if (conf_url_parse(text, &url, &why) < 0)
        yaml_bad(c->errs, at(c, key), "webhooks.targets[].%s: %s%.100s%s %s", key, is_secret ? "the URL" : "\"",
                 is_secret ? "" : text, is_secret ? "" : "\"", why);
    else if (!conf_host_is_allowed(url.host, c->conf->webhooks.allow_hosts, c->conf->webhooks.n_allow_hosts))
        yaml_bad(c->errs, at(c, key), "webhooks.targets[].%s: host \"%s\" is not in webhooks.allow_hosts", key,
                 url.host);
    else if (!url.is_tls && !c->conf->webhooks.n_allow_networks)
        yaml_bad(
            c->errs, at(c, key),
            "webhooks.targets[].%s: is http, must be https; http goes only to addresses of webhooks.allow_networks",
            key);
}

static void check_target(const struct check *c)
{
    const struct conf_webhook *h = c->hook;
    char line[CONF_TARGET_MAX];
    struct err e;
    if (!h->url == !h->url_file)
        yaml_bad(c->errs, c->map, "webhooks.targets[]: has %s url%s url_file, must have one of them",
                 h->url ? "both" : "neither", h->url ? " and" : " nor");
    else if (h->url)
        check_url(c, "url", h->url);
    else if (conf_read_line(h->url_file, line, sizeof(line), &e) < 0)
        yaml_bad(c->errs, at(c, "url_file"), "webhooks.targets[].url_file: %s", e.text);
    else
        check_url(c, "url_file", line);
    if (h->secret_file && conf_read_line(h->secret_file, line, sizeof(line), &e) < 0)
        yaml_bad(c->errs, at(c, "secret_file"), "webhooks.targets[].secret_file: %s", e.text);
    if (h->secret_file && h->kind == WEBHOOK_WECOM)
        yaml_bad(c->errs, at(c, "secret_file"), "webhooks.targets[].secret_file: wecom knows no signature");
    check_readable(c, "ca", h->ca);
    for (size_t i = 0; i < h->n_events; i++)
        if (strcmp(h->events[i], "reminder") != 0 && strcmp(h->events[i], "case") != 0)
            yaml_bad(c->errs, at(c, "events"), "webhooks.targets[].events: has \"%s\", must be reminder, case",
                     h->events[i]);
}

void conf_check_webhooks(const struct conf *conf, const struct ynode *root, struct err_list *errs)
{
    const struct ynode *list = conf_read_find(root, "webhooks.targets");
    for (size_t i = 0; list && i < conf->webhooks.n_targets; i++) {
        struct check c = {.conf = conf, .map = list->value[i], .hook = &conf->webhooks.target[i], .errs = errs};
        check_target(&c);
        for (size_t k = 0; k < i; k++)
            if (c.hook->name && conf->webhooks.target[k].name &&
                strcmp(c.hook->name, conf->webhooks.target[k].name) == 0)
                yaml_bad(errs, at(&c, "name"),
                         "webhooks.targets[].name: \"%s\" was given to the target of line %d already", c.hook->name,
                         list->value[k]->line);
    }
}
