#include "rule/duetime_word.h"

bool duetime_take_whole(struct reader *r, const char16_t *word)
{
    uint32_t at = r->at;
    for (; *word; word++, at++)
        if (at >= r->n || r->cp[at] != *word)
            return false;
    r->at = at;
    return true;
}

int duetime_take_any(struct reader *r, const char16_t *const *words)
{
    for (int i = 0; words[i]; i++)
        if (duetime_take(r, words[i]))
            return i;
    return -1;
}

int duetime_take_meaning(struct reader *r, const struct duetime_meaning *list)
{
    for (; list->word; list++)
        if (duetime_take(r, list->word))
            return list->value;
    return -1;
}

static int digit_of(uint32_t cp)
{
    /* 零一二三四五六七八九 */
    static const uint16_t digits[] = {0x96f6, 0x4e00, 0x4e8c, 0x4e09, 0x56db, 0x4e94, 0x516d, 0x4e03, 0x516b, 0x4e5d};
    if (cp < 0x80)
        return cp >= '0' && cp <= '9' ? (int)(cp - '0') : -1;
    if (cp == 0x4e24) /* 两 */
        return 2;
    for (int i = 0; i < 10; i++)
        if (cp == digits[i])
            return i;
    return -1;
}

enum { TEN = 0x5341, HUNDRED = 0x767e, SOME = 0x51e0 /* 几 */ };

/* 3, 15, 三, 十五, 二十, 一百二十, 两三 (the upper), 十几 (20), 几 (5); -1: no number. */
int duetime_take_number(struct reader *r)
{
    uint32_t start = r->at;
    int v = 0, last = -1;
    bool has = false;
    for (; r->at < r->n && v <= DUETIME_NUMBER_MAX; r->at++) {
        uint32_t cp = r->cp[r->at];
        int d = digit_of(cp);
        if (d >= 0 && cp >= '0' && cp <= '9') {
            last = last < 0 ? d : last * 10 + d;
            if (last > DUETIME_NUMBER_MAX)
                break;
        } else if (d >= 0) {
            last = d; /* 两三: the second counts */
        } else if (cp == TEN) {
            v += (last < 0 ? 1 : last) * 10, last = -1;
        } else if (cp == HUNDRED) {
            v += (last < 0 ? 1 : last) * 100, last = -1;
        } else if (cp == SOME) {
            last = v ? 10 : 5;
        } else {
            break;
        }
        has = true;
    }
    if (!has)
        r->at = start;
    return has ? MIN_OF(v + MAX_OF(last, 0), DUETIME_NUMBER_MAX) : -1;
}

/* 3到5, 三至五: the upper number. */
int duetime_take_range(struct reader *r)
{
    static const char16_t *const to[] = {u"到", u"至", NULL};
    int a = duetime_take_number(r);
    uint32_t before = r->at;
    if (a >= 0 && duetime_take_any(r, to) >= 0) {
        int b = duetime_take_number(r);
        if (b >= a)
            return b;
        r->at = before;
    }
    return a;
}
