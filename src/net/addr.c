#include "net/addr.h"

#include <arpa/inet.h>
#include <netdb.h>

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

const char *addr_host_text(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    if (a->any.sa.sa_family == AF_INET)
        inet_ntop(AF_INET, &a->any.in.sin_addr, out, ADDR_TEXT_MAX);
    else if (a->any.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->any.in6.sin6_addr))
        inet_ntop(AF_INET, &a->any.in6.sin6_addr.s6_addr[12], out, ADDR_TEXT_MAX);
    else if (a->any.sa.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &a->any.in6.sin6_addr, out, ADDR_TEXT_MAX);
    else
        snprintf(out, ADDR_TEXT_MAX, "unix");
    return out;
}

void addr_bytes(const struct addr *a, uint8_t out[16])
{
    memset(out, 0, 16);
    if (a->any.sa.sa_family == AF_INET) {
        out[10] = out[11] = 0xff;
        memcpy(out + 12, &a->any.in.sin_addr, 4);
    } else if (a->any.sa.sa_family == AF_INET6) {
        memcpy(out, &a->any.in6.sin6_addr, 16);
    }
}

bool addr_is_same(const struct addr *a, const struct addr *b)
{
    return a->len == b->len && memcmp(&a->any, &b->any, a->len) == 0;
}

bool addr_in_cidr(const struct addr *a, const struct conf_cidr *list, size_t n)
{
    uint8_t b[16];
    addr_bytes(a, b);
    for (size_t i = 0; i < n; i++) {
        unsigned whole = list[i].bits / 8, rest = list[i].bits % 8;
        uint8_t mask = (uint8_t)(0xff00 >> rest);
        if (memcmp(b, list[i].addr, whole) == 0 && (!rest || ((b[whole] ^ list[i].addr[whole]) & mask) == 0))
            return true;
    }
    return false;
}
