/* chatgate replay: messages read from captures, judged by two sides, and what differs.
 *
 *   CAPTURE ─▶ replay_read.c ─▶ struct replay_message ─▶ replay_judge.c (old, new) ─▶ replay_tally.c ─▶ report      */
#pragma once

#include "base/map.h"
#include "conf/conf.h"
#include "conf/directory.h"
#include "gate/node.h"
#include "proto/json.h"
#include "rule/set.h"

/* What became of a message: an action for agents' messages, one of the last three for customers'. */
#define REPLAY_ENDS(X)                                                                                                 \
    X(END_NONE, "none")                                                                                                \
    X(END_CASE, "case")                                                                                                \
    X(END_CONFIRMED, "confirmed")

enum replay_end {
    END_FIRST = ACTION_COUNT - 1,
#define X(id, name) id,
    REPLAY_ENDS(X)
#undef X
        END_COUNT
};
const char *replay_end_name(int end);

enum { OUTCOME_RULES_MAX = 64, REPLAY_FACTS_MAX = 66, REPLAY_LINE_MAX = 1 << 20 };

struct replay_outcome {
    int end; /* enum action or enum replay_end */
    struct span case_kind;
    struct span rule[OUTCOME_RULES_MAX]; /* ids, each once */
    size_t n_rules;
};

struct replay_message {
    const char *file;
    uint64_t line;
    struct span id; /* JSON; empty: none */
    enum direction dir;
    int64_t at_ms;
    struct span agent, conv;
    struct rule_who who;
    struct span text[INPUT_TEXTS_MAX];
    size_t n_texts;
    bool is_edit;
    bool is_observed; /* delivered whatever the rules said */
    bool is_bypassed; /* the rules were switched off */
    bool is_unruled;  /* decided without the rules, by a cause */
    bool is_masked;
    struct span rules_version; /* recorded; may be empty */
    bool has_outcome;
    struct replay_outcome outcome; /* recorded */
};

/* replay_read.c */
struct replay_reader {
    struct json_doc doc;
    struct arena arena; /* of the last message */
    int64_t now_ms;     /* of messages without a time */
};
/* Reads a line; what it fills lives until the next call. -1: `e` says what is wrong, without the place. */
int replay_read(struct replay_reader *r, struct span line, struct replay_message *m, struct err *e) MUST_CHECK;
void replay_reader_fini(struct replay_reader *r);

/* replay_judge.c: one rule set with windows of its own. */
struct replay_side {
    struct ruleset *set;
    struct rule_scratch *scratch;
    struct node *node;
    struct verdict verdict;
    struct window window;
};
void replay_side_init(struct replay_side *s, struct ruleset *set);
void replay_side_fini(struct replay_side *s);
/* As the daemon does it; `conf` and `directory` may be NULL. Messages come in the order in which they were sent. */
void replay_judge(struct replay_side *s, const struct replay_message *m, const struct conf *conf,
                  const struct directory *directory, struct replay_outcome *out);

/* replay_tally.c */
struct replay_change;
struct replay_tally {
    uint64_t n[2], changed[2], masked; /* by direction */
    uint64_t unruled, bypassed;        /* left out */
    uint64_t ends[END_COUNT][END_COUNT];
    struct map rules; /* id -> struct replay_rule */
    struct replay_change *change;
    size_t n_changes, cap_changes, worst;
    uint64_t n_class[8]; /* changes by enum replay_class, listed or not */
    char *recorded;      /* rules' version */
    bool is_mixed;       /* there are several */
};
void replay_tally_add(struct replay_tally *t, const struct replay_message *m, const struct replay_outcome *old,
                      const struct replay_outcome *now);
void replay_tally_fini(struct replay_tally *t);

/* replay_report.c. `old_version` NULL: the recorded one. */
void replay_tally_print(const struct replay_tally *t, const char *old_version, const char *new_version);
void replay_tally_print_json(const struct replay_tally *t, const char *old_version, const char *new_version);
