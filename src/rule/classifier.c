#include "rule/classifier.h"

#include <math.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum { BORDER = '|', FILTER_LOG = 17, RUNS_MAX = 1 << 17, WEIGHT_MAX = 127, LABELS_TEXT = 400 };

typedef int16_t sums __attribute__((vector_size(2 * CLASSIFIER_LABELS_MAX)));
typedef int8_t weights __attribute__((vector_size(CLASSIFIER_LABELS_MAX)));

struct slot {
    classifier_key key; /* 0: free */
    weights w;
};

struct classifier {
    uint64_t filter[1 << (FILTER_LOG - 6)]; /* bits of the hashes of known runs: most runs of a text are not */
    struct slot *slot;                      /* open addressing, a power of two, half full at most */
    unsigned shift;
    float scale, bias[CLASSIFIER_LABELS_MAX];
    int n_labels;
    char label[CLASSIFIER_LABELS_MAX][CLASSIFIER_NAME_MAX];
    char labels[LABELS_TEXT];
};

float classifier_score_of(int percent)
{
    return logf((float)percent / (float)(100 - percent));
}

static inline uint64_t hash_of(classifier_key key)
{
    return key * 0x9e3779b97f4a7c15u;
}

static inline bool may_be_known(const struct classifier *c, uint64_t hash)
{
    size_t bit = hash >> (64 - FILTER_LOG);
    return c->filter[bit / 64] >> (bit % 64) & 1;
}

static struct slot *slot_of(const struct classifier *c, classifier_key key)
{
    size_t mask = ((size_t)1 << (64 - c->shift)) - 1, at = hash_of(key) >> c->shift;
    while (c->slot[at].key && c->slot[at].key != key)
        at = (at + 1) & mask;
    return &c->slot[at];
}

/* The weights of a run, all zero for one that is not known. */
static inline weights weights_of(const struct classifier *c, classifier_key key)
{
    return may_be_known(c, hash_of(key)) ? slot_of(c, key)->w : (weights){0};
}

struct classifier_walk classifier_walk_of(const uint32_t *unit, size_t n)
{
    struct classifier_walk w = {.unit = unit, .n = (uint32_t)n, .has_ended = n == 0, .n_signs = 1};
    w.sign[CLASSIFIER_RUN_MAX - 1] = BORDER;
    return w;
}

static bool is_alnum(uint32_t cp)
{
    return (cp >= 'a' && cp <= 'z') || (cp >= '0' && cp <= '9');
}

/* The next sign; moves on behind its units. */
static inline classifier_key next_sign(struct classifier_walk *w)
{
    if (w->at >= w->n) {
        w->has_ended = true;
        return BORDER;
    }
    uint32_t first = w->unit[w->at], end = w->at;
    if (!is_alnum(first)) {
        w->at++;
        return first;
    }
    while (end < w->n && is_alnum(w->unit[end]))
        end++;
    if (end - w->at > CLASSIFIER_LETTERS) {
        w->at = end;
        return 'a';
    }
    w->at++;
    return first <= '9' ? '0' : first;
}

ALWAYS_INLINE unsigned walk_next(struct classifier_walk *w, classifier_key key[CLASSIFIER_RUN_MAX])
{
    if (w->has_ended)
        return 0;
    w->sign[0] = w->sign[1], w->sign[1] = w->sign[2];
    w->from[0] = w->from[1], w->from[1] = w->from[2];
    w->from[2] = w->at;
    w->sign[2] = next_sign(w);
    w->to = w->at;
    const classifier_key *s = w->sign;
    unsigned n = 0;
    if (!w->has_ended)
        key[n++] = s[2];
    key[n++] = s[1] | s[2] << CLASSIFIER_UNIT_BITS;
    if (w->n_signs > 1)
        key[n++] = s[0] | s[1] << CLASSIFIER_UNIT_BITS | s[2] << 2 * CLASSIFIER_UNIT_BITS;
    w->n_signs++;
    w->n_runs += n;
    return n;
}

unsigned classifier_walk_next(struct classifier_walk *w, classifier_key key[CLASSIFIER_RUN_MAX])
{
    return walk_next(w, key);
}

void classifier_score(const struct classifier *c, const uint32_t *unit, size_t n, float score[CLASSIFIER_LABELS_MAX])
{
    int32_t total[CLASSIFIER_LABELS_MAX] = {0};
    struct classifier_walk w = classifier_walk_of(unit, n);
    classifier_key key[CLASSIFIER_RUN_MAX];
    bool is_more = n > 0;
    while (is_more) {
        sums sum = {0};
        for (unsigned k = 0; k < 64; k++) { /* 64 times three weights fit */
            unsigned found = walk_next(&w, key);
            is_more = found > 0;
            if (!is_more)
                break;
            for (unsigned i = 0; i < found; i++)
                if (may_be_known(c, hash_of(key[i])))
                    sum += __builtin_convertvector(slot_of(c, key[i])->w, sums);
        }
        for (int l = 0; l < CLASSIFIER_LABELS_MAX; l++)
            total[l] += sum[l];
    }
    float by = n ? c->scale / sqrtf((float)w.n_runs) : 0;
    for (int l = 0; l < CLASSIFIER_LABELS_MAX; l++)
        score[l] = c->bias[l] + by * (float)total[l];
}

size_t classifier_explain(const struct classifier *c, const uint32_t *unit, size_t n, int label,
                          struct classifier_run *out, size_t most)
{
    struct classifier_walk w = classifier_walk_of(unit, n);
    classifier_key key[CLASSIFIER_RUN_MAX];
    size_t kept = 0;
    for (unsigned found; n && (found = walk_next(&w, key)) > 0;)
        for (unsigned i = 0; i < found; i++) {
            int weight = weights_of(c, key[i])[label];
            unsigned signs = 1 + (key[i] >> CLASSIFIER_UNIT_BITS > 0) + (key[i] >> 2 * CLASSIFIER_UNIT_BITS > 0);
            if (weight <= 0)
                continue;
            struct classifier_run r = {w.from[CLASSIFIER_RUN_MAX - signs], w.to, weight};
            size_t at = kept < most ? kept++ : most;
            while (at > 0 && out[at - 1].weight < weight) {
                if (at < most)
                    out[at] = out[at - 1];
                at--;
            }
            if (at < most)
                out[at] = r;
        }
    return kept;
}

/* ---- reading ---- */

struct reading {
    const char *path;
    struct err_list *errs;
    size_t line;
    bool is_bad;
};

static void bad(struct reading *r, const char *what)
{
    err_list_add(r->errs, "%s:%zu: %s", r->path, r->line, what);
    r->is_bad = true;
}

/* The next field of a line, or false at its end. */
static bool next_field(struct span *line, struct span *field)
{
    if (!line->p)
        return false;
    const uint8_t *tab = line->n ? memchr(line->p, '\t', line->n) : NULL;
    *field = span_of(line->p, tab ? (size_t)(tab - line->p) : line->n);
    *line = tab ? span_from(*line, field->n + 1) : (struct span){NULL, 0};
    return true;
}

static bool take_number(struct reading *r, struct span field, double most, double *out)
{
    char text[40], *end;
    snprintf(text, sizeof(text), "%.*s", (int)MIN_OF(field.n, sizeof(text) - 1), (const char *)field.p);
    *out = strtod(text, &end);
    bool is_good = field.n && !*end && *out >= -most && *out <= most;
    if (!is_good)
        bad(r, "a number is expected for each label");
    return is_good;
}

static bool is_name(struct span s)
{
    bool is_good = s.n > 0 && s.n < CLASSIFIER_NAME_MAX;
    for (size_t i = 0; i < s.n && is_good; i++)
        is_good = s.p[i] == '_' || (s.p[i] >= 'a' && s.p[i] <= 'z');
    return is_good;
}

static void take_labels(struct reading *r, struct classifier *c, struct span line)
{
    struct span f;
    size_t n = 0;
    while (next_field(&line, &f)) {
        if (!is_name(f) || c->n_labels == CLASSIFIER_LABELS_MAX) {
            bad(r, "labels: must be at most 8 names of small letters and _");
            return;
        }
        n += (size_t)snprintf(c->labels + n, sizeof(c->labels) - n, "%s%.*s", n ? ", " : "", (int)f.n,
                              (const char *)f.p);
        snprintf(c->label[c->n_labels++], CLASSIFIER_NAME_MAX, "%.*s", (int)f.n, (const char *)f.p);
    }
}

/* One number for each label. */
static bool take_numbers(struct reading *r, const struct classifier *c, struct span line, double most,
                         double out[CLASSIFIER_LABELS_MAX])
{
    struct span f;
    int n = 0;
    while (next_field(&line, &f)) {
        if (n == c->n_labels) {
            bad(r, "more numbers than labels");
            return false;
        }
        if (!take_number(r, f, most, &out[n++]))
            return false;
    }
    if (n < c->n_labels || !n)
        bad(r, "fewer numbers than labels");
    return n == c->n_labels && n > 0;
}

/* One to three characters as a run; 0 for anything else. */
static classifier_key key_of(struct span run)
{
    classifier_key key = 0;
    unsigned n = 0;
    for (size_t at = 0; at < run.n; n++) {
        uint32_t cp = 0;
        unsigned len = utf8_decode(run.p + at, run.n - at, &cp);
        if (!len || n == CLASSIFIER_RUN_MAX)
            return 0;
        key |= (classifier_key)cp << (CLASSIFIER_UNIT_BITS * n);
        at += len;
    }
    return key;
}

static void take_run(struct reading *r, struct classifier *c, struct span run, struct span line)
{
    double w[CLASSIFIER_LABELS_MAX] = {0};
    classifier_key key = key_of(run);
    if (!key) {
        bad(r, "must begin with one to three characters");
        return;
    }
    if (!take_numbers(r, c, line, WEIGHT_MAX, w))
        return;
    struct slot *s = slot_of(c, key);
    if (s->key) {
        bad(r, "a run that stands above already");
        return;
    }
    s->key = key;
    size_t bit = hash_of(key) >> (64 - FILTER_LOG);
    c->filter[bit / 64] |= (uint64_t)1 << (bit % 64);
    for (int l = 0; l < c->n_labels; l++)
        s->w[l] = (int8_t)w[l];
}

static void take_bias(struct reading *r, struct classifier *c, struct span line)
{
    double bias[CLASSIFIER_LABELS_MAX] = {0};
    if (take_numbers(r, c, line, 1000, bias))
        for (int l = 0; l < c->n_labels; l++)
            c->bias[l] = (float)bias[l];
}

static void take_line(struct reading *r, struct classifier *c, struct span line)
{
    struct span first;
    double scale = 0;
    if (!line.n || line.p[0] == '#' || !next_field(&line, &first))
        return;
    if (span_eq(first, span_str("labels")))
        take_labels(r, c, line);
    else if (span_eq(first, span_str("bias")))
        take_bias(r, c, line);
    else if (span_eq(first, span_str("scale")))
        c->scale = line.p && take_number(r, line, 100, &scale) ? (float)scale : 0;
    else
        take_run(r, c, first, line);
}

static struct classifier *classifier_new(size_t runs)
{
    struct classifier *c = xcalloc(1, sizeof(*c));
    c->shift = 63;
    while (((size_t)1 << (64 - c->shift)) < 2 * runs)
        c->shift--;
    c->slot = xcalloc((size_t)1 << (64 - c->shift), sizeof(*c->slot));
    return c;
}

struct classifier *classifier_read(const char *path, struct span bytes, struct err_list *errs)
{
    struct reading r = {.path = path, .errs = errs, .line = 1};
    size_t lines = 1;
    for (size_t i = 0; i < bytes.n; i++)
        lines += bytes.p[i] == '\n';
    static const char head[] = "# chatgate classifier 1\n";
    if (bytes.n < sizeof(head) - 1 || memcmp(bytes.p, head, sizeof(head) - 1) != 0 || lines > RUNS_MAX) {
        bad(&r, "is no model of chatgate train: must begin with \"# chatgate classifier 1\", 131,072 lines at most");
        return NULL;
    }
    struct classifier *c = classifier_new(lines);
    for (size_t at = 0; at < bytes.n && !r.is_bad; r.line++) {
        const uint8_t *end = memchr(bytes.p + at, '\n', bytes.n - at);
        size_t n = end ? (size_t)(end - bytes.p) - at : bytes.n - at;
        take_line(&r, c, span_of(bytes.p + at, n));
        at += n + 1;
    }
    if (!r.is_bad && (!c->n_labels || c->scale <= 0))
        bad(&r, "labels or scale is missing");
    if (r.is_bad)
        classifier_free(&c);
    return c;
}

void classifier_free(struct classifier **c)
{
    if (*c)
        free((*c)->slot);
    free(*c);
    *c = NULL;
}

int classifier_label(const struct classifier *c, const char *name)
{
    for (int l = 0; l < c->n_labels; l++)
        if (strcmp(c->label[l], name) == 0)
            return l;
    return -1;
}

const char *classifier_labels(const struct classifier *c)
{
    return c->labels;
}
