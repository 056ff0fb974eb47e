#include "conf/conf_url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

static int bad(const char **why, const char *what)
{
    *why = what;
    return -1;
}

static bool is_name(const char *host)
{
    bool is_good = *host && *host != '.' && *host != '-';
    for (const char *c = host; *c; c++)
        is_good = is_good && ((*c >= '0' && *c <= '9') || ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z') || *c == '-' ||
                              *c == '.' || *c == '_');
    return is_good;
}

static int read_host(struct span s, struct conf_url *out, const char **why)
{
    if (!s.n || s.n >= CONF_HOST_MAX)
        return bad(why, "has no host of 1 to 253 bytes");
    bool is_v6 = s.p[0] == '[' && s.p[s.n - 1] == ']';
    if (is_v6)
        s = span_of(s.p + 1, s.n - 2);
    memcpy(out->host, s.p, s.n);
    out->host[s.n] = 0;
    uint8_t addr[16];
    if (is_v6 ? inet_pton(AF_INET6, out->host, addr) != 1 : !is_name(out->host))
        return bad(why, "has no host name, IPv4 address or [IPv6 address]");
    return 0;
}

/* host[:port] */
static int read_authority(struct span s, struct conf_url *out, const char **why)
{
    const uint8_t *colon = s.n ? memrchr(s.p, ':', s.n) : NULL;
    if (colon && s.p[0] == '[' && s.p[s.n - 1] == ']')
        colon = NULL;
    out->port = out->is_tls ? 443 : 80;
    out->has_port = colon;
    if (colon) {
        uint64_t port;
        if (!span_u64(span_from(s, (size_t)(colon - s.p) + 1), &port) || port < 1 || port > 65535)
            return bad(why, "has no port from 1 to 65535");
        out->port = (uint16_t)port;
        s.n = (size_t)(colon - s.p);
    }
    return read_host(s, out, why);
}

int conf_url_parse(const char *text, struct conf_url *out, const char **why)
{
    *out = (struct conf_url){.is_tls = strncasecmp(text, "https://", 8) == 0};
    if (!out->is_tls && strncasecmp(text, "http://", 7) != 0)
        return bad(why, "does not begin with https:// or http://");
    text += out->is_tls ? 8 : 7;
    size_t n = strcspn(text, "/?#");
    if (memchr(text, '@', n))
        return bad(why, "has a login in it");
    if (strchr(text, '#'))
        return bad(why, "has a fragment (#)");
    for (const char *c = text; *c; c++)
        if (*c <= 0x20 || *c >= 0x7f || strchr("\"<>\\^`{|}", *c))
            return bad(why, "has a character that must be percent-encoded");
    if (strlen(text) - n > CONF_URL_MAX)
        return bad(why, "is longer than 2,000 bytes");
    snprintf(out->target, sizeof(out->target), "%s%s", text[n] == '/' ? "" : "/", text + n);
    return read_authority(span_of(text, n), out, why);
}

bool conf_host_is_allowed(const char *host, char *const *list, size_t n)
{
    size_t len = strlen(host);
    for (size_t i = 0; i < n; i++) {
        size_t k = strlen(list[i]);
        if (strcasecmp(host, list[i]) == 0 ||
            (list[i][0] == '.' && len > k && strcasecmp(host + len - k, list[i]) == 0))
            return true;
    }
    return false;
}

int conf_read_line(const char *path, char *out, size_t cap, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, cap);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    if (n < 0)
        return err_sys(e, "%s", path);
    const char *end = memchr(out, '\n', (size_t)n);
    if (!end && (size_t)n == cap)
        return err_set(e, "%s: its first line is longer than %zu bytes", path, cap - 1);
    struct span line = span_trim(span_of(out, end ? (size_t)(end - out) : (size_t)n));
    if (!line.n || line.n >= cap || memchr(line.p, 0, line.n))
        return err_set(e, "%s: its first line is empty", path);
    memmove(out, line.p, line.n);
    out[line.n] = 0;
    return 0;
}

bool conf_is_domain(const char *text)
{
    const char *p = text + (*text == '!');
    if (!*p || strchr(".-", *p) || strstr(p, "..") || strpbrk(p, "/:@*?#% \t\"'\\,"))
        return false;
    return p[strlen(p) - 1] != '.' && strchr(p, '.');
}
