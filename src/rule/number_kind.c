#include "rule/number_kind.h"

#include "rule/detect.h"

static bool luhn(const char *d, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned k = (unsigned)(d[n - 1 - i] - '0');
        if (i % 2)
            k = k * 2 > 9 ? k * 2 - 9 : k * 2;
        sum += k;
    }
    return sum % 10 == 0;
}

static bool is_bank_card(const char *d, size_t n)
{
    if (n >= 16 && n <= 19 && strncmp(d, "62", 2) == 0)
        return luhn(d, n);
    if (n == 19 && strncmp(d, "9558", 4) == 0)
        return luhn(d, n);
    return n == 16 && (d[0] == '4' || (d[0] == '5' && d[1] >= '1' && d[1] <= '5') || strncmp(d, "35", 2) == 0) &&
           luhn(d, n);
}

static bool is_mobile(const char *d, size_t n)
{
    if (n == 13 && strncmp(d, "86", 2) == 0)
        return is_mobile(d + 2, 11);
    if (n == 15 && strncmp(d, "0086", 4) == 0)
        return is_mobile(d + 4, 11);
    if (n == 11 && d[0] == '1' && d[1] >= '3')
        return strncmp(d, "154", 3) != 0 && strncmp(d, "194", 3) != 0;
    if (n == 10 && d[0] == '0' && d[1] == '9')
        return true; /* Taiwan */
    return (n == 11 && strncmp(d, "852", 3) == 0 && d[3] >= '4') || (n == 12 && strncmp(d, "8869", 4) == 0);
}

static bool is_landline(const char *d, size_t n)
{
    if (d[0] != '0' || (n != 11 && n != 12) || d[1] == '0')
        return false;
    bool is_short_area = d[1] == '1' ? d[2] == '0' : d[1] == '2';
    return is_short_area ? n == 11 && d[3] >= '2' : d[1] >= '3' && d[4] >= '2';
}

int number_kind(const char *d, size_t n)
{
    if (is_bank_card(d, n))
        return DETECT_BANK_CARD;
    if (is_mobile(d, n))
        return DETECT_PHONE;
    if (is_landline(d, n))
        return DETECT_LANDLINE;
    return n == 10 && (strncmp(d, "400", 3) == 0 || strncmp(d, "800", 3) == 0) ? DETECT_SERVICE_NUMBER : -1;
}
