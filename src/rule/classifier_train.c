#include "rule/classifier_train.h"

#include <math.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum {
    EPOCHS = 12,
    SEEN_LEAST = 2,    /* rows that a run must stand in */
    RUNS_KEPT = 10000, /* the heaviest */
    WEIGHT_MAX = 127,
};

static const double STEP = 0.3, DECAY = 1e-5, BIAS_STEP = 0.02;
const double train_honest_share[TRAIN_SHARES] = {0.001, 0.003, 0.01};

/* The runs of all rows, and what is learned of them. */
struct trainer {
    const struct train_set *set;
    classifier_key *key; /* sorted */
    size_t n_keys;
    uint32_t *rows;   /* by key: how many rows hold it */
    uint32_t *run;    /* numbers of the runs of all rows, one row behind the other */
    uint32_t *n_runs; /* by row: all of its runs */
    size_t *run_from; /* by row; n_rows + 1 */
    double (*weight)[CLASSIFIER_LABELS_MAX], (*seen)[CLASSIFIER_LABELS_MAX];
    double bias[CLASSIFIER_LABELS_MAX];
};

/* ---- runs ---- */

static size_t keys_of(const struct train_row *r, classifier_key *out)
{
    struct classifier_walk w = classifier_walk_of(r->unit, r->n);
    size_t n = 0;
    for (unsigned found; (found = classifier_walk_next(&w, out + n)) > 0;)
        n += found;
    return n;
}

static int by_key(const void *a, const void *b)
{
    const classifier_key *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Each run of a row once. */
static size_t unique_keys(classifier_key *key, size_t n)
{
    size_t kept = 0;
    qsort(key, n, sizeof(*key), by_key);
    for (size_t i = 0; i < n; i++)
        if (!kept || key[kept - 1] != key[i])
            key[kept++] = key[i];
    return kept;
}

/* Room for the runs of all rows: as many as units and a border take, thrice. */
static size_t most_keys(const struct train_set *set)
{
    size_t n = CLASSIFIER_RUN_MAX;
    for (size_t i = 0; i < set->n_rows; i++)
        n += (size_t)CLASSIFIER_RUN_MAX * (set->row[i].n + 1);
    return n;
}

/* The runs that stand in several rows, sorted. */
static void collect_keys(struct trainer *t)
{
    classifier_key *all = xmalloc(most_keys(t->set) * sizeof(*all));
    size_t n = 0;
    for (size_t i = 0; i < t->set->n_rows; i++)
        n += unique_keys(all + n, keys_of(&t->set->row[i], all + n));
    qsort(all, n, sizeof(*all), by_key);
    t->rows = xcalloc(n / SEEN_LEAST + 1, sizeof(*t->rows));
    for (size_t i = 0, to; i < n; i = to) {
        for (to = i + 1; to < n && all[to] == all[i];)
            to++;
        if (to - i < SEEN_LEAST)
            continue;
        t->rows[t->n_keys] = (uint32_t)(to - i);
        all[t->n_keys++] = all[i];
    }
    t->key = all;
}

static void number_runs(struct trainer *t)
{
    const struct train_set *set = t->set;
    classifier_key *key = xmalloc(most_keys(set) * sizeof(*key));
    t->run = xmalloc(most_keys(set) * sizeof(*t->run));
    t->run_from = xcalloc(set->n_rows + 1, sizeof(*t->run_from));
    t->n_runs = xcalloc(set->n_rows + 1, sizeof(*t->n_runs));
    size_t at = 0;
    for (size_t i = 0; i < set->n_rows; i++) {
        size_t n = keys_of(&set->row[i], key);
        t->run_from[i] = at;
        t->n_runs[i] = (uint32_t)n;
        for (size_t k = 0; k < n; k++) {
            const classifier_key *found = bsearch(&key[k], t->key, t->n_keys, sizeof(*key), by_key);
            if (found)
                t->run[at++] = (uint32_t)(found - t->key);
        }
    }
    t->run_from[set->n_rows] = at;
    free(key);
}

static void trainer_init(struct trainer *t, const struct train_set *set)
{
    *t = (struct trainer){.set = set};
    collect_keys(t);
    number_runs(t);
    t->weight = xcalloc(t->n_keys + 1, sizeof(*t->weight));
    t->seen = xcalloc(t->n_keys + 1, sizeof(*t->seen));
}

static void trainer_fini(struct trainer *t)
{
    free(t->key);
    free(t->rows);
    free(t->n_runs);
    free(t->run);
    free(t->run_from);
    free(t->weight);
    free(t->seen);
}

/* ---- descent ---- */

static void score_row(const struct trainer *t, size_t row, double z[CLASSIFIER_LABELS_MAX])
{
    double by = 1 / sqrt((double)t->n_runs[row]), sum[CLASSIFIER_LABELS_MAX] = {0};
    for (size_t i = t->run_from[row]; i < t->run_from[row + 1]; i++)
        for (int l = 0; l < CLASSIFIER_LABELS_MAX; l++)
            sum[l] += t->weight[t->run[i]][l];
    for (int l = 0; l < CLASSIFIER_LABELS_MAX; l++)
        z[l] = t->bias[l] + by * sum[l];
}

static void learn_row(struct trainer *t, size_t row)
{
    const struct train_row *r = &t->set->row[row];
    double z[CLASSIFIER_LABELS_MAX], wrong[CLASSIFIER_LABELS_MAX], by = 1 / sqrt((double)t->n_runs[row]);
    score_row(t, row, z);
    for (int l = 0; l < CLASSIFIER_LABELS_MAX; l++) {
        wrong[l] = 1 / (1 + exp(-z[l])) - (r->label == l);
        t->bias[l] -= BIAS_STEP * wrong[l];
    }
    for (size_t i = t->run_from[row]; i < t->run_from[row + 1]; i++) {
        double *w = t->weight[t->run[i]], *seen = t->seen[t->run[i]];
        for (int l = 0; l < t->set->n_labels; l++) {
            double slope = wrong[l] * by + DECAY * w[l];
            seen[l] += slope * slope;
            w[l] -= STEP * slope / sqrt(seen[l] + 1e-6);
        }
    }
}

/* A fixed sequence of numbers (Marsaglia's xorshift), so that the same rows are learned in the same order. */
static uint64_t next_number(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Learns all rows but those of [skip_from, skip_to). */
static void learn(struct trainer *t, size_t skip_from, size_t skip_to)
{
    size_t n = t->set->n_rows;
    size_t *order = xmalloc((n + 1) * sizeof(*order));
    uint64_t state = 0x2545f4914f6cdd1du;
    memset(t->weight, 0, (t->n_keys + 1) * sizeof(*t->weight));
    memset(t->seen, 0, (t->n_keys + 1) * sizeof(*t->seen));
    memset(t->bias, 0, sizeof(t->bias));
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        for (size_t i = n; i-- > 1;) {
            size_t k = next_number(&state) % (i + 1), row = order[i];
            order[i] = order[k];
            order[k] = row;
        }
        for (size_t i = 0; i < n; i++)
            if ((order[i] < skip_from || order[i] >= skip_to) && t->set->row[order[i]].n)
                learn_row(t, order[i]);
    }
    free(order);
}

/* ---- the model as text ---- */

struct ranked {
    size_t key;
    double worth;
};

static int by_worth(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->worth != y->worth)
        return x->worth > y->worth ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

/* The heaviest weight of a run. */
static double heaviest(const struct trainer *t, size_t key)
{
    double most = 0;
    for (int l = 0; l < t->set->n_labels; l++)
        most = MAX_OF(most, fabs(t->weight[key][l]));
    return most;
}

/* Forgets all but the runs that decide most: heavy ones, and those that are met often. */
static void prune(struct trainer *t)
{
    struct ranked *r = xmalloc((t->n_keys + 1) * sizeof(*r));
    for (size_t i = 0; i < t->n_keys; i++)
        r[i] = (struct ranked){i, heaviest(t, i) * sqrt((double)t->rows[i])};
    qsort(r, t->n_keys, sizeof(*r), by_worth);
    for (size_t i = RUNS_KEPT; i < t->n_keys; i++)
        memset(t->weight[r[i].key], 0, sizeof(*t->weight));
    free(r);
}

static void write_run(struct buf *out, const struct trainer *t, size_t key, double scale)
{
    int w[CLASSIFIER_LABELS_MAX];
    bool is_empty = true;
    for (int l = 0; l < t->set->n_labels; l++) {
        w[l] = (int)lround(t->weight[key][l] / scale);
        is_empty &= w[l] == 0;
    }
    if (is_empty)
        return;
    for (classifier_key k = t->key[key]; k; k >>= CLASSIFIER_UNIT_BITS) {
        uint8_t utf8[4];
        buf_append(out, utf8, utf8_encode((uint32_t)(k & ((1u << CLASSIFIER_UNIT_BITS) - 1)), utf8));
    }
    for (int l = 0; l < t->set->n_labels; l++)
        buf_printf(out, "\t%d", w[l]);
    buf_append_str(out, "\n");
}

void classifier_train(const struct train_set *set, struct buf *out)
{
    struct trainer t;
    trainer_init(&t, set);
    learn(&t, 0, 0);
    prune(&t);
    double most = 0;
    for (size_t i = 0; i < t.n_keys; i++)
        most = MAX_OF(most, heaviest(&t, i));
    double scale = most > 0 ? most / WEIGHT_MAX : 1;
    buf_append_str(out, "# chatgate classifier 1\nlabels");
    for (int l = 0; l < set->n_labels; l++)
        buf_printf(out, "\t%s", set->label[l]);
    buf_printf(out, "\nscale\t%.6f\nbias", scale);
    for (int l = 0; l < set->n_labels; l++)
        buf_printf(out, "\t%.4f", t.bias[l]);
    buf_append_str(out, "\n");
    for (size_t i = 0; i < t.n_keys; i++)
        write_run(out, &t, i, scale);
    trainer_fini(&t);
}

/* ---- validation ---- */

static int falling(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x > *y ? -1 : *x < *y;
}

static void fill_figures(const struct train_set *set, double (*score)[CLASSIFIER_LABELS_MAX], int l,
                         struct train_figures *out)
{
    double *honest = xmalloc((set->n_rows + 1) * sizeof(*honest));
    size_t n = 0;
    for (size_t i = 0; i < set->n_rows; i++)
        if (set->row[i].label < 0)
            honest[n++] = score[i][l];
    qsort(honest, n, sizeof(*honest), falling);
    out->honest = n;
    for (int s = 0; s < TRAIN_SHARES; s++) {
        double bound = n ? honest[(size_t)((double)n * train_honest_share[s])] : 0;
        size_t found = 0;
        for (size_t i = 0; i < set->n_rows; i++)
            found += set->row[i].label == l && score[i][l] > bound;
        out->share[l][s] = out->rows[l] ? (double)found / (double)out->rows[l] : 0;
        out->percent[l][s] = 100 / (1 + exp(-bound));
    }
    free(honest);
}

void classifier_validate(const struct train_set *set, int folds, struct train_figures *out)
{
    struct trainer t;
    double(*score)[CLASSIFIER_LABELS_MAX] = xcalloc(set->n_rows + 1, sizeof(*score));
    *out = (struct train_figures){0};
    trainer_init(&t, set);
    for (int f = 0; f < folds; f++) {
        size_t from = set->n_rows * (size_t)f / (size_t)folds, to = set->n_rows * (size_t)(f + 1) / (size_t)folds;
        learn(&t, from, to);
        prune(&t);
        for (size_t i = from; i < to; i++)
            score_row(&t, i, score[i]);
    }
    for (size_t i = 0; i < set->n_rows; i++)
        if (set->row[i].label >= 0)
            out->rows[set->row[i].label]++;
    for (int l = 0; l < set->n_labels; l++)
        fill_figures(set, score, l, out);
    free(score);
    trainer_fini(&t);
}
