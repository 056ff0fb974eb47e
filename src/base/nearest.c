#include "base/nearest.h"

#include <string.h>

#include "base/attr.h"

enum { WORD_MAX = 40, EDITS_MAX = 2 };

static unsigned distance(const char *a, const char *b, size_t n)
{
    unsigned rows[3][WORD_MAX], *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n; j++)
        last[j] = (unsigned)j;
    for (size_t i = 0; a[i]; i++) {
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < n; j++) {
            row[j + 1] = MIN_OF(last[j] + (a[i] != b[j]), MIN_OF(row[j], last[j + 1]) + 1);
            if (i && j && a[i] == b[j - 1] && a[i - 1] == b[j])
                row[j + 1] = MIN_OF(row[j + 1], before[j - 1] + 1);
        }
        unsigned *oldest = before;
        before = last, last = row, row = oldest;
    }
    return last[n];
}

bool nearest_try(struct nearest *n, const char *word)
{
    size_t len = strlen(word);
    if (len >= WORD_MAX)
        return false;
    unsigned d = distance(n->wrong, word, len);
    if (d > EDITS_MAX || d * 2 >= strlen(n->wrong) || (n->best && d >= n->edits))
        return false;
    n->best = word;
    n->edits = d;
    return true;
}
