#include "proto/xmpp_jid.h"

enum { USER_MAX = 1023 };

static size_t find(struct span s, uint8_t c)
{
    const uint8_t *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

struct span xmpp_bare(struct span jid)
{
    return span_of(jid.p, find(jid, '/'));
}

struct span xmpp_resource(struct span jid)
{
    return span_from(jid, find(jid, '/') + 1);
}

struct span xmpp_domain(struct span jid)
{
    struct span bare = xmpp_bare(jid);
    size_t at = find(bare, '@');
    return at < bare.n ? span_from(bare, at + 1) : bare;
}

bool xmpp_is_person(struct span jid)
{
    struct span bare = xmpp_bare(jid);
    size_t at = find(bare, '@');
    return at > 0 && at < bare.n;
}

size_t xmpp_write_bare(uint8_t *to, struct span jid)
{
    struct span bare = xmpp_bare(jid);
    for (size_t i = 0; i < bare.n; i++)
        to[i] = bare.p[i] >= 'A' && bare.p[i] <= 'Z' ? bare.p[i] | 0x20 : bare.p[i];
    return bare.n;
}

void xmpp_append_bare(struct buf *out, struct span jid)
{
    buf_commit(out, xmpp_write_bare(buf_reserve(out, jid.n + 1), jid));
}

static int digit(uint8_t c, const char *last_two)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == last_two[0] ? 62 : c == last_two[1] ? 63 : -1;
}

static bool decode(struct span in, const char *last_two, struct buf *out)
{
    uint32_t bits = 0;
    unsigned n = 0;
    for (size_t i = 0; i < in.n; i++) {
        int v = digit(in.p[i], last_two);
        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        n += 6;
        if (n >= 8) {
            uint8_t byte = (uint8_t)(bits >> (n -= 8));
            buf_append(out, &byte, 1);
        }
    }
    return n < 6; /* a lone digit carries no byte */
}

bool xmpp_base64_decode(struct span in, struct buf *out)
{
    if (span_is(in, "="))
        return true;
    if (in.n % 4)
        return false;
    for (int i = 0; i < 2 && in.n && in.p[in.n - 1] == '='; i++)
        in.n--;
    return decode(in, "+/", out);
}

bool xmpp_base64url_decode(struct span in, struct buf *out)
{
    return decode(in, "-_", out);
}

void xmpp_base64url(struct span in, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned n = 0;
    for (size_t i = 0; i < in.n; i++) {
        bits = bits << 8 | in.p[i];
        for (n += 8; n >= 6; n -= 6)
            buf_append(out, &digits[bits >> (n - 6) & 63], 1);
    }
    if (n)
        buf_append(out, &digits[bits << (6 - n) & 63], 1);
}

/* A SASL name: "=2C" is a comma, "=3D" an equals sign (RFC 5802 5.1). */
static void append_saslname(struct buf *out, struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        struct span rest = span_from(name, i);
        if (span_starts(rest, span_str("=2C")) || span_starts(rest, span_str("=3D"))) {
            buf_append(out, rest.p[2] == 'C' ? "," : "=", 1);
            i += 2;
        } else {
            buf_append(out, rest.p, 1);
        }
    }
}

static bool scram_user(struct span first, struct buf *out)
{
    /* gs2-cbind-flag "," [ "a=" name ] "," "n=" name "," … */
    first = span_from(first, find(first, ',') + 1);
    struct span authzid = span_of(first.p, find(first, ','));
    first = span_from(first, authzid.n + 1);
    if (!span_starts(first, span_str("n=")))
        return false;
    struct span name = span_of(first.p + 2, find(span_from(first, 2), ','));
    append_saslname(out, span_starts(authzid, span_str("a=")) ? span_from(authzid, 2) : name);
    return out->len > 0;
}

static bool plain_user(struct span first, struct buf *out)
{
    struct span authzid = span_of(first.p, find(first, 0));
    first = span_from(first, authzid.n + 1);
    struct span name = span_of(first.p, find(first, 0));
    buf_append_span(out, authzid.n ? authzid : name);
    return out->len > 0;
}

bool xmpp_sasl_user(struct span mechanism, struct span first, struct buf *out)
{
    buf_reset(out);
    if (first.n > USER_MAX * 4)
        return false;
    if (span_is(mechanism, "PLAIN"))
        return plain_user(first, out) && out->len <= USER_MAX;
    if (span_starts(mechanism, span_str("SCRAM-")))
        return scram_user(first, out) && out->len <= USER_MAX;
    return false;
}
