#include "proto/xmpp_token.h"

#include "base/utf8.h"
#include "proto/xmpp_jid.h"

enum { MAC_BYTES = 16, FIELDS = 4, TOKEN_BYTES_MAX = 8192 };
static const char prefix[] = "cgb-";

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static void sip_rounds(uint64_t v[4], int n)
{
    while (n--) {
        v[0] += v[1], v[1] = rotl(v[1], 13) ^ v[0], v[0] = rotl(v[0], 32);
        v[2] += v[3], v[3] = rotl(v[3], 16) ^ v[2];
        v[0] += v[3], v[3] = rotl(v[3], 21) ^ v[0];
        v[2] += v[1], v[1] = rotl(v[1], 17) ^ v[2], v[2] = rotl(v[2], 32);
    }
}

/* SipHash-2-4 (Aumasson, Bernstein 2012). */
static uint64_t siphash(const uint8_t key[16], struct span s)
{
    uint64_t k[2];
    memcpy(k, key, sizeof(k));
    uint64_t v[4] = {k[0] ^ 0x736f6d6570736575u, k[1] ^ 0x646f72616e646f6du, k[0] ^ 0x6c7967656e657261u,
                     k[1] ^ 0x7465646279746573u};
    uint64_t last = (uint64_t)s.n << 56, m;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        memcpy(&m, s.p + i, 8);
        v[3] ^= m;
        sip_rounds(v, 2);
        v[0] ^= m;
    }
    for (size_t b = 0; i + b < s.n; b++)
        last |= (uint64_t)s.p[i + b] << (8 * b);
    v[3] ^= last;
    sip_rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void xmpp_token_mac(const uint8_t key[XMPP_KEY_BYTES], struct span s, uint64_t mac[2])
{
    mac[0] = siphash(key, s);
    mac[1] = siphash(key + 16, s);
}

static void make_mac(const uint8_t key[XMPP_KEY_BYTES], struct span s, uint8_t mac[MAC_BYTES])
{
    uint64_t half[2];
    xmpp_token_mac(key, s, half);
    memcpy(mac, half, MAC_BYTES);
}

static struct span cut(struct span text)
{
    if (text.n > XMPP_TOKEN_TEXT_MAX)
        text.n = utf8_valid_prefix(span_of(text.p, XMPP_TOKEN_TEXT_MAX));
    return text;
}

bool xmpp_token_make(const uint8_t key[XMPP_KEY_BYTES], const struct xmpp_bounce *b, struct buf *out)
{
    const struct span field[FIELDS] = {b->id, b->to, cut(b->rule), cut(b->reason)};
    if (b->id.n > XMPP_TOKEN_TEXT_MAX || b->to.n > XMPP_TOKEN_TEXT_MAX)
        return false;
    struct buf t = {0};
    uint8_t kind = (uint8_t)b->kind, mac[MAC_BYTES];
    buf_append(&t, &kind, 1);
    for (int i = 0; i < FIELDS; i++) {
        uint8_t len[2] = {(uint8_t)(field[i].n >> 8), (uint8_t)field[i].n};
        buf_append(&t, len, 2);
        buf_append_span(&t, field[i]);
    }
    make_mac(key, buf_span(&t), mac);
    buf_append(&t, mac, MAC_BYTES);
    buf_append_str(out, prefix);
    xmpp_base64url(buf_span(&t), out);
    buf_fini(&t);
    return true;
}

bool xmpp_token_read(const uint8_t key[XMPP_KEY_BYTES], struct span id, struct buf *space, struct xmpp_bounce *b)
{
    uint8_t mac[MAC_BYTES];
    buf_reset(space);
    if (!span_starts(id, span_str(prefix)) || id.n > TOKEN_BYTES_MAX ||
        !xmpp_base64url_decode(span_from(id, strlen(prefix)), space) || space->len < 1 + MAC_BYTES)
        return false;
    struct span t = span_of(buf_span(space).p, space->len - MAC_BYTES), field[FIELDS];
    make_mac(key, t, mac);
    uint8_t differs = 0;
    for (int i = 0; i < MAC_BYTES; i++)
        differs |= mac[i] ^ t.p[t.n + (size_t)i];
    if (differs)
        return false;
    uint8_t kind = t.p[0];
    t = span_from(t, 1);
    for (int i = 0; i < FIELDS; i++) {
        size_t n = t.n >= 2 ? (size_t)t.p[0] << 8 | t.p[1] : SIZE_MAX;
        if (n > t.n - 2)
            return false;
        field[i] = span_of(t.p + 2, n);
        t = span_from(t, n + 2);
    }
    *b = (struct xmpp_bounce){.id = field[0], .to = field[1], .rule = field[2], .reason = field[3]};
    b->kind = (enum xmpp_stanza)kind;
    return t.n == 0 && kind <= XMPP_STANZA_PRESENCE;
}
