#include "admin/admin.h"

#include "admin/control.h"
#include "admin/http.h"
#include "base/xalloc.h"

struct admin {
    struct admin_ops ops;
    struct control *control;
    struct http_admin *http; /* NULL: admin is none */
};

struct admin *admin_start(struct loop *l, const struct conf *conf, const struct admin_ops *ops, void *ctx,
                          struct err *e)
{
    struct admin *a = xcalloc(1, sizeof(*a));
    a->ops = *ops;
    a->control = control_start(l, conf->control, conf->control_group, &a->ops, ctx, e);
    if (a->control && conf->admin.text)
        a->http = http_admin_start(l, &conf->admin, &a->ops, ctx, e);
    if (!a->control || (conf->admin.text && !a->http))
        admin_stop(&a);
    return a;
}

unsigned admin_http_port(const struct admin *a)
{
    return a->http ? http_admin_port(a->http) : 0;
}

void admin_stop(struct admin **a)
{
    if (!*a)
        return;
    control_stop(&(*a)->control);
    http_admin_stop(&(*a)->http);
    free(*a);
    *a = NULL;
}
