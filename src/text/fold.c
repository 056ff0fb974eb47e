#include "text/fold.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "text/state.h"

/* One pass over the text writes the entry and the place of each unit; the code points of the views are made from the
 * entries afterwards, without branches. The common character costs two dependent loads (page, entry) and one store per
 * array; whatever is not a plain letter or separator of the BMP goes to functions of its own, which work on `struct
 * pass`. */
struct pass {
    struct fold_scratch *s;
    uint32_t n;      /* units so far */
    uint32_t gap;    /* separators since the last unit, at most FOLD_GAP_MAX */
    uint32_t line_n; /* bytes of the line so far */
    uint32_t seen;   /* the entries of all units, or-ed: FOLD_SPELLS says whether there are letters of pinyin */
};

typedef uint32_t quad __attribute__((vector_size(16), aligned(4)));

/* Four stores for at most four bytes: cheaper than a loop. The arrays have room behind them. */
static inline void line_place(struct fold_scratch *s, uint32_t at, uint32_t from, uint32_t len)
{
    quad places = {from, from, from, from};
    *(quad *)(s->line_from + at) = places;
    *(quad *)(s->line_to + at) = places + len;
}

static inline uint32_t line_put(struct fold_scratch *s, uint32_t at, uint32_t cp, uint32_t from, uint32_t to)
{
    line_place(s, at, from, to - from);
    if (cp >= 0x80)
        return at + utf8_encode(cp, s->line + at);
    s->line[at] = (uint8_t)cp;
    return at + 1;
}

/* The same for what a character of three bytes gives: most often itself. */
static inline uint32_t line_put_wide(struct fold_scratch *s, uint32_t at, uint32_t cp, const uint8_t *source,
                                     uint32_t source_cp, uint32_t from)
{
    if (cp != source_cp)
        return line_put(s, at, cp, from, from + 3);
    line_place(s, at, from, 3);
    memcpy(s->line + at, source, 3);
    return at + 3;
}

static inline uint32_t line_put_ascii(struct fold_scratch *s, uint32_t at, uint32_t cp, uint32_t from)
{
    s->line_from[at] = from;
    s->line_to[at] = from + 1;
    s->line[at] = (uint8_t)cp;
    return at + 1;
}

/* Sets unit i, the last so far. Its code point goes into the entry, or beside it when it is above the BMP. */
static void unit_set(struct fold_scratch *s, uint32_t i, uint32_t cp, uint32_t e)
{
    if (s->wide_n && s->wide_unit[s->wide_n - 1] == i)
        s->wide_n--;
    s->entry[i] = (e & FOLD_ENTRY_TRAITS) | (cp & 0xffff);
    if (cp >= 0x10000) {
        s->wide_unit[s->wide_n] = i;
        s->wide_cp[s->wide_n++] = cp;
    }
}

static uint32_t last_unit(const struct pass *p)
{
    const struct fold_scratch *s = p->s;
    uint32_t i = p->n - 1;
    bool is_wide = s->wide_n && s->wide_unit[s->wide_n - 1] == i;
    return is_wide ? s->wide_cp[s->wide_n - 1] : fold_entry_payload(s->entry[i]);
}

static void put_letter(struct pass *p, uint32_t cp, uint32_t from, uint32_t to, bool want_line)
{
    struct fold_scratch *s = p->s;
    uint32_t e = fold_lookup(cp);
    unit_set(s, p->n, cp, e);
    s->from[p->n] = from;
    s->to[p->n] = to;
    s->gap[p->n] = (uint8_t)p->gap;
    p->n++;
    p->gap = 0;
    p->seen |= e;
    if (want_line)
        p->line_n = line_put(s, p->line_n, cp, from, to);
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
    /* No separator stands behind the last unit, or it would not take a mark: the line ends with it. */
    uint32_t at = p->line_n - 1;
    while ((s->line[at] & 0xc0) == 0x80)
        at--;
    p->line_n = line_put(s, at, cp, from, to);
    while (at-- && s->line_from[at] == from)
        s->line_to[at] = to;
}

static void put_mark(struct pass *p, uint32_t cp, bool is_kept, uint32_t from, uint32_t to, bool want_line)
{
    bool has_base = p->n && p->gap == 0;
    uint32_t whole = has_base ? compose(last_unit(p), cp) : 0;
    if (whole)
        extend_last(p, whole, to, want_line);
    else if (is_kept)
        put_letter(p, cp, from, to, want_line);
    else if (has_base)
        extend_last(p, last_unit(p), to, want_line);
}

/* `gap_before`: p->gap when the source character began; its separators in a row count as one. */
static void put_separator(struct pass *p, uint32_t cp, uint32_t gap_before, uint32_t from, uint32_t to, bool want_line)
{
    p->gap = MIN_OF(gap_before + 1, (uint32_t)FOLD_GAP_MAX);
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
    if (fold_entry_kind(e) != FOLD_OTHER) {
        put_canonical(p, payload, p->gap, from, to, want_line);
        return;
    }
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

/* The state of the pass in registers: no address of it leaves the loop. */
struct here {
    uint32_t n, gap, line_n, seen;
};

/* A letter or separator of the BMP. There is no branch between the two, which text mixes at random: a separator is
 * written as a unit, too, and then not counted. */
static inline __attribute__((always_inline)) void put_common(struct fold_scratch *s, struct here *h, uint32_t e,
                                                             uint32_t from, uint32_t len)
{
    uint32_t is_sep = fold_entry_kind(e);
    s->entry[h->n] = e;
    s->from[h->n] = from;
    s->to[h->n] = from + len;
    s->gap[h->n] = (uint8_t)h->gap;
    h->n += 1 - is_sep;
    h->gap = (h->gap + (h->gap < FOLD_GAP_MAX)) & (0 - is_sep);
    h->seen |= e;
}

static inline __attribute__((always_inline)) uint32_t entry_of(uint32_t page, uint32_t low)
{
    return fold_entry[(uint32_t)fold_index[page] * FOLD_PAGE + low];
}

static inline __attribute__((always_inline)) void run(struct pass *p, struct span text, bool want_line)
{
    struct fold_scratch *s = p->s;
    struct here h = {0};
    const uint8_t *const start = text.p, *const end = text.p + text.n;
    for (const uint8_t *q = start; q < end;) {
        uint32_t a = q[0], from = (uint32_t)(q - start), len = 3, cp, e;
        if (a < 0x80) {
            /* ASCII folds to ASCII, never to anything rare. */
            e = fold_entry[a];
            put_common(s, &h, e, from, 1);
            if (want_line)
                h.line_n = line_put_ascii(s, h.line_n, fold_entry_payload(e), from);
            q++;
            continue;
        }
        if (__builtin_expect(a - 0xe0 < 16, 1)) {
            uint32_t page = (a & 15) << 6 | (q[1] & 63), low = q[2] & 63;
            e = entry_of(page, low);
            cp = page << 6 | low;
            if (__builtin_expect(fold_entry_kind(e) <= FOLD_SEP, 1)) {
                put_common(s, &h, e, from, 3);
                if (want_line)
                    h.line_n = line_put_wide(s, h.line_n, fold_entry_payload(e), q, cp, from);
                q += 3;
                continue;
            }
        } else {
            len = fold_decode_rare(q, &cp);
            e = entry_of(cp / FOLD_PAGE, cp % FOLD_PAGE);
        }
        *p = (struct pass){s, h.n, h.gap, h.line_n, h.seen};
        put_other(p, cp, e, from, from + len, want_line);
        h.n = p->n, h.gap = p->gap, h.line_n = p->line_n, h.seen = p->seen;
        q += len;
    }
    *p = (struct pass){s, h.n, h.gap, h.line_n, h.seen};
}

/* The three code point arrays from the entries, four units at a time. Returns how many digits there may be: those of
 * what lies behind the last unit count, too. */
static uint32_t spread(struct fold_scratch *s, uint32_t n, unsigned want)
{
    quad digits = {0};
    for (uint32_t i = 0; i < n; i += 4) {
        quad e = *(const quad *)(s->entry + i), cp = e & 0xffff;
        *(quad *)(s->plain + i) = cp;
        if (want & 1u << VIEW_DIGIT) {
            quad digit1 = e >> 26 & 15, is = (quad)(digit1 != 0);
            quad digit = (is & (digit1 + ('0' - 1))) | (~is & cp);
            *(quad *)(s->digit + i) = digit;
            digits -= (quad)(digit - '0' < 10);
        }
        if (want & 1u << VIEW_READING) {
            quad syllable = e >> 16 & 511, is = (quad)(syllable != 0);
            *(quad *)(s->reading + i) = (is & (syllable + FOLD_SYLLABLE_BASE)) | (~is & cp);
        }
    }
    return digits[0] + digits[1] + digits[2] + digits[3];
}

static void spread_wide(struct fold_scratch *s)
{
    for (uint32_t k = 0; k < s->wide_n; k++) {
        uint32_t i = s->wide_unit[k], e = s->entry[i], cp = s->wide_cp[k];
        s->plain[i] = cp;
        if (!fold_entry_digit1(e))
            s->digit[i] = cp;
        if (!fold_entry_syllable(e))
            s->reading[i] = cp;
    }
}

static void run_units(struct pass *p, struct span text)
{
    run(p, text, false);
}

static void run_line(struct pass *p, struct span text)
{
    run(p, text, true);
}

struct fold_scratch *fold_scratch_new(void)
{
    return xmalloc(sizeof(struct fold_scratch));
}

void fold_scratch_free(struct fold_scratch **s)
{
    free(*s);
    *s = NULL;
}

void fold_text(struct fold_scratch *s, struct span text, unsigned want, struct folded *out)
{
    text.n = MIN_OF(text.n, (size_t)FOLD_TEXT_MAX);
    s->wide_n = 0;
    struct pass h = {.s = s};
    (want & FOLD_WANT_LINE ? run_line : run_units)(&h, text);
    uint32_t digits_max = spread(s, h.n, want);
    spread_wide(s);
    bool has_letters = h.seen & FOLD_SPELLS;
    out->view[VIEW_PLAIN] = (struct view){s->plain, s->from, s->to, s->gap, h.n};
    out->view[VIEW_DIGIT] = out->view[VIEW_READING] = (struct view){0};
    if (want & 1u << VIEW_DIGIT) {
        if (digits_max >= DIGIT_RUN_MIN)
            digit_fix_letters(s, h.n);
        out->view[VIEW_DIGIT] = (struct view){s->digit, s->from, s->to, s->gap, h.n};
    }
    if (want & 1u << VIEW_READING)
        out->view[VIEW_READING] = reading_build(s, h.n, has_letters);
    bool has_line = want & FOLD_WANT_LINE;
    out->line = has_line ? span_of(s->line, h.line_n) : (struct span){0};
    out->line_from = has_line ? s->line_from : NULL;
    out->line_to = has_line ? s->line_to : NULL;
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
