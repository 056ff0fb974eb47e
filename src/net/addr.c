#include "net/addr.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>

int addr_resolve(const struct conf_addr *from, bool is_passive, struct addr *out, struct err *e)
{
    *out = (struct addr){0};
    if (from->path) {
        size_t n = strlen(from->path);
        if (n >= sizeof(out->any.un.sun_path))
            return err_set(e, "%s: path of a Unix socket is longer than %zu bytes", from->path,
                           sizeof(out->any.un.sun_path) - 1);
        out->any.un.sun_family = AF_UNIX;
        memcpy(out->any.un.sun_path, from->path, n);
        out->len = sizeof(out->any.un);
        return 0;
    }
    char service[8];
    snprintf(service, sizeof(service), "%u", from->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = is_passive ? AI_PASSIVE : 0}, *list = NULL;
    bool is_any = !from->host || strcmp(from->host, "*") == 0;
    int rc = getaddrinfo(is_any ? NULL : from->host, service, &hints, &list);
    if (rc)
        return err_set(e, "%s: %s", from->text, gai_strerror(rc));
    memcpy(&out->any, list->ai_addr, list->ai_addrlen);
    out->len = list->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}

struct host addr_host(const struct addr *a)
{
    struct host h = {.is_unix = false};
    if (a->any.sa.sa_family == AF_INET) {
        h.addr[10] = h.addr[11] = 0xff;
        memcpy(h.addr + 12, &a->any.in.sin_addr, 4);
    } else if (a->any.sa.sa_family == AF_INET6) {
        memcpy(h.addr, &a->any.in6.sin6_addr, 16);
    } else {
        h.is_unix = true;
    }
    return h;
}

/* For every request's X-Forwarded-For: inet_ntop prints by way of sprintf, twenty times as dear. */
static void v4_text(const uint8_t a[4], char *p)
{
    for (size_t i = 0; i < 4; i++) {
        if (a[i] >= 100)
            *p++ = (char)('0' + a[i] / 100);
        if (a[i] >= 10)
            *p++ = (char)('0' + a[i] / 10 % 10);
        *p++ = (char)('0' + a[i] % 10);
        *p++ = i < 3 ? '.' : 0;
    }
}

const char *host_text(const struct host *h, char out[ADDR_TEXT_MAX])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (h->is_unix)
        snprintf(out, ADDR_TEXT_MAX, "unix");
    else if (memcmp(h->addr, mapped, sizeof(mapped)) == 0)
        v4_text(h->addr + 12, out);
    else
        inet_ntop(AF_INET6, h->addr, out, ADDR_TEXT_MAX);
    return out;
}

const char *addr_host_text(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    struct host h = addr_host(a);
    return host_text(&h, out);
}

void addr_set_no_delay(int fd)
{
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void addr_set_late_ack(int fd)
{
    const int off = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
}

bool addr_is_same(const struct addr *a, const struct addr *b)
{
    return a->len == b->len && memcmp(&a->any, &b->any, a->len) == 0;
}

bool addr_in_cidr(const struct addr *a, const struct conf_cidr *list, size_t n)
{
    struct host h = addr_host(a);
    for (size_t i = 0; i < n; i++) {
        unsigned whole = list[i].bits / 8, rest = list[i].bits % 8;
        uint8_t mask = (uint8_t)(0xff00 >> rest);
        if (memcmp(h.addr, list[i].addr, whole) == 0 && (!rest || ((h.addr[whole] ^ list[i].addr[whole]) & mask) == 0))
            return true;
    }
    return false;
}
