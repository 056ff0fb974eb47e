#include "base/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline bool is_tail(uint8_t b)
{
    return (b & 0xc0) == 0x80;
}

unsigned utf8_decode(const uint8_t *p, size_t n, uint32_t *cp)
{
    uint8_t b = p[0];
    if (b < 0x80) {
        *cp = b;
        return 1;
    }
    if (b < 0xc2)
        return 0;
    if (b < 0xe0) {
        if (n < 2 || !is_tail(p[1]))
            return 0;
        *cp = (uint32_t)(b & 0x1f) << 6 | (p[1] & 0x3f);
        return 2;
    }
    if (b < 0xf0) {
        if (n < 3 || !is_tail(p[1]) || !is_tail(p[2]))
            return 0;
        uint32_t c = (uint32_t)(b & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        if (c < 0x800 || (c >= 0xd800 && c < 0xe000))
            return 0;
        *cp = c;
        return 3;
    }
    if (b > 0xf4 || n < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3]))
        return 0;
    uint32_t c = (uint32_t)(b & 7) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    if (c < 0x10000 || c > 0x10ffff)
        return 0;
    *cp = c;
    return 4;
}

unsigned utf8_encode(uint32_t cp, uint8_t out[4])
{
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xc0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xe0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (cp & 0x3f));
    return 4;
}

/* Eight bytes, the first of them lowest. */
static inline uint64_t load8(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(w) : w;
}

/* Of a leading byte of three: 0xe0 and 0xed allow only some second bytes. */
static inline bool is_free_lead(uint64_t b)
{
    return (b & 15) != 0 && (b & 15) != 13;
}

/* How many of the eight bytes are ASCII, or two or one characters of three bytes; 0: something rarer. */
static inline unsigned common_bytes(uint64_t w)
{
    uint64_t wide = w & 0x8080808080808080u;
    if (!wide)
        return 8;
    if (!(w & 0x80))
        return (unsigned)__builtin_ctzll(wide) / 8;
    if ((w & 0xc0c0f0) != 0x8080e0 || !is_free_lead(w))
        return 0;
    return (w & 0xc0c0f0000000) == 0x8080e0000000 && is_free_lead(w >> 24) ? 6 : 3;
}

#ifdef __SSE2__
enum { STEP = 16 };

/* The same of the 16 bytes at p: up to five characters of three bytes. */
static inline unsigned common_step(const uint8_t *p)
{
    const __m128i care = _mm_setr_epi8(-16, -64, -64, -16, -64, -64, -16, -64, -64, -16, -64, -64, -16, -64, -64, 0);
    const __m128i want =
        _mm_setr_epi8(-32, -128, -128, -32, -128, -128, -32, -128, -128, -32, -128, -128, -32, -128, -128, 0);
    __m128i w = _mm_loadu_si128((const __m128i *)p);
    unsigned wide = (unsigned)_mm_movemask_epi8(w);
    if (!wide)
        return STEP;
    if (!(wide & 1))
        return (unsigned)__builtin_ctz(wide);
    /* no tail is 0xe0 or 0xed, so these two are looked for at every byte */
    __m128i bound = _mm_or_si128(_mm_cmpeq_epi8(w, _mm_set1_epi8(-32)), _mm_cmpeq_epi8(w, _mm_set1_epi8(-19)));
    __m128i good = _mm_andnot_si128(bound, _mm_cmpeq_epi8(_mm_and_si128(w, care), want));
    return (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(good)) / 3 * 3;
}
#else
enum { STEP = 8 };

static inline unsigned common_step(const uint8_t *p)
{
    return common_bytes(load8(p));
}
#endif

size_t utf8_valid_prefix(struct span s)
{
    size_t i = 0;
    while (i < s.n) {
        size_t left = s.n - i;
        unsigned n = left >= STEP ? common_step(s.p + i) : left >= 8 ? common_bytes(load8(s.p + i)) : s.p[i] < 0x80;
        uint32_t cp;
        if (!n)
            n = utf8_decode(s.p + i, left, &cp);
        if (!n)
            return i;
        i += n;
    }
    return i;
}
