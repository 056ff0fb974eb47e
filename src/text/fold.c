#include "text/fold.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "text/state.h"

/* One pass. The common character costs two dependent loads (page, entry) and one store per array; whatever is not a
 * plain letter or separator of the BMP leaves the loop for the functions below it, which work on `struct pass`. */
struct pass {
    struct fold_scratch *s;
    uint32_t n;      /* units so far */
    uint32_t gap;    /* separators since the last unit */
    uint32_t line_n; /* bytes of the line so far */
    uint32_t last;   /* where the last unit starts in the line */
    uint32_t seen;   /* the entries of all units, or-ed: FOLD_SPELLS says whether there are letters of pinyin */
};

typedef uint32_t quad __attribute__((vector_size(16), aligned(4)));

/* Four stores for at most four bytes: cheaper than a loop. The arrays have room behind them. */
static inline uint32_t line_put(struct fold_scratch *s, uint32_t at, uint32_t cp, uint32_t from, uint32_t to)
{
    *(quad *)(s->line_from + at) = (quad){from, from, from, from};
    *(quad *)(s->line_to + at) = (quad){to, to, to, to};
    uint8_t *out = s->line + at;
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return at + 1;
    }
    if (cp >= 0x800 && cp < 0x10000) {
        out[0] = (uint8_t)(0xe0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (cp & 63));
        return at + 3;
    }
    return at + utf8_encode(cp, out);
}

static inline void unit_set(struct fold_scratch *s, uint32_t i, uint32_t cp, uint32_t e)
{
    uint32_t digit1 = fold_entry_digit1(e), syllable = fold_entry_syllable(e);
    s->plain[i] = cp;
    s->digit[i] = digit1 ? '0' - 1 + digit1 : cp;
    s->reading[i] = syllable ? FOLD_SYLLABLE_BASE + syllable : cp;
}

static inline void unit_add(struct fold_scratch *s, uint32_t i, uint32_t from, uint32_t to, uint32_t gap)
{
    s->from[i] = from;
    s->to[i] = to;
    s->gap[i] = (uint8_t)MIN_OF(gap, (uint32_t)FOLD_GAP_MAX);
}

static void put_letter(struct pass *p, uint32_t cp, uint32_t from, uint32_t to, bool want_line)
{
    uint32_t e = fold_lookup(cp);
    unit_set(p->s, p->n, cp, e);
    unit_add(p->s, p->n, from, to, p->gap);
    p->n++;
    p->gap = 0;
    p->seen |= e;
    if (want_line) {
        p->last = p->line_n;
        p->line_n = line_put(p->s, p->line_n, cp, from, to);
    }
}

static uint32_t compose_hangul(uint32_t base, uint32_t mark)
{
    uint32_t l = base - 0x1100, v = mark - 0x1161, lv = base - 0xac00, t = mark - 0x11a7;
    if (l < 19 && v < 21)
        return 0xac00 + (l * 21 + v) * 28;
    if (lv < 11172 && lv % 28 == 0 && t > 0 && t < 28)
        return base + t;
    return 0;
}

static uint32_t compose(uint32_t base, uint32_t mark)
{
    uint32_t low = 0, high = fold_pair_n;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        const struct fold_pair *at = &fold_pair[mid];
        if (at->base == base && at->mark == mark)
            return at->result;
        if (at->base < base || (at->base == base && at->mark < mark))
            low = mid + 1;
        else
            high = mid;
    }
    return compose_hangul(base, mark);
}

/* The last unit takes in a mark: its bytes reach to the mark's end, and it may become another character. */
static void extend_last(struct pass *p, uint32_t cp, uint32_t to, bool want_line)
{
    struct fold_scratch *s = p->s;
    uint32_t i = p->n - 1, from = s->from[i];
    uint32_t e = fold_lookup(cp);
    unit_set(s, i, cp, e);
    p->seen |= e;
    for (uint32_t k = p->n; k-- && s->from[k] == from;)
        s->to[k] = to;
    if (!want_line)
        return;
    p->line_n = line_put(s, p->last, cp, from, to);
    for (uint32_t k = p->last; k-- && s->line_from[k] == from;)
        s->line_to[k] = to;
}

static void put_mark(struct pass *p, uint32_t cp, bool is_kept, uint32_t from, uint32_t to, bool want_line)
{
    bool has_base = p->n && p->gap == 0;
    uint32_t whole = has_base ? compose(p->s->plain[p->n - 1], cp) : 0;
    if (whole)
        extend_last(p, whole, to, want_line);
    else if (is_kept)
        put_letter(p, cp, from, to, want_line);
    else if (has_base)
        extend_last(p, p->s->plain[p->n - 1], to, want_line);
}

/* `gap_before`: p->gap when the source character began; its separators in a row count as one. */
static void put_separator(struct pass *p, uint32_t cp, uint32_t gap_before, uint32_t from, uint32_t to, bool want_line)
{
    p->gap = gap_before + 1;
    if (want_line)
        p->line_n = line_put(p->s, p->line_n, cp, from, to);
}

static void put_canonical(struct pass *p, uint32_t cp, uint32_t gap_before, uint32_t from, uint32_t to, bool want_line)
{
    uint32_t e = fold_lookup(cp);
    uint32_t payload = fold_entry_payload(e);
    if (fold_entry_kind(e) == FOLD_SEP || (fold_entry_kind(e) == FOLD_OTHER && payload == FOLD_OTHER_SELF_SEP))
        put_separator(p, cp, gap_before, from, to, want_line);
    else if (fold_entry_kind(e) == FOLD_OTHER && payload >= FOLD_OTHER_MARK)
        put_mark(p, cp, payload == FOLD_OTHER_MARK_KEEP, from, to, want_line);
    else
        put_letter(p, cp, from, to, want_line);
}

static __attribute__((noinline)) void put_other(struct pass *p, uint32_t cp, uint32_t e, uint32_t from, uint32_t to,
                                                bool want_line)
{
    uint32_t payload = fold_entry_payload(e);
    if (payload == FOLD_OTHER_DROP)
        return;
    if (payload < FOLD_OTHER_SEQ) {
        put_canonical(p, cp, p->gap, from, to, want_line);
        return;
    }
    const uint32_t *seq = &fold_seq[payload - FOLD_OTHER_SEQ];
    uint32_t gap_before = p->gap;
    for (uint32_t i = 1; i <= seq[0]; i++) {
        put_canonical(p, seq[i], gap_before, from, to, want_line);
        if (p->gap == 0)
            gap_before = 0;
    }
}

/* The entry of the character at q, its length, and its code point when that is above the BMP or not ASCII. */
static inline uint32_t entry_at(const uint8_t *q, uint32_t *len, uint32_t *cp)
{
    uint32_t a = q[0], page, low;
    if (a < 0x80) {
        *len = 1, *cp = a;
        return fold_entry[a];
    }
    if (a >= 0xe0 && a < 0xf0) {
        page = (a & 15) << 6 | (q[1] & 63), low = q[2] & 63;
        *len = 3;
    } else if (a < 0xe0) {
        page = a & 31, low = q[1] & 63;
        *len = 2;
    } else {
        page = (a & 7) << 12 | (uint32_t)(q[1] & 63) << 6 | (q[2] & 63), low = q[3] & 63;
        *len = 4;
    }
    *cp = page << 6 | low;
    return fold_entry[(uint32_t)fold_index[page] * FOLD_PAGE + low];
}

static inline __attribute__((always_inline)) void run(struct pass *p, struct span text, bool want_line)
{
    struct fold_scratch *s = p->s;
    uint32_t n = 0, gap = 0, line_n = 0, last = 0, seen = 0, len, cp;
    for (uint32_t i = 0; i < text.n; i += len) {
        uint32_t e = entry_at(text.p + i, &len, &cp), to = i + len;
        uint32_t out = fold_entry_payload(e);
        uint32_t is_sep = fold_entry_kind(e);
        if (__builtin_expect(is_sep <= FOLD_SEP, 1)) {
            /* Without a branch between letter and separator, which text mixes at random: a separator is written as a
             * unit, too, and then not counted. */
            unit_set(s, n, out, e);
            unit_add(s, n, i, to, gap);
            gap = is_sep ? gap + 1 : 0;
            seen |= e;
            if (want_line) {
                last = is_sep ? last : line_n;
                line_n = line_put(s, line_n, out, i, to);
            }
            n += 1 - is_sep;
        } else {
            *p = (struct pass){s, n, gap, line_n, last, seen};
            put_other(p, cp, e, i, to, want_line);
            n = p->n, gap = p->gap, line_n = p->line_n, last = p->last, seen = p->seen;
        }
    }
    *p = (struct pass){s, n, gap, line_n, last, seen};
}

static void run_units(struct pass *p, struct span text)
{
    run(p, text, false);
}

static void run_line(struct pass *p, struct span text)
{
    run(p, text, true);
}

void fold_text(struct fold_scratch *s, struct span text, unsigned want, struct folded *out)
{
    struct pass p = {.s = s};
    text.n = MIN_OF(text.n, (size_t)FOLD_TEXT_MAX);
    *out = (struct folded){0};
    if (want & FOLD_WANT_LINE) {
        run_line(&p, text);
        out->line = span_of(s->line, p.line_n);
        out->line_from = s->line_from;
        out->line_to = s->line_to;
    } else {
        run_units(&p, text);
    }
    struct view plain = {s->plain, s->from, s->to, s->gap, p.n};
    out->view[VIEW_PLAIN] = plain;
    bool has_letters = p.seen & FOLD_SPELLS;
    if (want & 1u << VIEW_DIGIT) {
        if (has_letters)
            digit_fix_letters(s, p.n);
        out->view[VIEW_DIGIT] = plain;
        out->view[VIEW_DIGIT].cp = s->digit;
    }
    if (want & 1u << VIEW_READING)
        out->view[VIEW_READING] = reading_build(s, p.n, has_letters);
}

uint32_t fold_syllable_of(uint32_t cp)
{
    uint32_t e = cp < FOLD_CODE_POINTS ? fold_lookup(cp) : 0;
    if (fold_entry_kind(e) == FOLD_OTHER && fold_entry_payload(e) >= FOLD_OTHER_SEQ) {
        const uint32_t *seq = &fold_seq[fold_entry_payload(e) - FOLD_OTHER_SEQ];
        e = seq[0] == 1 ? fold_lookup(seq[1]) : 0;
    }
    uint32_t syllable = fold_entry_syllable(e);
    return syllable ? FOLD_SYLLABLE_BASE + syllable : 0;
}

const char *fold_syllable_name(uint32_t syllable)
{
    uint32_t number = syllable - FOLD_SYLLABLE_BASE;
    return number < fold_syllable_n ? fold_syllable[number] : "";
}

bool fold_is_separator(uint32_t cp)
{
    uint32_t e = cp < FOLD_CODE_POINTS ? fold_lookup(cp) : FOLD_ENTRY(FOLD_SEP, 0, 0, 0);
    enum fold_kind kind = fold_entry_kind(e);
    return kind == FOLD_SEP || (kind == FOLD_OTHER && fold_entry_payload(e) == FOLD_OTHER_SELF_SEP);
}
