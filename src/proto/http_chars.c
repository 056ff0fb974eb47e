#include "proto/http_chars.h"

bool http_is_tchar(uint8_t c)
{
    /* One bit per code: digits, letters and !#$%&'*+-.^_`|~ */
    static const uint32_t tchar[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0};
    return tchar[c >> 5] >> (c & 31) & 1;
}

bool http_is_token(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!http_is_tchar(s.p[i]))
            return false;
    return s.n > 0;
}

bool http_is_text(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
            return false;
    return true;
}

int http_hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_next_element(struct span *list, struct span *element)
{
    while (list->n) {
        const uint8_t *comma = memchr(list->p, ',', list->n);
        size_t n = comma ? (size_t)(comma - list->p) : list->n;
        *element = span_trim(span_of(list->p, n));
        *list = span_from(*list, comma ? n + 1 : n);
        if (element->n)
            return true;
    }
    return false;
}
