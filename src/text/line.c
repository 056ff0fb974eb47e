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

/* Whether an entry is that of a letter or separator of the BMP that folds to itself. */
static inline bool is_itself(uint32_t e, uint32_t cp)
{
    return (e & ((uint32_t)FOLD_OTHER << 30 | 0xffff)) == cp;
}

/* False: a character depends on those before it. */
static bool write_line(uint8_t *line, struct span text, uint32_t *n)
{
    const uint8_t *q = text.p, *const end = q + text.n;
    uint8_t *out = line;
    while (q < end) {
        uint32_t a = *q, len = 3, cp, e, put;
        if (a < 0x80) {
            *out++ = (uint8_t)fold_entry[a];
            q++;
            continue;
        }
        if (__builtin_expect(a - 0xe0 < 16, 1)) {
            uint32_t page = (a & 15) << 6 | (q[1] & 63), low = q[2] & 63;
            e = fold_entry[(uint32_t)fold_index[page] * FOLD_PAGE + low];
            cp = page << 6 | low;
            if (is_itself(e, cp)) {
                memcpy(out, q, 3);
                out += 3, q += 3;
                continue;
            }
        } else {
            len = fold_decode_rare(q, &cp);
            e = fold_lookup(cp);
        }
        put = put_alone(out, cp, e);
        if (put == LINE_DEPENDS)
            return false;
        out += put, q += len;
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
