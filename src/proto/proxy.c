#include "proto/proxy.h"

#include <arpa/inet.h>

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static enum parse parse_v2(struct span in, struct proxy_header *out)
{
    if (in.n < 16)
        return PARSE_MORE;
    uint8_t version = in.p[12] >> 4, command = in.p[12] & 15, family = in.p[13];
    size_t len = (size_t)in.p[14] << 8 | in.p[15];
    if (version != 2 || command > 1 || len > PROXY_HEADER_MAX - 16)
        return PARSE_BAD;
    if (in.n < 16 + len)
        return PARSE_MORE;
    out->header_bytes = 16 + len;
    const uint8_t *a = in.p + 16;
    if (command == 0 || (family != 0x11 && family != 0x21))
        return PARSE_DONE; /* health check of the balancer itself, or a kind of socket that has no address for us */
    out->is_v6 = family == 0x21;
    size_t n = out->is_v6 ? 16 : 4;
    if (len < 2 * n + 4)
        return PARSE_BAD;
    memcpy(out->addr, a, n);
    out->port = (uint16_t)(a[2 * n] << 8 | a[2 * n + 1]);
    out->has_address = true;
    return PARSE_DONE;
}

/* Takes the next word up to a single space. */
static struct span next_word(struct span *line)
{
    size_t i = 0;
    while (i < line->n && line->p[i] != ' ')
        i++;
    struct span word = span_of(line->p, i);
    *line = span_from(*line, i + 1);
    return word;
}

static enum parse parse_v1(struct span in, struct proxy_header *out)
{
    const uint8_t *end = memmem(in.p, MIN_OF(in.n, 107), "\r\n", 2);
    if (!end)
        return in.n >= 107 ? PARSE_BAD : PARSE_MORE;
    struct span line = span_of(in.p + 6, (size_t)(end - in.p) - 6);
    out->header_bytes = (size_t)(end - in.p) + 2;
    struct span family = next_word(&line), source = next_word(&line);
    next_word(&line); /* destination address */
    struct span port = next_word(&line), to_port = line;
    if (span_is(family, "UNKNOWN"))
        return PARSE_DONE;
    char text[INET6_ADDRSTRLEN];
    uint64_t number, to_number;
    out->is_v6 = span_is(family, "TCP6");
    if ((!out->is_v6 && !span_is(family, "TCP4")) || source.n >= sizeof(text) || !span_u64(port, &number) ||
        number > 65535 || !span_u64(to_port, &to_number) || to_number > 65535)
        return PARSE_BAD;
    memcpy(text, source.p, source.n);
    text[source.n] = '\0';
    if (inet_pton(out->is_v6 ? AF_INET6 : AF_INET, text, out->addr) != 1)
        return PARSE_BAD;
    out->port = (uint16_t)number;
    out->has_address = true;
    return PARSE_DONE;
}

enum parse proxy_parse(struct span in, struct proxy_header *out)
{
    *out = (struct proxy_header){0};
    if (memcmp(in.p, signature, MIN_OF(in.n, sizeof(signature))) == 0)
        return in.n < sizeof(signature) ? PARSE_MORE : parse_v2(in, out);
    if (memcmp(in.p, "PROXY ", MIN_OF(in.n, 6)) == 0)
        return in.n < 6 ? PARSE_MORE : parse_v1(in, out);
    return PARSE_BAD;
}
