/* A rule set: packs compiled into one immutable, reference-counted object, and the one way to judge a message by it.
 * Thread-safe for readers; the scratch belongs to one thread. */
#pragma once

#include "base/cause.h"
#include "base/err.h"
#include "base/span.h"

/* In order of strictness: the verdict of a message is the strictest action of its hits. */
#define ACTIONS(X)                                                                                                     \
    X(ACTION_PASS, "pass")       /* delivered as it is */                                                              \
    X(ACTION_WARN, "warn")       /* delivered, the agent is told */                                                    \
    X(ACTION_REWRITE, "rewrite") /* delivered with edited spans */                                                     \
    X(ACTION_HOLD, "hold")       /* waits for a supervisor */                                                          \
    X(ACTION_BLOCK, "block")     /* refused, the agent is told why */

enum action {
#define X(id, name) id,
    ACTIONS(X)
#undef X
        ACTION_COUNT
};
const char *action_name(enum action a);

/* Rules of another direction are not looked at. */
enum direction { DIR_OUTGOING, DIR_INCOMING };

enum { VERDICT_HITS_MAX = 32, VERDICT_EDITS_MAX = 64, VERDICT_COMMITS_MAX = 4, INPUT_TEXTS_MAX = 32, WINDOW_MAX = 8 };

struct rule;                                 /* one compiled rule */
const char *rule_id(const struct rule *r);   /* "off_platform.private_contact" */
const char *rule_norm(const struct rule *r); /* "E1", or "" */
const char *rule_title(const struct rule *r);
const char *rule_notice(const struct rule *r); /* what the agent is told; "" when there is nothing to tell */
const char *rule_cite(const struct rule *r);   /* citation, or "" */
enum action rule_action(const struct rule *r); /* as loaded; ACTION_PASS when it has none */
enum direction rule_direction(const struct rule *r);
bool rule_is_shadow(const struct rule *r); /* reported, never acted on */

/* A hit: bytes [from, to) of text number `text` of the message. in_window: it began in an earlier message of the
 * window; the bytes are its part in this message. A rule without an action (incoming, commits, acknowledges) hits with
 * pass. */
struct hit {
    const struct rule *rule;
    uint16_t text;
    bool in_window;
    uint32_t from, to;
    enum action action; /* after scope, facts, local overrides; a shadow rule's would-be action with is_shadow */
};

/* Replace bytes [from, to) of text number `text` by `with` (lives in the rule set or the scratch). Edits of one text
 * are sorted, disjoint, on character borders. */
struct edit {
    uint16_t text;
    uint32_t from, to;
    struct span with;
    const struct rule *rule;
};

/* A promised time read from the agent's words (T2). */
struct commit {
    const struct rule *rule;
    uint32_t from, to; /* the words, in text number `text` */
    uint16_t text;
    int64_t due_ms; /* wall time, 0: no time named */
    bool is_exact;  /* a definite time, not 马上 or 回头 */
};

/* What judging a text alone has shown of it: kept with the text, it lets later messages tell without another look that
 * no rule hits over the border (rule/window.h). All zero: nothing is known. */
enum { WINDOW_WORDS_MAX = 40, WINDOW_UNITS = 11, WINDOW_GROUP_WORDS = 8 };
struct window_word { /* of a group of a `near` with a window */
    uint32_t term;
    uint8_t distance; /* characters between it and the border */
    uint8_t gap, same, bits;
};
struct window_note {
    uint64_t set;             /* which set's rules made it; 0: nothing is known */
    uint32_t number, follows; /* whoever keeps the texts numbers them from 1 on: this one and the one before it */
    uint64_t literals, also;  /* of regular expressions */
    uint64_t group[WINDOW_GROUP_WORDS]; /* bits of the groups of which a word is anywhere in the text */
    uint32_t units, syllables, numerals;
    uint32_t last[WINDOW_UNITS], last_syllable[WINDOW_UNITS]; /* the last unit, the one before it …; 0: there is none */
    uint16_t last_part;                                       /* units behind the last separator */
    uint8_t edge, ends, inner, before;
    bool is_numeral, is_amount, has_letters, has_money;
    bool is_plain_end;        /* none of these units is read as another */
    bool is_doubled;          /* it begins as the text before it ends */
    bool may_span, may_blend; /* the border to the text before it may lie in a word, or change how it is read */
    uint8_t n_words;
    struct window_word word[WINDOW_WORDS_MAX];
};

struct verdict {
    enum action action;
    bool has_cause; /* the verdict comes from (or met) a failure */
    enum cause cause;
    struct hit hit[VERDICT_HITS_MAX];
    size_t n_hits, hits_dropped;
    struct edit edit[VERDICT_EDITS_MAX];
    size_t n_edits;
    const struct rule *opens_case;             /* incoming: the rule that opens a case, else NULL */
    const char *case_kind;                     /* "not_delivered", …; another rule may have named it */
    int severity;                              /* 1 to 4 */
    int kind_severity, kind_rank;              /* inside: of the rule that named the case */
    const struct rule *confirms;               /* incoming: the customer says that it is solved */
    struct commit commit[VERDICT_COMMITS_MAX]; /* the first counts: one with a definite time goes before the others */
    size_t n_commits;
    bool is_ack_only;        /* outgoing: no more than 好的 / 稍等 (keeps no commitment) */
    struct window_note note; /* of text 0, for the messages behind it */
};

/* What a rule may depend on besides the text. All spans may be empty; facts are "name" or "name=value". */
struct calendar;

struct rule_who {
    struct span agent, team, shop, role;
    const char *const *facts;
    size_t n_facts;
    const struct calendar *calendar; /* for promised times; NULL: 9:00 to 21:00 in Asia/Shanghai */
};

struct rule_input {
    enum direction dir;
    struct span text[INPUT_TEXTS_MAX]; /* valid UTF-8; all texts of one message */
    size_t n_texts;
    struct span before[WINDOW_MAX]; /* earlier texts of this agent in this conversation, oldest first */
    int64_t before_ms[WINDOW_MAX];  /* when they were sent */
    const struct window_note *before_note[WINDOW_MAX]; /* as their verdicts had them, or NULL */
    size_t n_before;
    int64_t now_ms; /* wall time of the message */
    struct rule_who who;
};

struct ruleset;
struct rule_scratch;

struct ruleset_options {
    const char *const
        *pack_paths; /* files or folders (*.yaml in name order); `lists/` beside a folder's packs holds @lists */
    size_t n_pack_paths;
    const char *local_path; /* rules/local/, or NULL */
    const char *preset;     /* "strict", "standard", "lenient" */
    const char *const *allow_domains;
    size_t n_allow_domains;
};

/* Compiles all packs. 0 and a set with one reference, or -1 and every error as `file:line:column: …` in errs. */
int ruleset_load(const struct ruleset_options *o, struct ruleset **out, struct err_list *errs) MUST_CHECK;
struct ruleset *ruleset_ref(struct ruleset *s);
/* Drops the reference and sets the pointer to NULL; the last one frees. */
void ruleset_unref(struct ruleset **s);
/* Content hash of everything compiled in, 16 hexadecimal digits: equal on all nodes with equal rules. */
const char *ruleset_version(const struct ruleset *s);
size_t ruleset_count(const struct ruleset *s);
const struct rule *ruleset_at(const struct ruleset *s, size_t i);
/* How far back windows of this set reach (0: no rule has one). */
void ruleset_window(const struct ruleset *s, unsigned *messages, int64_t *ms);

struct rule_scratch *rule_scratch_new(void);
void rule_scratch_free(struct rule_scratch **s);

/* Judges one message: folds, finds hits, merges them into one verdict, and inspects a rewrite once more (a rewrite that
 * is not clean becomes block with cause rewrite_failed). Never fails: trouble is a cause in the verdict (regex_limit,
 * too_complex; the action is what the other rules make of the message), for the caller's policy to decide. Windows join
 * the earlier texts with text 0. The verdict's spans live until the next call with this scratch. No allocation in
 * steady state. */
void ruleset_judge(const struct ruleset *s, struct rule_scratch *scratch, const struct rule_input *in,
                   struct verdict *out);
