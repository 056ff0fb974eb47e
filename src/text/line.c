#include "base/utf8.h"
#include "text/state.h"

/* A character's line without its places, where it does not depend on those before it; 0xff where it may (marks,
 * sequences). Writes up to four bytes, of which so many count. */
enum { LINE_DEPENDS = 0xff };

static uint32_t put_alone(uint8_t *out, uint32_t cp, uint32_t e)
{
    uint32_t payload = fold_entry_payload(e);
    if (fold_entry_kind(e) == FOLD_OTHER) {
        if (payload == FOLD_OTHER_DROP)
            return 0;
        if (payload != FOLD_OTHER_SELF && payload != FOLD_OTHER_SELF_SEP)
            return LINE_DEPENDS;
        payload = cp;
    }
    return utf8_encode(payload, out);
}

static inline uint32_t decode(const uint8_t *q, uint32_t *cp)
{
    if (__builtin_expect(q[0] - 0xe0u < 16, 1)) {
        *cp = (uint32_t)(q[0] & 15) << 12 | (uint32_t)(q[1] & 63) << 6 | (q[2] & 63);
        return 3;
    }
    return fold_decode_rare(q, cp);
}

/* False: a character depends on those before it. */
static bool write_line(uint8_t *line, struct span text, uint32_t *n)
{
    const uint8_t *q = text.p, *const end = q + text.n;
    uint8_t *out = line;
    while (q < end) {
        uint32_t cp, e;
        if (*q < 0x80) {
            *out++ = (uint8_t)fold_entry_payload(fold_entry[*q++]);
            continue;
        }
        uint32_t len = decode(q, &cp);
        e = fold_lookup(cp);
        if (len == 3 && fold_entry_kind(e) <= FOLD_SEP && fold_entry_payload(e) == cp) {
            memcpy(out, q, 3);
            out += 3;
        } else {
            uint32_t put = put_alone(out, cp, e);
            if (put == LINE_DEPENDS)
                return false;
            out += put;
        }
        q += len;
    }
    *n = (uint32_t)(out - line);
    return true;
}

struct span fold_line(struct fold_scratch *s, struct span text)
{
    uint32_t n;
    struct folded f;
    text.n = MIN_OF(text.n, (size_t)FOLD_TEXT_MAX);
    if (write_line(s->line, text, &n))
        return span_of(s->line, n);
    fold_text(s, text, FOLD_WANT_LINE, &f);
    return f.line;
}
