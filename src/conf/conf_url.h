/* URLs that webhooks go to: http or https, a host, no login in it; domains of links. */
#pragma once

#include "conf/conf.h"

enum { CONF_HOST_MAX = 254, CONF_URL_MAX = 2000, CONF_TARGET_MAX = 2304 /* room for a signature in the query */ };

struct conf_url {
    bool is_tls;
    char host[CONF_HOST_MAX];
    uint16_t port;
    bool has_port;                /* it was written */
    char target[CONF_TARGET_MAX]; /* path and query, beginning with "/" */
};

/* 0, or -1 and in *why what is wrong. */
int conf_url_parse(const char *text, struct conf_url *out, const char **why) MUST_CHECK;
/* Is it an entry of the list, or below one that begins with a dot? Case does not matter. */
bool conf_host_is_allowed(const char *host, char *const *list, size_t n);
/* Domains of allow lists are compared with the end of a link's host: may this, without a `!` before it, ever be one
 * there? */
bool conf_is_domain(const char *text);
/* The first line of a file, without white space around it, at most cap - 1 bytes. -1 and err: unreadable, empty, too
 * long. */
int conf_read_line(const char *path, char *out, size_t cap, struct err *e) MUST_CHECK;
