#include "rule/detect_id.h"

unsigned detect_decimal(const char *d, size_t n)
{
    unsigned v = 0;
    for (size_t i = 0; i < n; i++)
        v = v * 10 + (unsigned)(d[i] - '0');
    return v;
}

/* GB 11643: region, date of birth, check digit by ISO 7064 mod 11-2. */
bool detect_is_id_card(const char *d, char last)
{
    static const uint8_t weight[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (strspn(d, "0123456789") < 17)
        return false;
    unsigned region = detect_decimal(d, 2), year = detect_decimal(d + 6, 4), month = detect_decimal(d + 10, 2),
             day = detect_decimal(d + 12, 2), sum = 0;
    if (!((region >= 11 && region <= 65) || region == 71 || (region >= 81 && region <= 83) || region == 91))
        return false;
    if (year < 1900 || year > 2100 || month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return false;
    for (int i = 0; i < 17; i++)
        sum += weight[i] * (unsigned)(d[i] - '0');
    return "10x98765432"[sum % 11] == last;
}

/* Weights are powers of 3 modulo 31. */
bool detect_is_company(const char *code)
{
    static const char places[] = "0123456789abcdefghjklmnpqrtuwxy";
    unsigned sum = 0, weight = 1;
    for (int i = 0; i < 18; i++, weight = weight * 3 % 31) {
        const char *at = code[i] ? strchr(places, code[i]) : NULL;
        if (!at)
            return false;
        if (i == 17)
            return (31 - sum % 31) % 31 == (unsigned)(at - places);
        sum += (unsigned)(at - places) * weight;
    }
    return false;
}

static bool are_digits(const char *d, size_t n)
{
    return strlen(d) == n && strspn(d, "0123456789") == n;
}

/* The letter counts as two digits, 10 to 35; then weights 1 9 8 … 1 1, and the sum is a multiple of 10. */
bool detect_is_taiwan_id(const char *code)
{
    static const char letters[] = "abcdefghjklmnpqrstuvxywzio"; /* in the order of their numbers, from 10 */
    const char *at = code[0] ? strchr(letters, code[0]) : NULL;
    if (!at || !are_digits(code + 1, 9) || !strchr("1289", code[1]))
        return false;
    unsigned letter = (unsigned)(at - letters) + 10, sum = letter / 10 + letter % 10 * 9;
    for (unsigned i = 1; i <= 8; i++)
        sum += (unsigned)(code[i] - '0') * (9 - i);
    return (sum + (unsigned)(code[9] - '0')) % 10 == 0;
}

/* Letters count 10 to 35, a missing first one 36; weights 9 to 2; modulo 11, 10 being A. */
bool detect_is_hong_kong_id(const char *code)
{
    unsigned n_letters = (unsigned)strspn(code, "abcdefghijklmnopqrstuvwxyz"), sum = n_letters == 1 ? 36 * 9 : 0;
    if (n_letters < 1 || n_letters > 2 || strlen(code) != n_letters + 7)
        return false;
    for (unsigned i = 0; i < n_letters; i++)
        sum += (unsigned)(code[i] - 'a' + 10) * (8 + n_letters - 1 - i);
    for (unsigned i = 0; i < 6; i++) {
        if (code[n_letters + i] < '0' || code[n_letters + i] > '9')
            return false;
        sum += (unsigned)(code[n_letters + i] - '0') * (7 - i);
    }
    char want = "0123456789a"[(11 - sum % 11) % 11];
    return code[n_letters + 6] == want;
}
