#include "conf/conf_warn.h"

#include <grp.h>

#include "conf/conf_read.h"

static void warn_unused_upstreams(const struct conf *c, const struct ynode *root, struct err_list *warnings)
{
    const struct ynode *list = yaml_get(root, "upstreams");
    for (size_t i = 0; i < c->n_upstreams; i++) {
        const struct conf_upstream *u = &c->upstream[i];
        bool is_used = !u->name;
        for (size_t k = 0; k < c->n_listeners; k++)
            is_used = is_used || (c->listener[k].upstream && strcmp(c->listener[k].upstream, u->name) == 0);
        if (!is_used)
            yaml_bad(warnings, list->value[i], "upstreams[].name: no listener uses \"%s\"", u->name);
        if (u->tls.is_on && !u->tls.verify)
            yaml_bad(warnings, conf_read_find(list->value[i], "tls.verify"),
                     "upstreams[].tls.verify: is false, anybody between here and the backend can read along");
    }
}

static bool is_loopback(const struct conf_addr *a)
{
    return a->path || !a->host || strncmp(a->host, "127.", 4) == 0 || strcmp(a->host, "::1") == 0 ||
           strcmp(a->host, "localhost") == 0;
}

void conf_warn(const struct conf *c, const struct ynode *root, struct err_list *warnings)
{
    warn_unused_upstreams(c, root, warnings);
    if (c->admin.text && !is_loopback(&c->admin))
        yaml_bad(warnings, yaml_get(root, "admin"), "admin: \"%s\" can be reached from other hosts and has no login",
                 c->admin.text);
    if (c->control_group && !getgrnam(c->control_group))
        yaml_bad(warnings, yaml_get(root, "control_group"), "control_group: this host has no group \"%s\"",
                 c->control_group);
    if (c->redis.tls.is_on && !c->redis.tls.verify)
        yaml_bad(warnings, conf_read_find(root, "redis.tls.verify"),
                 "redis.tls.verify: is false, anybody between here and Redis can read along");
    if (c->refuse_unknown_agents && !c->directory)
        yaml_bad(warnings, yaml_get(root, "unknown_agent"),
                 "unknown_agent: is refuse, but without a directory every agent is unknown");
    if (c->redis.is_on && c->reminders.n_unanswered == 0 && conf_read_find(root, "reminders.unanswered"))
        yaml_bad(warnings, conf_read_find(root, "reminders.unanswered"),
                 "reminders.unanswered: is empty, nobody is told of a customer who waits");
}
