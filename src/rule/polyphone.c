#include "rule/polyphone.h"

#include "rule/confuse.h"
#include "rule/terms.h"

enum { WORD_CHARS_MAX = 2 };

/* What is read otherwise within which word. Words whose other reading is another word of shops (退还, 退换) are left
 * out. */
static const struct polyphone {
    uint16_t word[WORD_CHARS_MAX + 1];
    uint8_t at;
    const char *reading;
} polyphones[] = {
    {u"银行", 1, "hang"}, {u"同行", 1, "hang"}, {u"内行", 1, "hang"},  {u"外行", 1, "hang"}, {u"车行", 1, "hang"},
    {u"农行", 1, "hang"}, {u"建行", 1, "hang"}, {u"招行", 1, "hang"},  {u"工行", 1, "hang"}, {u"商行", 1, "hang"},
    {u"行业", 0, "hang"}, {u"行货", 0, "hang"}, {u"行家", 0, "hang"},  {u"行情", 0, "hang"}, {u"行规", 0, "hang"},
    {u"便宜", 0, "pian"}, {u"地址", 0, "di"},   {u"地方", 0, "di"},    {u"地摊", 0, "di"},   {u"地沟", 0, "di"},
    {u"地板", 0, "di"},   {u"地铁", 0, "di"},   {u"外地", 1, "di"},    {u"当地", 1, "di"},   {u"本地", 1, "di"},
    {u"曝光", 0, "bao"},  {u"睡觉", 1, "jiao"}, {u"重新", 0, "chong"}, {u"可恶", 1, "wu"},   {u"会计", 0, "kuai"},
};

/* Where its word stands around unit `at` of a word, the other reading of this unit; NULL: it has none. */
static const char *other_reading(const uint32_t *unit, uint32_t n, uint32_t at)
{
    for (size_t i = 0; i < ARRAY_LEN(polyphones); i++) {
        const struct polyphone *y = &polyphones[i];
        uint32_t k = 0;
        if (at < y->at || at - y->at + WORD_CHARS_MAX > n)
            continue;
        while (k < WORD_CHARS_MAX && unit[at - y->at + k] == y->word[k])
            k++;
        if (k == WORD_CHARS_MAX)
            return y->reading;
    }
    return NULL;
}

void polyphone_compile(struct loader *l, const struct pending *p, uint32_t number, struct span word)
{
    const struct term from = l->set->side[p->rule->dir].term[number]; /* making one may move it */
    uint32_t unit[TERM_CHARS_MAX], found = 0;
    if (from.n_written != from.n)
        return; /* letters in it are syllables */
    memcpy(unit, from.cp, from.n * sizeof(*unit));
    for (uint32_t at = 0; at < from.n; at++) {
        const char *reading = other_reading(from.written, from.n, at);
        uint32_t syllable = reading ? confuse_syllable_of(l, reading) : 0;
        if (syllable && syllable != unit[at])
            unit[at] = syllable, found++;
    }
    if (!found)
        return;
    struct buf key = {0};
    buf_append(&key, "=", 1);
    buf_append_span(&key, word);
    struct term *t = terms_get(l, p->rule->dir, TERM_READING, buf_span(&key), &number);
    buf_fini(&key);
    if (!t->cp) {
        uint32_t *copy = arena_alloc(&l->set->arena, from.n * sizeof(*copy));
        memcpy(copy, unit, from.n * sizeof(*copy));
        t->cp = copy;
        t->written = from.written;
        t->n = t->n_written = from.n;
        t->text = from.text;
        t->text_len = from.text_len;
    }
    terms_connect(t, number, p);
}
