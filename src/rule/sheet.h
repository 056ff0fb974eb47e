/* One text laid out for the rules: folded, with the words found in it; other views are made when a rule asks (inside of
 * src/rule). One sheet per thread, filled anew for every text. */
#pragma once

#include "rule/model.h"
#include "rule/regex.h"
#include "rule/variant.h"

enum {
    SHORT_PARTS = 3, /* units of two parts that a mark does not part */
    LONG_PART = 12,  /* units of a text that is no piece of another */
};

/* A term at units [from, to) of the plain view, bytes [bfrom, bto) of the text. */
struct occurrence {
    uint32_t term;
    uint32_t from, to, bfrom, bto;
    uint8_t gap;  /* most separators between two of its characters */
    uint8_t same; /* reading: characters as written; 255: all others are spelled in letters */
    bool has_punctuation, has_border, is_reading, is_variant;
};

/* A plain view as UTF-8; its bytes came from bytes [from, to) of what the view was made of. */
struct plain_text {
    uint8_t *text;
    uint32_t *from, *to;
    uint32_t n, cap;
};

/* What a regular expression sees, and where it came from. */
struct regex_text {
    struct span text;
    const uint32_t *from, *to;     /* NULL: the text as typed, or is_line */
    const struct variant *variant; /* its matches must hold a swapped byte; NULL: as typed */
    bool is_twice;                 /* from and to lead to the variant text */
    bool is_line;                  /* where it came from is told by sheet_place */
};

struct sheet {
    const struct ruleset *set;
    const struct side *side;
    const struct finder *finder; /* of all rules, or of those with a window */
    struct span text;
    int64_t now_ms;
    const struct calendar *calendar; /* of the shop, or NULL; set before sheet_lay */
    struct fold_scratch *fold, *fold_more;
    struct regex_scratch *regex;
    struct folded plain;    /* plain view, reading view when the set needs it */
    struct folded more;     /* all views but reading; see sheet_more */
    struct span line;       /* when has_line; see sheet_line */
    struct variant variant; /* when has_variants */
    bool has_line, has_more, has_clauses, has_plain_text, has_variant_text, has_variants, is_cut;
    struct occurrence occ[OCCURRENCES_MAX + 1]; /* the last is room for one that is not kept */
    uint32_t n_occ;
    struct detect_list found;
    uint32_t detected; /* kinds that were looked for */
    bool has_digits, has_letters, has_marks;
    /* per unit of the plain view, and one behind the last */
    uint16_t *clause, *sentence;
    uint32_t units_cap;
    uint32_t part_from[WINDOW_MAX + 1]; /* joined texts: where each begins; set behind sheet_lay */
    uint32_t n_parts;                   /* 0: one text */
    struct plain_text plain_text, variant_text;
    /* rules woken by the words */
    uint64_t *mask;  /* by rule: bits of what was found of it */
    uint64_t *woken; /* bits of the rules of which something was found that leads, see lead.h */
    uint32_t *awake; /* room for their numbers */
    uint32_t rules_cap;
    uint32_t woke_last[64]; /* by term: number + 1 of the last one that woke its rules; it need not again */
};

void sheet_init(struct sheet *s);
void sheet_fini(struct sheet *s);
/* Folds the text (at most FOLD_TEXT_MAX bytes) and finds all words of that direction; is_window: of its rules with a
 * window, and wakes no others. */
void sheet_lay(struct sheet *s, const struct ruleset *set, enum direction dir, struct span text, int64_t now_ms,
               bool is_window);
/* The line, and where its bytes came from. */
const struct folded *sheet_more(struct sheet *s);
/* The line alone, for half the work; it stays where it is when sheet_more follows. */
struct span sheet_line(struct sheet *s);
/* The detections of these kinds (bits) are in s->found afterwards. */
void sheet_detect(struct sheet *s, uint32_t kinds);
void sheet_need_clauses(struct sheet *s);
/* The text for regular expressions on line, plain view or raw text; the same for the variant text (only when
 * has_variants, never raw). */
struct regex_text sheet_regex_text(struct sheet *s, enum regex_on on, bool of_variant);
/* Before a match is mapped back: where the line came from is made when something was found in it. */
void sheet_place(struct sheet *s, struct regex_text *t);
uint64_t sheet_mask(const struct sheet *s, uint32_t rule);

static inline size_t sheet_woken_words(size_t rules)
{
    return (rules + 63) / 64;
}
