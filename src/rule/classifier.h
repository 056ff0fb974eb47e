/* How much a sentence reads like those of a label: a linear classifier over runs of one to three characters (n-grams),
 * one logistic regression for each label. For what rules of words cannot tell: a warning, never more certain than its
 * examples. `chatgate train` writes models (classifier_train.h), rules use them (`classifier:`).
 *
 * A model is a text, one run a line and its weight for each label, so that it can be read and compared:
 *
 *   # chatgate classifier 1
 *   labels  insult  off_platform …
 *   scale   0.0312                      a weight of 1
 *   bias    -3.1    -2.8 …              of a sentence without any known run
 *   加微    0       14 …                | is the border of a sentence, 0 any digit, a a row of letters
 *
 * A sentence with n runs has the score bias + scale * (sum of weights) / sqrt(n); 1 / (1 + exp(-score)) is the share of
 * such sentences that have the label among those it was trained on. */
#pragma once

#include "base/err.h"
#include "base/span.h"

enum { CLASSIFIER_LABELS_MAX = 8, CLASSIFIER_RUN_MAX = 3, CLASSIFIER_NAME_MAX = 32 };

struct classifier;

/* Reads a model; NULL and errors as `path:line: …`. */
struct classifier *classifier_read(const char *path, struct span bytes, struct err_list *errs);
void classifier_free(struct classifier **c);
/* The number of a label, or -1. */
int classifier_label(const struct classifier *c, const char *name);
/* "insult, off_platform, …"; lives in the model. */
const char *classifier_labels(const struct classifier *c);

/* The scores of one sentence, n units of a plain view (text/fold.h), by label. No allocation. */
void classifier_score(const struct classifier *c, const uint32_t *unit, size_t n, float score[CLASSIFIER_LABELS_MAX]);
/* The runs that speak most for a label, heaviest first: units [from, to) of the sentence. Returns how many, at most
 * `most`. */
struct classifier_run {
    uint32_t from, to;
    int weight;
};
size_t classifier_explain(const struct classifier *c, const uint32_t *unit, size_t n, int label,
                          struct classifier_run *out, size_t most);

/* The score whose probability is `percent`, 1 to 99. */
float classifier_score_of(int percent);

/* ---- what training and scoring share ---- */

/* A run of one to three signs as a number: never 0. A sign is a character, '0' for any digit, 'a' for more than
 * CLASSIFIER_LETTERS letters and digits in a row (addresses, keys), or '|', the border of a sentence, which no plain
 * view holds. */
typedef uint64_t classifier_key;
enum { CLASSIFIER_LETTERS = 8, CLASSIFIER_UNIT_BITS = 21 };

/* Walks the runs of a sentence in the order of their last sign. */
struct classifier_walk {
    const uint32_t *unit;
    uint32_t n, at;
    bool has_ended;
    classifier_key sign[CLASSIFIER_RUN_MAX]; /* the last ones */
    uint32_t from[CLASSIFIER_RUN_MAX], to;   /* where they began, and the last one ended */
    unsigned n_signs;
    uint32_t n_runs; /* so far */
};
struct classifier_walk classifier_walk_of(const uint32_t *unit, size_t n);
/* The runs that end in the next sign, shortest first; 0 at the end. */
unsigned classifier_walk_next(struct classifier_walk *w, classifier_key key[CLASSIFIER_RUN_MAX]);
