/* The generator of the folding tables: Unicode data in, C source out. It ends the process with one line on any trouble,
 * since a build without its data must not go on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "text/gen/layout.h"

enum { UNITS_MAX = 20, PAIRS_MAX = 2048 };

struct units {
    uint32_t n;
    uint32_t cp[UNITS_MAX];
};

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* canon.c: the canonical form of a single code point; no unit means that it is dropped. */
void canon_init(void);
void canon_of(uint32_t cp, struct units *out);

/* lookalike.c: ASCII for a letter that looks like it, or is drawn as it. */
void lookalike_init(void);
bool lookalike_of(uint32_t cp, struct units *out);
bool lookalike_named(uint32_t cp, struct units *out);

/* simplify.c: OpenCC, one character at a time; the code point itself when nothing changes. */
void simplify_init(void);
uint32_t simplify_of(uint32_t cp);

/* props.c */
bool prop_is_separator(uint32_t cp);
bool prop_is_mark(uint32_t cp); /* Mn or Me: dropped when it does not compose */
int prop_digit(uint32_t cp);    /* 0 to 9 for a numeral of the digit view, or -1 */

/* reading.c: usual readings without tones, from Unihan_Readings.txt.bz2. */
void reading_init(const char *path);
uint32_t reading_of(uint32_t cp); /* syllable number, 0 for none */
void reading_write(FILE *f);

/* emit.c */
void emit_tables(FILE *f);
