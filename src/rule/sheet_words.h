/* Finding the words of a sheet (inside of src/rule). */
#pragma once

#include "rule/sheet.h"

/* Fills s->occ, wakes rules, and lays out the variant text when a spelling was met. */
void sheet_find_words(struct sheet *s);
