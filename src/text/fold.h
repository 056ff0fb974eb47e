/* Folding: from what people type to canonical code points, with a map back to the bytes that were typed.
 *
 *   original bytes   加 我 [ZWSP] Ｗ e i   x i n          (UTF-8, validated by the caller)
 *   line             加 我 w e i ' ' x i n                 canonical text, separators kept: for regular expressions
 *   VIEW_PLAIN       加 我 w e i x i n                     separators taken out, counted in `gap`: for words
 *   VIEW_DIGIT       as plain, Chinese and mixed numerals as 0-9 (幺三八 -> 1 3 8): for numbers
 *   VIEW_READING     [jia] [wo] [wei] [xin]                toneless syllables (from Han or from spelled-out pinyin)
 *
 * Canonical: NFKC and case folding, full width, Traditional to Simplified, default-ignorables dropped, look-alikes,
 * enclosed letters and digit forms; docs/folding.md has the whole list. The tables are generated at build time
 * (src/text/gen). Folding is idempotent on its own `line`. Thread-safe: all state is in the scratch. */
#pragma once

#include "base/span.h"

enum fold_view { VIEW_PLAIN, VIEW_DIGIT, VIEW_READING, VIEW_COUNT };

enum { FOLD_WANT_LINE = 1 << VIEW_COUNT }; /* in `want`, beside 1 << VIEW_… */

enum {
    FOLD_TEXT_MAX = 64 * 1024,     /* longest text that is folded, bytes */
    FOLD_SYLLABLE_BASE = 0x110000, /* VIEW_READING: units from here on are syllable numbers, others code points */
    FOLD_GAP_MAX = 255,            /* gap counts stop here */
};

/* Parallel arrays of n units; unit i came from original bytes [from[i], to[i]), which lie on character borders and
 * never decrease. Units of one original character (㏄) share its bytes; the bytes of combining marks belong to the unit
 * before them. gap[i]: separators (spaces, punctuation, symbols, emoji) as typed between unit i-1 and unit i, "…" being
 * one; gap[0]: before the first. Separators after the last unit are counted nowhere. */
struct view {
    const uint32_t *cp;
    const uint32_t *from, *to;
    const uint8_t *gap;
    uint32_t n;
};

struct folded {
    struct view view[VIEW_COUNT]; /* only those wanted; PLAIN always */
    /* Canonical text with separators, UTF-8; byte k came from original byte line_from[k] (start of its character) and
     * the character that gave it ends at line_to[k]. Only with FOLD_WANT_LINE. */
    struct span line;
    const uint32_t *line_from, *line_to;
};

struct fold_scratch;
/* Room for texts up to FOLD_TEXT_MAX: about 10 MB of address space, of which the system backs what the texts so far
 * have needed (some 60 KB for chat messages). Folding allocates nothing. One per thread. */
struct fold_scratch *fold_scratch_new(void);
void fold_scratch_free(struct fold_scratch **s);

/* Folds valid UTF-8 of at most FOLD_TEXT_MAX bytes; the result lives in the scratch until the next call with it.
 * `want`: bits 1 << VIEW_…, FOLD_WANT_LINE. */
void fold_text(struct fold_scratch *s, struct span text, unsigned want, struct folded *out);

/* The line alone, without the map back to the text: half the work, for who only looks whether something is there. Lives
 * in the scratch; a fold_text of the same text with FOLD_WANT_LINE puts the same line there again. */
struct span fold_line(struct fold_scratch *s, struct span text);

/* Syllable number (from FOLD_SYLLABLE_BASE) of a code point's usual reading, or 0. */
uint32_t fold_syllable_of(uint32_t cp);
/* "wei" for a syllable number; "" when there is none. */
const char *fold_syllable_name(uint32_t syllable);
/* True for the characters that are taken out of the plain view (after folding). */
bool fold_is_separator(uint32_t cp);
