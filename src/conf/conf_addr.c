#include "conf/conf_addr.h"

#include <arpa/inet.h>
#include <libgen.h>
#include <sys/un.h>

#include "base/xalloc.h"

static int bad(const char **why, const char *what)
{
    *why = what;
    return -1;
}

char *conf_folder_of(const char *file, struct arena *a)
{
    char *copy = xstrdup(file), *folder = dirname(copy), *whole = realpath(folder, NULL);
    char *out = arena_strdup(a, span_str(whole ? whole : folder));
    free(whole);
    free(copy);
    return out;
}

char *conf_path(struct arena *a, const char *dir, const char *path)
{
    if (path[0] == '/')
        return arena_strdup(a, span_str(path));
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    size_t n = strlen(dir) + 1 + strlen(path) + 1;
    char *out = arena_alloc(a, n);
    snprintf(out, n, "%s/%s", dir, path);
    return out;
}

static int parse_unix(const char *path, const char *dir, struct arena *a, struct conf_addr *out, const char **why)
{
    if (!*path)
        return bad(why, "has no path behind unix:");
    out->path = conf_path(a, dir, path);
    if (strlen(out->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return bad(why, "is a path longer than the 107 bytes that a Unix socket may have");
    return 0;
}

static bool is_host_name(struct span s)
{
    if (s.n == 0 || s.n > 253 || s.p[0] == '-' || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool is_alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!is_alnum && c != '-' && c != '.' && c != '_')
            return false;
    }
    return true;
}

int conf_addr_parse(const char *text, unsigned min_port, const char *dir, struct arena *a, struct conf_addr *out,
                    const char **why)
{
    *out = (struct conf_addr){.text = arena_strdup(a, span_str(text))};
    if (text[0] == '/' || strncmp(text, "unix:", 5) == 0)
        return parse_unix(text[0] == '/' ? text : text + 5, dir, a, out, why);
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text)
        return bad(why, "is not HOST:PORT");
    struct span host = span_of(text, (size_t)(colon - text));
    uint64_t port;
    if (!span_u64(span_str(colon + 1), &port) || port > 65535 || port < min_port)
        return bad(why, min_port ? "has no port from 1 to 65535" : "has no port from 0 to 65535");
    out->port = (uint16_t)port;
    if (host.p[0] == '[' && host.p[host.n - 1] == ']') {
        uint8_t addr[16];
        out->host = arena_strdup(a, span_of(host.p + 1, host.n - 2));
        return inet_pton(AF_INET6, out->host, addr) == 1 ? 0 : bad(why, "has no IPv6 address between [ and ]");
    }
    if (!is_host_name(host))
        return bad(why, "has no host name, IPv4 address or [IPv6 address] before the port");
    out->host = arena_strdup(a, host);
    return 0;
}

int conf_cidr_parse(const char *text, struct conf_cidr *out, const char **why)
{
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    *out = (struct conf_cidr){.bits = 128};
    if (n == 0 || n >= sizeof(host))
        return bad(why, "is not an address");
    memcpy(host, text, n);
    host[n] = '\0';
    unsigned family_bits = 128;
    if (inet_pton(AF_INET, host, out->addr + 12) == 1) {
        family_bits = 32;
        out->addr[10] = out->addr[11] = 0xff;
    } else if (inet_pton(AF_INET6, host, out->addr) != 1) {
        return bad(why, "is not an IPv4 or IPv6 address");
    }
    uint64_t prefix = family_bits;
    if (slash && (!span_u64(span_str(slash + 1), &prefix) || prefix > family_bits))
        return bad(why, family_bits == 32 ? "has no prefix length from 0 to 32" : "has no prefix length from 0 to 128");
    out->bits = (uint8_t)(128 - family_bits + prefix);
    for (unsigned i = out->bits; i < 128; i++)
        if (out->addr[i / 8] & (0x80u >> i % 8))
            return bad(why, "has bits set behind its prefix length");
    return 0;
}
