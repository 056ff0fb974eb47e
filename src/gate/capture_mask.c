#include "gate/capture_mask.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "text/fold.h"

enum { TOGETHER_MAX = 4, GAP_MAX = 2, NUMBER_MIN = 5, NAME_MIN = 6 };

/* A digit of the text: bytes [from, to), its value, and what it becomes. */
struct digit {
    uint32_t from, to;
    uint32_t chars_before; /* characters between the digit before and this one */
    uint32_t n_digits;     /* that this one character stands for (⑫: 2); `value` is the first */
    char value, masked;    /* masked 0: it stays */
    bool is_numeral;       /* a Chinese numeral, which is a word as well */
    bool is_next;          /* nothing but separators stands before it, and few of them */
};

struct capture_mask {
    struct fold_scratch *fold;
    struct digit *digit;
    size_t n, cap;
    struct buf numbers, out;
};

struct capture_mask *capture_mask_new(void)
{
    struct capture_mask *m = xcalloc(1, sizeof(*m));
    m->fold = fold_scratch_new();
    return m;
}

void capture_mask_free(struct capture_mask **mp)
{
    struct capture_mask *m = *mp;
    if (!m)
        return;
    fold_scratch_free(&m->fold);
    free(m->digit);
    buf_fini(&m->numbers);
    buf_fini(&m->out);
    free(m);
    *mp = NULL;
}

static uint32_t chars_in(struct span text, uint32_t from, uint32_t to)
{
    uint32_t n = 0;
    for (uint32_t i = from; i < to; i++)
        n += (text.p[i] & 0xc0) != 0x80;
    return n;
}

static bool is_ascii_digit(uint32_t cp)
{
    return cp >= '0' && cp <= '9';
}

/* Digits in the order of the text. One character may give several (⑫). */
static void find_digits(struct capture_mask *m, struct span text)
{
    struct folded f;
    fold_text(m->fold, text, 1u << VIEW_PLAIN | 1u << VIEW_DIGIT, &f);
    const struct view *v = &f.view[VIEW_DIGIT];
    m->n = 0;
    uint32_t last = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        uint32_t before = m->n ? m->digit[m->n - 1].to : 0;
        if (!is_ascii_digit(v->cp[i]))
            continue;
        if (m->n && v->from[i] < before) { /* of the same character */
            m->digit[m->n - 1].n_digits++;
            last = i;
            continue;
        }
        if (m->n == m->cap) {
            m->cap = m->cap ? m->cap * 2 : 64;
            m->digit = xrealloc(m->digit, m->cap * sizeof(*m->digit));
        }
        uint32_t cp = 0;
        utf8_decode(text.p + v->from[i], text.n - v->from[i], &cp);
        m->digit[m->n] = (struct digit){.from = v->from[i],
                                        .to = v->to[i],
                                        .chars_before = chars_in(text, before, v->from[i]),
                                        .n_digits = 1,
                                        .value = (char)v->cp[i],
                                        .is_numeral = cp >= 0x3007 && cp <= 0x9fff,
                                        .is_next = m->n > 0 && i == last + 1 && v->gap[i] <= GAP_MAX};
        m->n++;
        last = i;
    }
}

/* What n digits become: the shape of a mobile number is kept, and whether there is a zero in front. */
static void mask_number(struct digit *d, size_t n)
{
    bool is_mobile = n == 11 && d[0].value == '1' && d[1].value >= '3';
    size_t country = n == 13 && d[0].value == '8' && d[1].value == '6' ? 2 : 0;
    if (country && d[2].value == '1' && d[3].value >= '3') {
        d[0].masked = '8', d[1].masked = '6';
        mask_number(d + country, n - country);
        return;
    }
    for (size_t i = 0; i < n; i++)
        d[i].masked = i == 0 && d[0].value != '0' ? '1' : i == 1 && is_mobile ? '3' : '0';
}

static bool is_together(const struct digit *d)
{
    return d[0].is_numeral || d[-1].is_numeral ? d->is_next : d->chars_before <= TOGETHER_MAX;
}

/* Digits [from, to) belong together: each piece without a character inside is one number when it is long enough. */
static void mask_group(struct digit *d, size_t n)
{
    size_t digits = 0;
    for (size_t i = 0; i < n; i++)
        digits += d[i].n_digits;
    if (digits < NUMBER_MIN)
        return;
    for (size_t from = 0, to; from < n; from = to) {
        to = from + 1;
        while (to < n && d[to].chars_before <= 1)
            to++;
        mask_number(d + from, to - from);
    }
}

static void write_numbers(struct capture_mask *m, struct span text)
{
    uint32_t at = 0;
    buf_reset(&m->numbers);
    for (size_t i = 0; i < m->n; i++) {
        const struct digit *d = &m->digit[i];
        if (!d->masked)
            continue;
        buf_append(&m->numbers, text.p + at, d->from - at);
        buf_append(&m->numbers, &d->masked, 1);
        at = d->to;
    }
    buf_append_span(&m->numbers, span_from(text, at));
}

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_name_char(uint8_t c)
{
    return is_lower(c) || is_upper(c) || is_ascii_digit(c) || c == '_' || c == '-' || c == '.';
}

/* qq.com, s1.example.net: what allow lists of domains look at. */
static bool is_domain(struct span s, size_t from, size_t to)
{
    size_t end = to;
    while (end > from && (is_lower(s.p[end - 1]) || is_upper(s.p[end - 1])))
        end--;
    return to - end >= 2 && end > from + 1 && s.p[end - 1] == '.';
}

static bool is_account(struct span s, size_t from, size_t to)
{
    bool has_letter = false, has_mark = false;
    bool has_x = s.p[to - 1] == 'x' || s.p[to - 1] == 'X'; /* 17 digits and X are a resident id: a number */
    for (size_t i = from; i < to; i++) {
        has_letter = has_letter || ((is_lower(s.p[i]) || is_upper(s.p[i])) && !(has_x && i + 1 == to));
        has_mark = has_mark || is_ascii_digit(s.p[i]) || s.p[i] == '_';
    }
    if (to < s.n && s.p[to] == '@')
        return true;
    return has_letter && has_mark && to - from >= NAME_MIN && !is_domain(s, from, to);
}

static void write_names(struct capture_mask *m)
{
    struct span s = buf_span(&m->numbers);
    buf_reset(&m->out);
    for (size_t from = 0, to; from < s.n; from = to) {
        to = from + 1;
        if (!is_name_char(s.p[from])) {
            buf_append(&m->out, s.p + from, 1);
            continue;
        }
        while (to < s.n && is_name_char(s.p[to]))
            to++;
        bool is_masked = is_account(s, from, to);
        for (size_t i = from; i < to; i++) {
            uint8_t c = s.p[i];
            uint8_t class = is_lower(c) ? 'a' : is_upper(c) ? 'A' : is_ascii_digit(c) ? '0' : c;
            buf_append(&m->out, is_masked ? &class : &c, 1);
        }
    }
}

struct span capture_mask_text(struct capture_mask *m, struct span text)
{
    find_digits(m, text);
    for (size_t from = 0, to; from < m->n; from = to) {
        to = from + 1;
        while (to < m->n && is_together(&m->digit[to]))
            to++;
        mask_group(m->digit + from, to - from);
    }
    write_numbers(m, text);
    write_names(m);
    return buf_span(&m->out);
}

const char *capture_mask_id(struct span id, char out[CAPTURE_PSEUDONYM_MAX])
{
    uint64_t h = hash_keyed(id);
    for (size_t i = 0; i < CAPTURE_PSEUDONYM_MAX - 1; i++, h >>= 4)
        out[i] = (char)('a' + (h & 15));
    out[CAPTURE_PSEUDONYM_MAX - 1] = '\0';
    return out;
}
