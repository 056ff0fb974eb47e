/* Numbers that a check digit tells apart (inside of src/rule). Letters are lower case, as folded. */
#pragma once

#include "rule/detect.h"

/* n digits as a number. */
unsigned detect_decimal(const char *d, size_t n);
/* The first 17 digits of a resident identity number of the mainland (GB 11643) and its last place. */
bool detect_is_id_card(const char *d, char last);
/* A unified social credit code of a company (GB 32100), 18 places. */
bool detect_is_company(const char *code);
/* A123456789. */
bool detect_is_taiwan_id(const char *code);
/* A1234563 or AB1234563, the check digit last, without its brackets. */
bool detect_is_hong_kong_id(const char *code);
