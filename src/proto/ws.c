#include "proto/ws.h"

#include "base/utf8.h"

enum {
    FIN_BIT = 0x80,
    RSV_BITS = 0x70,
    OPCODE_BITS = 0x0f,
    CONTROL_BIT = 0x08,
    MASK_BIT = 0x80,
    LEN_BITS = 0x7f,
    LEN_16 = 126,
    LEN_64 = 127,
};

/* The first byte: FIN, RSV, opcode. */
static bool first_is_valid(uint8_t b)
{
    uint8_t op = b & OPCODE_BITS;
    if (b & RSV_BITS)
        return false;
    if (op & CONTROL_BIT)
        return op <= WS_PONG && (b & FIN_BIT);
    return op <= WS_BINARY;
}

static uint64_t read_be(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

enum parse ws_parse_head(struct span in, bool from_client, struct ws_head *out)
{
    if (in.n && !first_is_valid(in.p[0]))
        return PARSE_BAD;
    if (in.n < 2)
        return PARSE_MORE;
    bool masked = in.p[1] & MASK_BIT;
    uint8_t len7 = in.p[1] & LEN_BITS;
    if (masked != from_client || ((in.p[0] & CONTROL_BIT) && len7 > WS_CONTROL_MAX))
        return PARSE_BAD;

    unsigned len_bytes = len7 == LEN_16 ? 2 : len7 == LEN_64 ? 8 : 0;
    unsigned head_len = 2 + len_bytes + (masked ? 4 : 0);
    uint64_t len = len7;
    if (len_bytes) {
        if (in.n < 2 + len_bytes)
            return PARSE_MORE;
        len = read_be(in.p + 2, len_bytes);
        if (len_bytes == 2 ? len < LEN_16 : len <= UINT16_MAX || len >> 63)
            return PARSE_BAD;
    }
    if (in.n < head_len)
        return PARSE_MORE;
    *out = (struct ws_head){.fin = in.p[0] & FIN_BIT,
                            .opcode = in.p[0] & OPCODE_BITS,
                            .masked = masked,
                            .len = len,
                            .head_len = (uint8_t)head_len};
    if (masked)
        memcpy(out->mask, in.p + head_len - 4, 4);
    return PARSE_DONE;
}

size_t ws_write_head(uint8_t out[WS_HEAD_MAX], bool fin, uint8_t opcode, uint64_t len, const uint8_t mask[4])
{
    size_t n = 2;
    unsigned len_bytes = len < LEN_16 ? 0 : len <= UINT16_MAX ? 2 : 8;
    out[0] = (uint8_t)((fin ? FIN_BIT : 0) | opcode);
    out[1] = (uint8_t)((mask ? MASK_BIT : 0) | (len_bytes == 0 ? len : len_bytes == 2 ? LEN_16 : LEN_64));
    while (len_bytes)
        out[n++] = (uint8_t)(len >> (8 * --len_bytes));
    if (mask) {
        memcpy(out + n, mask, 4);
        n += 4;
    }
    return n;
}

/* 32 bytes at any address; the compiler uses the vector registers that the target has. */
typedef uint64_t block __attribute__((vector_size(32), aligned(1), may_alias));

void ws_mask(uint8_t *dst, const uint8_t *src, size_t n, const uint8_t mask[4], size_t phase)
{
    uint8_t m4[4];
    for (size_t i = 0; i < sizeof(m4); i++)
        m4[i] = mask[(phase + i) % 4];
    uint32_t half;
    memcpy(&half, m4, sizeof(half));
    const uint64_t m = (uint64_t)half << 32 | half;

    size_t i = 0;
    const block mb = {m, m, m, m};
    for (; i + sizeof(block) <= n; i += sizeof(block))
        *(block *)(dst + i) = *(const block *)(src + i) ^ mb;
    for (; i + 8 <= n; i += 8) {
        uint64_t v;
        memcpy(&v, src + i, 8);
        v ^= m;
        memcpy(dst + i, &v, 8);
    }
    for (; i < n; i++)
        dst[i] = src[i] ^ m4[i % 4];
}

/* Codes that may stand in a frame: those of RFC 6455 7.4.1 and the IANA registry that are not reserved for local use,
 * and the ranges of libraries (3000) and applications (4000). */
static bool code_may_be_sent(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

bool ws_close_is_valid(struct span payload)
{
    if (payload.n == 0)
        return true;
    if (payload.n < 2 || payload.n > WS_CONTROL_MAX)
        return false;
    return code_may_be_sent((unsigned)read_be(payload.p, 2)) && utf8_is_valid(span_from(payload, 2));
}
