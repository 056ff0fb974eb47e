#include "text/gen/gen.h"

#include <opencc/opencc.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

static uint32_t simple[FOLD_CODE_POINTS];

static bool is_han(uint32_t cp)
{
    UErrorCode err = U_ZERO_ERROR;
    return u_isdefined((UChar32)cp) && uscript_getScript((UChar32)cp, &err) == USCRIPT_HAN;
}

/* All Han characters in one text, one a line, so that no phrase of the dictionary can apply. */
static char *all_han(size_t *n)
{
    char *text = malloc(6u * 0x40000);
    if (!text)
        die("out of memory");
    int32_t at = 0;
    for (uint32_t cp = 0x80; cp < 0x40000; cp++) {
        if (!is_han(cp))
            continue;
        U8_APPEND_UNSAFE((uint8_t *)text, at, (UChar32)cp);
        text[at++] = '\n';
    }
    *n = (size_t)at;
    return text;
}

void simplify_init(void)
{
    opencc_t cc = opencc_open("t2s.json");
    if (cc == (opencc_t)-1)
        die("OpenCC cannot load t2s.json (Debian: libopencc-data): %s", opencc_error());
    size_t n;
    char *text = all_han(&n);
    char *out = opencc_convert_utf8(cc, text, n);
    if (!out)
        die("OpenCC: %s", opencc_error());
    int32_t i = 0, k = 0, out_n = (int32_t)strlen(out);
    while (i < (int32_t)n && k < out_n) {
        UChar32 from, to;
        U8_NEXT((uint8_t *)text, i, (int32_t)n, from);
        U8_NEXT((uint8_t *)out, k, out_n, to);
        i++; /* the line feed */
        if (out[k] == '\n')
            simple[from] = (uint32_t)to;
        while (k < out_n && out[k++] != '\n')
            ;
    }
    if (i != (int32_t)n || k != out_n)
        die("OpenCC: the output has another number of lines than the input");
    opencc_convert_utf8_free(out);
    free(text);
    if (opencc_close(cc) != 0)
        die("OpenCC: %s", opencc_error());
}

uint32_t simplify_of(uint32_t cp)
{
    return simple[cp] ? simple[cp] : cp;
}
