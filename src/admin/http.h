/* /metrics, /healthz and /readyz over HTTP, GET and HEAD only (libevent's evhttp). For the operator's network: no
 * login, no TLS. */
#pragma once

#include "admin/admin.h"

struct http_admin;

struct http_admin *http_admin_start(struct loop *l, const struct conf_addr *addr, const struct admin_ops *ops,
                                    void *ctx, struct err *e);
unsigned http_admin_port(const struct http_admin *h);
void http_admin_stop(struct http_admin **h);
