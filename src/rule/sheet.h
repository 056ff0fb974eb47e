/* One text laid out for the rules: folded, with the words found in it; other views are made when a rule asks (inside of
 * src/rule). One sheet per thread, filled anew for every text. */
#pragma once

#include "rule/model.h"
#include "rule/regex.h"

/* A term at units [from, to) of the plain view, bytes [bfrom, bto) of the text. */
struct occurrence {
    uint32_t term;
    uint32_t from, to, bfrom, bto;
    uint8_t gap;  /* most separators between two of its characters */
    uint8_t same; /* reading: characters as written; 255: all others are spelled in letters */
    bool has_punctuation, has_border, is_reading;
};

struct sheet {
    const struct ruleset *set;
    const struct side *side;
    struct span text;
    int64_t now_ms;
    struct fold_scratch *fold, *fold_more;
    struct regex_scratch *regex;
    struct folded plain; /* plain view, reading view when the set needs it */
    struct folded more;  /* all views but reading; see sheet_more */
    bool has_more, has_clauses, has_plain_text, is_cut;
    struct occurrence occ[OCCURRENCES_MAX];
    uint32_t n_occ;
    struct detect_list found;
    uint32_t detected; /* kinds that were looked for */
    bool has_digits, has_letters, has_marks;
    /* per unit of the plain view, and one behind the last */
    uint16_t *clause, *sentence;
    uint32_t *plain_at; /* byte of plain_text where a unit begins */
    uint8_t *plain_text;
    uint32_t units_cap;
    /* rules woken by the words */
    uint64_t *mask;
    uint32_t *mask_epoch;
    uint32_t rules_cap, epoch;
    uint32_t *woken;
    uint32_t n_woken;
};

void sheet_init(struct sheet *s);
void sheet_fini(struct sheet *s);
/* Folds the text (at most FOLD_TEXT_MAX bytes) and finds all words of that direction. */
void sheet_lay(struct sheet *s, const struct ruleset *set, enum direction dir, struct span text, int64_t now_ms);
/* The line and the digit view. */
const struct folded *sheet_more(struct sheet *s);
/* The detections of these kinds (bits) are in s->found afterwards. */
void sheet_detect(struct sheet *s, uint32_t kinds);
void sheet_need_clauses(struct sheet *s);
/* The plain view as UTF-8. */
struct span sheet_plain_text(struct sheet *s);
uint64_t sheet_mask(const struct sheet *s, uint32_t rule);
