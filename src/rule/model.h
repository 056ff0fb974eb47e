/* Inside of a rule set; for src/rule and its tests only.
 *
 *   struct ruleset ── side[direction] ─┬─ finder all     ┬─ match plain    words on the plain view  ┐ occurrences
 *                                      │                 └─ match reading  words by their reading   ┘ of terms
 *                                      ├─ finder window  the same for rules with a window only
 *                                      ├─ term[]         term ─▶ rules it wakes, with the bit it sets
 *                                      └─ rule[]         use[]: what a term means for this rule
 */
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/calendar.h"
#include "base/map.h"
#include "rule/detect.h"
#include "rule/match.h"
#include "rule/set.h"

enum {
    TERM_CHARS_MAX = 32,
    NEARS_MAX = 8,
    NEAR_GROUPS_MAX = 6,
    GROUPS_MAX = 31,
    REGEXES_MAX = 16,
    NOT_NEARS_MAX = 12,
    OCCURRENCES_MAX = 2048, /* in one text */
    SPELLING_TARGETS_MAX = 3,
};

/* What a term is to a rule. */
enum role {
    ROLE_NONE,
    ROLE_WORD,
    ROLE_GROUP,
    ROLE_REGEX,
    ROLE_UNLESS,
    ROLE_NOT_READING,
    ROLE_NOT_NEAR,
    ROLE_SEVERITY,
    ROLE_KEY,
    ROLE_FILLER,
    ROLE_REFUSED /* index: enum refused_part */
};

/* `refused`: what a question and the refusal behind it are known by. */
enum refused_part { REFUSED_WHOLE, REFUSED_BEGIN, REFUSED_FILLER, REFUSED_TURN, REFUSED_ASK };

struct use {
    uint32_t term;
    uint8_t role;
    uint8_t index; /* group number within the rule, number of the regex or of the not_near */
    uint16_t key;  /* ROLE_KEY: number of the replacement */
};

enum same { SAME_ANY, SAME_CLAUSE, SAME_SENTENCE };

struct near {
    uint32_t within;
    bool is_ordered;
    uint8_t same;
    uint8_t n_groups, first_group;       /* groups are numbered through the rule */
    uint32_t detectors[NEAR_GROUPS_MAX]; /* bits of enum detector */
    uint64_t need;                       /* bits of the groups that have words only */
    uint8_t lead;                        /* the rarest of them, see lead.h */
};

enum side_of { SIDE_BEFORE = 1, SIDE_AFTER = 2, SIDE_BOTH = 3 };

struct not_near {
    uint32_t within;
    uint8_t side, same;
    uint32_t detectors;
};

enum regex_on { ON_LINE, ON_PLAIN, ON_RAW };

struct rule_regex {
    struct regex *re;
    const char *pattern;
    uint8_t on;
    bool has_literal;
    bool has_also; /* a second set of literals, of which one must be seen too */
    uint8_t kinds; /* LITERAL_*: a text without them cannot match; 0: any may */
};

enum rewrite_kind { REWRITE_NONE, REWRITE_TEXT, REWRITE_MAP, REWRITE_MASK };
enum { SKIP_QUESTION = 1, SKIP_QUOTED = 2 };
enum { CASE_RANK_VAGUE = 99 }; /* kind "other" */
enum { AT_START = 1, AT_END = 2 };

struct names {
    const char **name;
    size_t n;
};

enum hours { HOURS_ANY, HOURS_OPEN, HOURS_CLOSED, HOURS_SPANS };

/* What must be true of the agent's shop: its facts, and the hour on its clock. */
struct rule_when {
    struct names facts, absent;
    enum hours hours;
    struct calendar_hours spans; /* with HOURS_SPANS */
};

/* What an override with `when` makes of a rule: a copy of it with another action, notice … */
struct rule_variant {
    struct rule_when when;
    struct rule *rule; /* only what a verdict shows of a rule is read of it */
};

struct example {
    const char *text;
    const char *want; /* rewrite: the edited text, or NULL */
    struct names before, facts;
    bool is_hit, has_facts;
    int at_minute;  /* since midnight; -1: not stated */
    int64_t due_ms; /* -1: not stated */
    int line;
    const char *file;
};

/* Hits a sentence that reads enough like those of a label (classifier.h). */
struct rule_classified {
    bool is_set;
    int label;
    float least; /* score */
};

/* Bits of a rule's wake-up mask. */
enum { BIT_WORDS = 0, BIT_GROUP = 1, BIT_REGEX = BIT_GROUP + GROUPS_MAX, BIT_ALSO = BIT_REGEX + REGEXES_MAX };
_Static_assert(BIT_ALSO + REGEXES_MAX <= 64, "a mask has 64 bits");

struct rule {
    const char *id, *norm, *title, *notice, *cite;
    const char *file;
    int line;
    uint32_t number; /* within its side */
    enum direction dir;
    enum action action;
    bool has_action, is_shadow, is_off;
    struct use *use; /* sorted by term */
    size_t n_use;
    uint32_t *use_slot; /* open addressing by term: number + 1 of its first use, 0: free */
    uint32_t use_slot_mask;
    size_t n_words;
    struct near near[NEARS_MAX];
    uint8_t n_near, n_groups;
    struct rule_regex regex[REGEXES_MAX];
    uint32_t regex_always, regex_alone; /* bits of those without literals, of those that one set of them wakes */
    uint8_t n_regex;
    uint32_t detect;
    struct rule_classified classified;
    struct names domains;
    struct not_near not_near[NOT_NEARS_MAX];
    uint8_t n_not_near;
    uint8_t skip, at, at_unit; /* at: AT_*, at_unit: enum same (any: the whole message) */
    bool has_filler, has_not_reading, has_refused;
    uint32_t length_min, length_max;
    uint8_t gap;
    bool has_punctuation, has_border, has_homophones, has_variants;
    uint8_t homophones_same;
    unsigned window_messages;
    int64_t window_ms;
    uint8_t window_regex; /* where its regular expressions stand in a note */
    enum rewrite_kind rewrite;
    const char *rewrite_text;
    uint8_t rewrite_of;
    uint16_t keep_first, keep_last;
    struct names replacement;
    struct names shops, teams, roles, agents;
    struct names yields_to; /* globs of ids: beside a stricter hit of these, a warning of this rule says nothing new */
    struct rule_when when;
    struct rule_variant *variant; /* the last one that holds counts; those of several overrides come later */
    size_t n_variants;
    const char *case_kind;
    int case_rank; /* of rules that are as severe the lowest names the case */
    int severity;  /* 0: names a case that another rule opens, and opens none */
    bool has_severity_up, confirms_case, is_commit, is_ack;
    int64_t commit_default_ms;
    struct example *example;
    size_t n_examples;
    bool is_always; /* looked at for every message: no word can tell that it does not apply */
};

/* Off, and no override switches it on for some shops. */
static inline bool rule_is_off(const struct rule *r)
{
    for (size_t i = 0; i < r->n_variants; i++)
        if (!r->variant[i].rule->is_off)
            return false;
    return r->is_off;
}

/* Bits of the regular expressions that can match, after what was seen of their literals: of each one of both sets, or
 * of its only one. */
static inline uint32_t rule_literals_seen(uint64_t mask, uint32_t regex_alone)
{
    const uint32_t all = (1u << REGEXES_MAX) - 1;
    uint32_t first = (uint32_t)(mask >> BIT_REGEX) & all, also = (uint32_t)(mask >> BIT_ALSO) & all;
    return first & (also | regex_alone);
}

static inline uint32_t rule_awake_regexes(const struct rule *r, uint64_t mask)
{
    return rule_literals_seen(mask, r->regex_alone) | r->regex_always;
}

/* The first use of a term, or n_use. */
static inline size_t rule_first_use(const struct rule *r, uint32_t term)
{
    if (!r->n_use)
        return 0;
    for (uint32_t k = term * 0x9e3779b1u;; k++) {
        uint32_t use = r->use_slot[k & r->use_slot_mask];
        if (!use)
            return r->n_use;
        if (r->use[use - 1].term == term)
            return use - 1;
    }
}

/* One term: a folded word, in one of three forms. */
enum term_form { TERM_PLAIN, TERM_READING, TERM_LINE };

enum { WAKE_BIT_LOG = 6 };
/* The first two are of rules with a window, the middle two of bits that lead (lead.h). */
enum wake_part { WAKE_WINDOW, WAKE_WINDOW_LEAD, WAKE_LEAD, WAKE_OTHER, WAKE_PARTS };
struct wake {
    uint32_t rule;
    uint8_t bit;
};

struct term {
    const uint32_t *cp;      /* units to look for (plain or reading) */
    const uint32_t *written; /* reading: the plain word */
    const char *text;        /* as in the rule file; line terms: what is looked for */
    uint32_t text_len;
    uint16_t n, n_written;
    uint8_t confused; /* reading: number + 1 of the unit that only sounds alike, 0: none */
    uint8_t form;
    uint8_t gap; /* the widest that any rule allows */
    bool has_punctuation, is_loose;
    bool is_used;      /* by a rule; others are only spellings */
    bool is_windowed;  /* by a rule with a window */
    uint32_t spelling; /* plain: number + 1 of the spelling that it is, 0: none */
    struct wake *wake;
    uint32_t n_wake, wake_cap;
    uint32_t n_wake_window;        /* those whose rule has a window */
    struct window_use *window_use; /* as words of a group of a `near` with a window */
    uint32_t n_window_use;
    bool is_window_trigger; /* what it wakes or replaces may be a hit of a rule with a window */
};

/* What of a term is looked at where it occurs, apart from the rest of it: the system empties the caches between two
 * messages, and there are many terms. */
struct term_look {
    uint32_t wake; /* place in the side's `wakes` */
    uint16_t n_wake, n_wake_window, lead_from, n_lead, n_lead_window;
    uint8_t gap;
    uint8_t window_reach;              /* the widest of its uses there */
    uint32_t window_use, n_window_use; /* place in the plan's uses */
    uint32_t spelling;
    bool has_punctuation, is_loose, is_used;
};

/* What a term is to one `near` of a rule with a window. */
struct window_use {
    uint16_t near; /* through all rules with a window */
    uint16_t bit;  /* of a note's groups */
    uint8_t group; /* within the near */
};

/* Characters that a listed spelling (力口, 徵) may stand for. */
struct spelling {
    uint32_t target[SPELLING_TARGETS_MAX];
    uint8_t n;
};

/* A sign, as it stands in the folded line, and the word that it is read as. */
enum { PICTURE_BYTES_MAX = 8 };
struct picture {
    struct span sign;
    uint8_t n, with[PICTURE_BYTES_MAX];
};

/* What decides whether a woken rule is looked at, apart from the rest of it: most woken rules are not. */
struct rule_gate {
    uint64_t lead;        /* bits of the mask without one of which the rule is not looked at */
    uint64_t alone;       /* those that are enough by themselves */
    uint32_t regex_alone; /* as the rule's */
    uint32_t first_need;  /* in the side's `needs`: `need` of each of its nears */
    uint8_t n_near, window_regex;
    bool is_always, needs_two, has_window, has_regex;
};

struct finder {
    struct match *plain, *reading; /* reading: NULL when there is none */
    uint32_t *line_term;
    size_t n_line_terms;
    bool has_variants; /* some rule wants them */
};

struct side {
    struct rule **rule;
    struct rule_gate *gate; /* by number, as `rule` */
    uint64_t *needs;
    size_t n_rules;
    struct term *term;
    struct term_look *look; /* by number, as `term` */
    uint32_t *wakes;        /* rule << WAKE_BIT_LOG | bit; of each term in the order of enum wake_part */
    size_t n_terms, terms_cap;
    struct finder all, window; /* window: empty when no rule has one */
    uint32_t *always;
    size_t n_always;
    struct classifier *classifier; /* NULL: no rule has one */
    const char *classifier_name;
    uint32_t *classified; /* the rules that have */
    size_t n_classified;
    unsigned window_messages;
    int64_t window_ms;
    size_t n_windowed;
    struct window_plan *plan; /* NULL: no rule has a window */
    struct spelling *spelling;
    size_t n_spellings;
    struct picture *picture; /* sorted by first byte, longer signs first */
    size_t n_pictures;
    uint16_t picture_at[256]; /* by first byte: number + 1 of the first one, 0: none */
};

struct ruleset {
    atomic_uint refs;
    struct arena arena;
    struct side side[2];
    struct rule **rule; /* all active rules, in load order */
    size_t n_rules;
    struct rule **off; /* switched off by preset or override */
    size_t n_off;
    char version[17];
    struct names allow_domains;
    struct match *ordinary;        /* words that are never read as others that sound alike, see confuse.h; NULL: none */
    uint64_t common[0x10000 / 64]; /* bits of characters that are never stand-ins, see mark.h */
};
