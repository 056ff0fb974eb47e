/* chatgate train: labelled sentences to a model that rules use (`classifier:`). */
#include <errno.h>
#include <math.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "proto/json.h"
#include "rule/classifier_train.h"
#include "text/fold.h"

enum { LINE_BYTES_MAX = 1 << 20, ROWS_MAX = 1000000, FOLDS = 5 };

struct train {
    const char *model, *side;
    struct fold_scratch *fold;
    struct json_doc doc;
    uint8_t *text;
    struct train_row *row;
    size_t n_rows, cap;
    char *label[CLASSIFIER_LABELS_MAX];
    int n_labels;
    uint64_t hash; /* of all rows taken */
    const char *name;
    unsigned long long line;
    bool is_bad;
};

static void bad_line(struct train *x, const char *why)
{
    fprintf(stderr, "%s:%llu: %s\n", x->name, x->line, why);
    x->is_bad = true;
}

/* The number of a label, new or known; -1 for honest talk, -2 with an error. */
static int label_of(struct train *x, struct span name)
{
    if (span_is(name, "benign"))
        return -1;
    for (int l = 0; l < x->n_labels; l++)
        if (span_is(name, x->label[l]))
            return l;
    bool is_name = name.n > 0 && name.n < CLASSIFIER_NAME_MAX;
    for (size_t i = 0; i < name.n && is_name; i++)
        is_name = name.p[i] == '_' || (name.p[i] >= 'a' && name.p[i] <= 'z');
    if (!is_name || x->n_labels == CLASSIFIER_LABELS_MAX) {
        bad_line(x, is_name ? "label: more than 8 labels beside benign"
                            : "label: must be small letters and _, 31 at most");
        return -2;
    }
    x->label[x->n_labels] = xmemdup0(name.p, name.n);
    return x->n_labels++;
}

static void add_row(struct train *x, struct span text, int label)
{
    struct folded f;
    if (text.n > FOLD_TEXT_MAX || x->n_rows == ROWS_MAX) {
        bad_line(x, text.n > FOLD_TEXT_MAX ? "text: longer than 64 KiB" : "more than 1,000,000 rows");
        return;
    }
    fold_text(x->fold, text, 1u << VIEW_PLAIN, &f);
    const struct view *v = &f.view[VIEW_PLAIN];
    if (!v->n)
        return;
    uint32_t *unit = xmalloc(v->n * sizeof(*unit));
    memcpy(unit, v->cp, v->n * sizeof(*unit));
    if (x->n_rows == x->cap) {
        x->cap = x->cap * 2 + 1024;
        x->row = xrealloc(x->row, x->cap * sizeof(*x->row));
    }
    x->row[x->n_rows++] = (struct train_row){unit, v->n, label};
    x->hash = (x->hash ^ hash_stable(text)) * 0x100000001b3u + (uint64_t)(label + 1);
}

static struct span string_of(struct train *x, const char *key, uint8_t *at)
{
    uint32_t n = json_member(&x->doc, 0, span_str(key));
    if (!n || x->doc.node[n].kind != JSON_STRING)
        return span_of(NULL, 0);
    return span_of(at, json_decode(&x->doc, n, at, NULL));
}

static void take_line(struct train *x, struct span line)
{
    struct err e;
    if (line.n > LINE_BYTES_MAX || json_read(&x->doc, line, 0, &e) != JSON_OK || x->doc.node[0].kind != JSON_OBJECT) {
        bad_line(x, "is no JSON object of at most 1 MiB: {\"text\":…,\"side\":\"agent\",\"label\":\"benign\"|…}");
        return;
    }
    struct span text = string_of(x, "text", x->text), label = string_of(x, "label", x->text + text.n),
                side = string_of(x, "side", x->text + text.n + label.n),
                must = string_of(x, "must", x->text + text.n + label.n + side.n);
    if (!text.p || !label.p) {
        bad_line(x, text.p ? "label: missing or no string" : "text: missing or no string");
        return;
    }
    bool is_other_side = side.p && !span_is(side, x->side), is_vague = span_is(must, "either");
    bool is_part = json_member(&x->doc, 0, span_str("before")) != 0; /* means what it means by those before it */
    if (is_other_side || is_vague || is_part)
        return;
    int l = label_of(x, label);
    if (l > -2)
        add_row(x, text, l);
}

static void take_file(struct train *x, const char *path)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    x->name = path;
    if (!f) {
        fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
        x->is_bad = true;
        return;
    }
    for (x->line = 1; (n = getline(&line, &cap, f)) >= 0; x->line++)
        if (n > 1)
            take_line(x, span_of(line, (size_t)n - (line[n - 1] == '\n')));
    free(line);
    fclose(f);
}

static void print_figures(const struct train *x, const struct train_set *set)
{
    struct train_figures f;
    classifier_validate(set, FOLDS, &f);
    printf("%zu rows, %zu of them honest. Found in rows that a model had not seen, and the at_least for it, where so\n"
           "many honest rows are taken for that label:\n\n%-20s %6s",
           set->n_rows, f.honest, "label", "rows");
    for (int s = 0; s < TRAIN_SHARES; s++)
        printf("  %4.1f in 1000", train_honest_share[s] * 1000);
    putchar('\n');
    for (int l = 0; l < x->n_labels; l++) {
        printf("%-20s %6zu", x->label[l], f.rows[l]);
        for (int s = 0; s < TRAIN_SHARES; s++)
            printf("   %3.0f %% (%2.0f)", 100 * f.share[l][s], ceil(f.percent[l][s]));
        putchar('\n');
    }
}

static int write_model(const struct train *x, const struct train_set *set)
{
    struct buf b = {0};
    static const char head[] = "# chatgate classifier 1\n";
    classifier_train(set, &b);
    FILE *f = fopen(x->model, "we");
    bool is_good =
        f && fprintf(f, "%s# %zu rows, %016llx\n", head, set->n_rows, (unsigned long long)x->hash) > 0 &&
        fwrite(buf_span(&b).p + sizeof(head) - 1, 1, b.len - sizeof(head) + 1, f) == b.len - sizeof(head) + 1;
    is_good = f && fclose(f) == 0 && is_good;
    if (!is_good)
        fprintf(stderr, "%s: cannot be written: %s\n", x->model, strerror(errno));
    buf_fini(&b);
    return is_good ? CLI_OK : CLI_FAILED;
}

static int train(struct train *x, char **files, int n, bool is_quick)
{
    int rc = CLI_FAILED;
    x->fold = fold_scratch_new();
    x->text = xmalloc(LINE_BYTES_MAX);
    for (int i = 0; i < n; i++)
        take_file(x, files[i]);
    const char *label[CLASSIFIER_LABELS_MAX];
    for (int l = 0; l < x->n_labels; l++)
        label[l] = x->label[l];
    struct train_set set = {x->row, x->n_rows, label, x->n_labels};
    if (!x->is_bad && !x->n_labels)
        fprintf(stderr, "chatgate train: no row of side \"%s\" has a label other than benign\n", x->side);
    else if (!x->is_bad)
        rc = write_model(x, &set);
    if (rc == CLI_OK && !is_quick)
        print_figures(x, &set);
    for (size_t i = 0; i < x->n_rows; i++)
        free((void *)x->row[i].unit);
    for (int l = 0; l < x->n_labels; l++)
        free(x->label[l]);
    free(x->row);
    free(x->text);
    json_doc_fini(&x->doc);
    fold_scratch_free(&x->fold);
    return rc;
}

int cli_train(int argc, char **argv)
{
    struct train x = {.side = "agent", .hash = 0xcbf29ce484222325u};
    int n_files = 0;
    bool is_quick = false;
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--model") == 0 && has_value)
            x.model = argv[++i];
        else if (strcmp(argv[i], "--side") == 0 && has_value)
            x.side = argv[++i];
        else if (strcmp(argv[i], "--quick") == 0)
            is_quick = true;
        else if (argv[i][0] == '-')
            return cli_unexpected("train", argv[i]);
        else
            argv[n_files++] = argv[i];
    }
    if (strcmp(x.side, "agent") != 0 && strcmp(x.side, "customer") != 0) {
        fprintf(stderr, "chatgate train: --side is \"%s\", must be agent or customer\n", x.side);
        return cli_usage("train");
    }
    return x.model && n_files ? train(&x, argv, n_files, is_quick) : cli_usage("train");
}
