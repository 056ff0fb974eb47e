/* In "138oo13l000" somebody types letters for digits, in 幺三五洞洞拐拐 the words of the radio. One is read as a digit
 * only where nothing else makes sense: between digits of a run that has several, or at the end of a run as long as the
 * shortest phone number. */
#include "text/state.h"

enum {
    LETTERS_MAX = 4,  /* longer letter runs are words */
    EDGE_RUN_MIN = 7, /* units in the run, for letters at its ends; these stand directly beside the digits */
};

static uint32_t value_of(uint32_t cp)
{
    switch (cp) {
    case 'o':
        return '0';
    case 'l':
    case 'i':
        return '1';
    case 's': /* these two only between digits: behind them they are units and words */
        return '5';
    case 'b':
        return '8';
    case 0x6d1e: /* 洞 */
        return '0';
    case 0x62d0: /* 拐 */
        return '7';
    case 0x52fe: /* 勾 */
        return '9';
    default:
        return 0;
    }
}

static bool is_letter_at(const uint32_t *cp, uint32_t n, uint32_t i)
{
    return i < n && is_ascii_letter(cp[i]);
}

/* Letters [from, to) of the digit run [first, end). */
static bool is_numeral(const struct fold_scratch *s, uint32_t first, uint32_t end, uint32_t from, uint32_t to,
                       uint32_t n)
{
    if (to - from > LETTERS_MAX)
        return false;
    if (from > first && to < end)
        return true;
    for (uint32_t i = from; i < to; i++)
        if (s->digit[i] == 's' || s->digit[i] == 'b')
            return false;
    if (end - first < EDGE_RUN_MIN)
        return false;
    for (uint32_t i = from + (from == first); i < to + (to < end); i++)
        if (s->gap[i])
            return false;
    return from == first ? first == 0 || !is_letter_at(s->digit, n, first - 1) || s->gap[first]
                         : !is_letter_at(s->digit, n, end) || s->gap[end];
}

static void fix_run(struct fold_scratch *s, uint32_t first, uint32_t end, uint32_t n)
{
    uint32_t digits = 0;
    for (uint32_t i = first; i < end; i++)
        digits += is_ascii_digit(s->digit[i]);
    if (digits == end - first || digits < DIGIT_RUN_MIN)
        return;
    for (uint32_t i = first, to; i < end; i = to) {
        to = i + 1;
        if (is_ascii_digit(s->digit[i]))
            continue;
        while (to < end && !is_ascii_digit(s->digit[to]))
            to++;
        if (!is_numeral(s, first, end, i, to, n))
            continue;
        for (uint32_t k = i; k < to; k++)
            s->digit[k] = value_of(s->digit[k]);
    }
}

void digit_fix_letters(struct fold_scratch *s, uint32_t n)
{
    for (uint32_t i = 0, end; i < n; i = end) {
        end = i + 1;
        if (!is_ascii_digit(s->digit[i]) && !value_of(s->digit[i]))
            continue;
        while (end < n && (is_ascii_digit(s->digit[end]) || value_of(s->digit[end])))
            end++;
        fix_run(s, i, end, n);
    }
}
