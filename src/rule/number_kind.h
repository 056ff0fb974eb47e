/* What digits alone tell (inside of src/rule): lengths, areas and check digits of mainland China, Hong Kong and Taiwan.
 */
#pragma once

#include <stddef.h>

/* What n ASCII digits (zero behind them) can be: DETECT_BANK_CARD (Luhn), DETECT_PHONE, DETECT_LANDLINE or
 * DETECT_SERVICE_NUMBER; -1: none of these. */
int number_kind(const char *d, size_t n);
