#include "rule/variant.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/sort.h"
#include "text/bopomofo.h"

enum { LEET_RUN_MAX = 24, LEET_LETTERS_MIN = 2 };

void variant_init(struct variant *v)
{
    v->fold = fold_scratch_new();
}

void variant_fini(struct variant *v)
{
    fold_scratch_free(&v->fold);
    free(v->swap);
    free(v->text);
    free(v->is_swapped);
    free(v->from);
    free(v->to);
}

void variant_add(struct variant *v, const struct swap *s)
{
    if (v->n_swaps == v->swaps_cap) {
        v->swaps_cap = v->swaps_cap ? v->swaps_cap * 2 : 64;
        v->swap = xrealloc(v->swap, v->swaps_cap * sizeof(*v->swap));
    }
    v->swap[v->n_swaps++] = *s;
}

/* ---- swaps that no list names ---- */

static void add_char(struct variant *v, const struct view *p, uint32_t from, uint32_t to, uint32_t cp)
{
    struct swap s = {.bfrom = p->from[from], .bto = p->to[to - 1]};
    s.n = (uint8_t)utf8_encode(cp, s.with);
    variant_add(v, &s);
}

static uint32_t same_run(const struct view *p, uint32_t i)
{
    uint32_t to = i + 1;
    while (to < p->n && p->cp[to] == p->cp[i])
        to++;
    return to - i;
}

/* Whether the ideographs of `list`, UTF-8, hold cp. */
static bool is_one_of(uint32_t cp, const char *list)
{
    for (uint32_t one = 0; *list; list += 3)
        if (utf8_decode((const uint8_t *)list, 3, &one) && one == cp)
            return true;
    return false;
}

/* 加微微信: two of the same ideograph count as one. Words that double by themselves (宝宝) are found as typed. */
static uint32_t add_doubled(struct variant *v, const struct view *p, uint32_t i)
{
    static const char ordinary[] = "亲谢嗯哈嘻呵看等试天妈爸妹姐哥弟宝拜慢刚常人好哦啊喔";
    uint32_t n = same_run(p, i);
    if (n > 1 && !is_one_of(p->cp[i], ordinary)) {
        add_char(v, p, i, i + n, p->cp[i]);
        v->swap[v->n_swaps - 1].is_doubled = true;
    }
    return i + n;
}

static bool is_han(uint32_t cp)
{
    return cp >= 0x3400 && cp < 0xac00;
}

static bool is_kana(uint32_t cp)
{
    return cp >= 0x3041 && cp <= 0x30ff;
}

static bool is_letter(uint32_t cp)
{
    return cp >= 'a' && cp <= 'z';
}

/* 最x佳: a single letter may be meant (加v聊), so that it goes in the other reading only. */
static void add_maybe(struct variant *v, const struct view *p, uint32_t i)
{
    struct swap s = {.bfrom = p->from[i], .bto = p->to[i + 1]};
    s.n_alt = (uint8_t)utf8_encode(p->cp[i], s.with);
    s.n = s.n_alt;
    s.with[s.n++] = (uint8_t)p->cp[i + 1];
    variant_add(v, &s);
}

static bool is_digit(uint32_t cp)
{
    return cp >= '0' && cp <= '9';
}

/* 微1信: a digit alone between two ideographs, unless it counts something or is the time (买1件, 5月6日). */
static void add_without_digit(struct variant *v, const struct view *p, uint32_t i)
{
    static const char counted[] =
        "天日月年个件号点小元块楼层双条瓶盒斤岁折期周种款张码寸人位名次路栋室床间克米升套杯份本页级分秒至到角毛倍";
    if (!is_one_of(p->cp[i], "第满前后") && !is_one_of(p->cp[i + 2], counted))
        add_char(v, p, i, i + 2, p->cp[i]);
}

/* 支ノ付ノ宝, 最o先o进: one character between ideographs, a kana, or a letter or digit that does so twice. */
static uint32_t add_filled(struct variant *v, const struct view *p, uint32_t i)
{
    uint32_t filler = i + 1 < p->n ? p->cp[i + 1] : 0, end = i;
    while (end + 2 < p->n && p->cp[end + 1] == filler && is_han(p->cp[end]) && is_han(p->cp[end + 2]))
        end += 2;
    if (is_han(filler) || end == i)
        return i + 1;
    if (end < i + 4 && is_letter(filler)) {
        add_maybe(v, p, i);
        return i + 2;
    }
    if (end < i + 4 && is_digit(filler)) {
        add_without_digit(v, p, i);
        return i + 1;
    }
    if (end < i + 4 && !is_kana(filler))
        return i + 1;
    for (uint32_t k = i; k < end; k += 2)
        add_char(v, p, k, k + 2, p->cp[k]);
    return end;
}

static uint32_t letter_for_digit(uint32_t cp)
{
    static const char letters[10] = "oi\0eas";
    return (uint32_t)letters[cp - '0'];
}

/* One or two digits behind letter k - 1: letters (w3ixin), when letters follow; or a tone (wei1xin4). */
static void add_digits(struct variant *v, const struct view *p, uint32_t k, uint32_t n, bool has_letters_behind)
{
    struct swap s = {.bfrom = p->from[k - 1], .bto = p->to[k + n - 1], .n = 1, .with = {(uint8_t)p->cp[k - 1]}};
    bool is_tone = n == 1 && p->cp[k] >= '1' && p->cp[k] <= '5', is_leet = has_letters_behind;
    for (uint32_t i = 0; i < n && is_leet; i++) {
        is_leet = letter_for_digit(p->cp[k + i]) != 0;
        s.with[s.n++] = (uint8_t)letter_for_digit(p->cp[k + i]);
    }
    if (is_leet)
        s.n_alt = is_tone;
    else
        s.n = 1;
    if (is_leet || is_tone)
        variant_add(v, &s);
}

/* What is made of digits counts only where it is spelled pinyin. */
static uint32_t add_leet(struct variant *v, const struct view *p, uint32_t i)
{
    uint32_t end = i, letters = 0;
    for (; end < p->n && (end == i || p->gap[end] == 0) && (is_letter(p->cp[end]) || is_digit(p->cp[end])); end++)
        letters += is_letter(p->cp[end]);
    if (letters < LEET_LETTERS_MIN || letters == end - i || end - i > LEET_RUN_MAX)
        return end;
    for (uint32_t k = i + 1, n; k < end; k += n) {
        for (n = 0; k + n < end && is_digit(p->cp[k + n]);)
            n++;
        if (n == 1 || n == 2)
            add_digits(v, p, k, n, k + n < end);
        n = MAX_OF(n, 1u);
    }
    return end;
}

/* 零 (also 〇) to 三, in which claims are made (第一, 唯一, 前三, 零风险); larger numbers are amounts and
 * ratings, which rules name as digits themselves. */
static const uint16_t numerals[] = {0x96f6, 0x4e00, 0x4e8c, 0x4e09};

/* 0 to 3, 〇壹贰叁. */
static inline int numeral_of(uint32_t cp)
{
    static const uint64_t low =
        0xfull << '0' | 1ull << (0x3007 & 63) | 1ull << (0x58f9 & 63) | 1ull << (0x8d30 & 63) | 1ull << (0x53c1 & 63);
    if (!(low >> (cp & 63) & 1)) /* as most characters */
        return -1;
    switch (cp) {
    case '0':
    case 0x3007:
        return 0;
    case '1':
    case 0x58f9:
        return 1;
    case '2':
    case 0x8d30:
        return 2;
    case '3':
    case 0x53c1:
        return 3;
    default:
        return -1;
    }
}

/* 第1, 第壹: a numeral alone beside ideographs. */
static uint32_t add_numeral(struct variant *v, const struct view *p, uint32_t i)
{
    uint32_t before = i ? p->cp[i - 1] : 0, behind = i + 1 < p->n ? p->cp[i + 1] : 0;
    bool is_alone = !is_digit(before) && !is_digit(behind) && !is_letter(before) && !is_letter(behind);
    static const char units[] = "天日月年个件号点小元块楼层双条瓶盒包斤岁折期周种款张台码寸";
    if (is_alone && (is_han(before) || is_han(behind)) && !is_one_of(behind, units))
        add_char(v, p, i, i + 1, numerals[numeral_of(p->cp[i])]);
    return i + 1;
}

static uint32_t add_bopomofo(struct variant *v, const struct view *p, uint32_t i)
{
    uint32_t end = i + 1;
    while (end < p->n && p->gap[end] == 0 && bopomofo_is(p->cp[end]))
        end++;
    if (end - i < 2 && !bopomofo_is_sibilant(p->cp[i]))
        return end; /* alone it is a look-alike (ㄧ for 一) or a sound (ㄎ) */
    while (i < end) {
        char spelled[BOPOMOFO_LEN + 1];
        uint32_t n = bopomofo_spell(p->cp + i, end - i, spelled);
        struct swap s = {.bfrom = p->from[i], .bto = p->to[i + n - 1]};
        s.n = (uint8_t)strlen(spelled);
        memcpy(s.with, spelled, s.n);
        if (s.n)
            variant_add(v, &s);
        i += n;
    }
    return end;
}

/* Ideographs, most often between others. */
static inline uint32_t add_at_han(struct variant *v, const struct view *p, uint32_t i, uint32_t next)
{
    uint32_t cp = p->cp[i];
    if (next == cp)
        return add_doubled(v, p, i);
    if (numeral_of(cp) >= 0)
        return add_numeral(v, p, i);
    return is_han(next) ? i + 1 : add_filled(v, p, i);
}

void variant_add_unlisted(struct variant *v, const struct view *p)
{
    const uint32_t *units = p->cp, n = p->n;
    for (uint32_t i = 0; i < n;) {
        uint32_t cp = units[i], next = i + 1 < n ? units[i + 1] : 0;
        if (is_han(cp))
            i = add_at_han(v, p, i, next);
        else if (is_letter(cp))
            i = add_leet(v, p, i);
        else if (numeral_of(cp) >= 0)
            i = add_numeral(v, p, i);
        else if (bopomofo_is(cp))
            i = add_bopomofo(v, p, i);
        else
            i++;
    }
}

/* ---- the text ---- */

static int by_place(const void *a, const void *b)
{
    const struct swap *x = a, *y = b;
    if (x->bfrom != y->bfrom)
        return x->bfrom < y->bfrom ? -1 : 1;
    return x->bto > y->bto ? -1 : x->bto < y->bto;
}

unsigned variant_ways(struct variant *v, const struct side *side)
{
    unsigned ways = v->n_swaps > 0;
    uint32_t end = 0;
    sort_in_place(v->swap, v->n_swaps, sizeof(*v->swap), by_place);
    v->has_overlaps = false;
    for (uint32_t i = 0; i < v->n_swaps; i++) {
        const struct swap *s = &v->swap[i];
        if (s->spelling)
            ways = MAX_OF(ways, side->spelling[s->spelling - 1].n);
        if (s->n_alt)
            ways = MAX_OF(ways, 2u);
        v->has_overlaps |= s->bfrom < end;
        end = MAX_OF(end, s->bto);
    }
    return v->has_overlaps ? MAX_OF(ways, 2u) : ways;
}

/* Even ways take the first of overlapping swaps from the left, the longest of those that begin together; odd ones from
 * the right. */
static void choose(struct variant *v, unsigned way)
{
    uint32_t end = 0, start = UINT32_MAX;
    for (uint32_t i = 0; i < v->n_swaps; i++) {
        struct swap *s = &v->swap[way % 2 ? v->n_swaps - 1 - i : i];
        s->is_out = way % 2 ? s->bto > start : s->bfrom < end;
        if (!s->is_out)
            start = s->bfrom, end = s->bto;
    }
}

static void reserve(struct variant *v, size_t n)
{
    if (n <= v->cap)
        return;
    v->cap = (uint32_t)n * 2;
    v->text = xrealloc(v->text, v->cap);
    v->is_swapped = xrealloc(v->is_swapped, v->cap);
    v->from = xrealloc(v->from, v->cap * sizeof(*v->from));
    v->to = xrealloc(v->to, v->cap * sizeof(*v->to));
}

static void put(struct variant *v, uint8_t byte, uint32_t from, uint32_t to, enum swapped how)
{
    v->text[v->n] = byte;
    v->from[v->n] = from;
    v->to[v->n] = to;
    v->is_swapped[v->n++] = (uint8_t)how;
}

static void put_swap(struct variant *v, const struct side *side, const struct swap *s, unsigned way)
{
    uint8_t listed[4];
    const uint8_t *with = s->with;
    unsigned n = s->n;
    if (way % 2 && s->n_alt)
        n = s->n_alt;
    if (s->spelling) {
        const struct spelling *sp = &side->spelling[s->spelling - 1];
        n = utf8_encode(sp->target[MIN_OF(way, sp->n - 1u)], listed);
        with = listed;
    }
    for (unsigned i = 0; i < n; i++)
        put(v, with[i], s->bfrom, s->bto, s->is_doubled ? SWAPPED_DOUBLED : SWAPPED);
}

void variant_build(struct variant *v, const struct side *side, const struct folded *line, unsigned way, unsigned want)
{
    size_t k = 0;
    v->n = 0;
    choose(v, way);
    reserve(v, line->line.n + (size_t)v->n_swaps * SWAP_BYTES_MAX);
    for (uint32_t i = 0; i < v->n_swaps; i++) {
        const struct swap *s = &v->swap[i];
        if (s->is_out)
            continue;
        for (; k < line->line.n && line->line_from[k] < s->bfrom; k++)
            put(v, line->line.p[k], line->line_from[k], line->line_to[k], SWAPPED_NOT);
        put_swap(v, side, s, way);
        while (k < line->line.n && line->line_from[k] < s->bto)
            k++;
    }
    for (; k < line->line.n; k++)
        put(v, line->line.p[k], line->line_from[k], line->line_to[k], SWAPPED_NOT);
    while (v->n > FOLD_TEXT_MAX || (v->n && v->n == FOLD_TEXT_MAX && (v->text[v->n - 1] & 0x80)))
        v->n--; /* swaps may have made it longer */
    fold_text(v->fold, span_of(v->text, v->n), want, &v->f);
}

bool variant_has_swap(const struct variant *v, size_t from, size_t to)
{
    if (memchr(v->is_swapped + from, SWAPPED, to - from))
        return true;
    const uint8_t *doubled = memchr(v->is_swapped + from, SWAPPED_DOUBLED, to - from);
    return doubled && (v->from[from] != v->from[to - 1]);
}
