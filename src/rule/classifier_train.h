/* Training a classifier (classifier.h) from labelled sentences: logistic regression by stochastic gradient descent with
 * steps that shrink for what is seen often (AdaGrad: Duchi, Hazan, Singer 2011). The same rows give the same model. */
#pragma once

#include "base/buf.h"
#include "rule/classifier.h"

enum { TRAIN_SHARES = 3 };

struct train_row {
    const uint32_t *unit; /* plain view */
    uint32_t n;
    int label; /* -1: none, honest talk */
};

struct train_set {
    const struct train_row *row;
    size_t n_rows;
    const char *const *label;
    int n_labels;
};

/* What a label's rows scored in models that had not seen them: at the score that only so many of a thousand honest rows
 * reach. */
struct train_figures {
    size_t rows[CLASSIFIER_LABELS_MAX];
    size_t honest;
    double share[CLASSIFIER_LABELS_MAX][TRAIN_SHARES];   /* found, 0 to 1 */
    double percent[CLASSIFIER_LABELS_MAX][TRAIN_SHARES]; /* `at_least` for that */
};
extern const double train_honest_share[TRAIN_SHARES];

/* Writes the model as text, without its first lines of comment but for "# chatgate classifier 1". */
void classifier_train(const struct train_set *set, struct buf *out);
/* Parts the rows into so many runs of neighbours, trains without each and scores it. */
void classifier_validate(const struct train_set *set, int folds, struct train_figures *out);
