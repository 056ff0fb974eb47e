#include "conf/conf.h"

#include <unistd.h>

#include "base/xalloc.h"
#include "conf/conf_addr.h"
#include "conf/conf_check.h"
#include "conf/conf_check_files.h"
#include "conf/conf_read.h"
#include "conf/conf_warn.h"

const char *conf_data_dir(void)
{
    const char *dir = getenv("CHATGATE_DATA");
    return dir && *dir ? dir : CHATGATE_DATA_DIR;
}

/* "file:LINE:COLUMN:" of an error line as one number. */
static long long place_of(const char *line, const char *file)
{
    size_t n = strlen(file);
    char *end;
    if (strncmp(line, file, n) != 0 || line[n] != ':')
        return 0;
    long long row = strtoll(line + n + 1, &end, 10);
    return row * 100000 + (*end == ':' ? strtoll(end + 1, NULL, 10) : 0);
}

/* The checks run by topic; people read by line. Insertion sort: stable, and the list is short. */
static void sort_errors(struct err_list *errs, size_t from, const char *file)
{
    for (size_t i = from + 1; i < errs->n; i++) {
        char *line = errs->line[i];
        size_t k = i;
        for (; k > from && place_of(errs->line[k - 1], file) > place_of(line, file); k--)
            errs->line[k] = errs->line[k - 1];
        errs->line[k] = line;
    }
}

/* Defaults that are not constants, and fields that follow from others. */
static void complete(struct conf *c)
{
    if (!c->node) {
        char name[65] = "node";
        if (gethostname(name, sizeof(name) - 1) != 0 || !*name)
            snprintf(name, sizeof(name), "node");
        c->node = arena_strdup(&c->arena, span_str(name));
    }
    for (size_t i = 0; i < c->n_listeners; i++) {
        struct conf_listener *l = &c->listener[i];
        l->tls.is_on = l->tls.certificate != NULL;
        if (!l->name && l->addr.text)
            l->name = l->addr.text;
    }
    const char *key;
    struct err e;
    if (measure_make(&c->tracking, &c->tracking.measure, &key, &e) < 0)
        c->tracking.measure = (struct measure){0}; /* conf_check tells */
}

/* NULL when there is no tree to read from. warnings may be NULL. */
static struct conf *load(const char *path, bool want_files, struct err_list *errs, struct err_list *warnings)
{
    size_t before = errs->n;
    struct arena scratch = {0};
    const struct ynode *root = yaml_load_file(path, &scratch, errs);
    struct conf *c = NULL;
    if (root && root->kind == YNODE_MAP) {
        c = xcalloc(1, sizeof(*c));
        c->file = arena_strdup(&c->arena, span_str(path));
        struct conf_reader r = {.arena = &c->arena,
                                .scratch = &scratch,
                                .dir = conf_folder_of(path, &c->arena),
                                .data_dir = conf_data_dir(),
                                .errs = errs};
        conf_read_object(&r, "", root, c);
        complete(c);
        conf_note_places(c, root);
        conf_check(c, root, want_files, errs);
        if (warnings)
            conf_warn(c, root, warnings);
        sort_errors(errs, before, path);
    } else if (root) {
        yaml_bad(errs, root, "the file: is %s, must be a map of keys", yaml_describe(root));
    }
    arena_fini(&scratch);
    return c;
}

static int load_whole(const char *path, bool want_files, struct conf **out, struct err_list *errs)
{
    size_t before = errs->n;
    *out = load(path, want_files, errs, NULL);
    if (errs->n == before)
        return 0;
    conf_free(out);
    return -1;
}

int conf_load(const char *path, struct conf **out, struct err_list *errs)
{
    return load_whole(path, true, out, errs);
}

int conf_load_to_ask(const char *path, struct conf **out, struct err_list *errs)
{
    return load_whole(path, false, out, errs);
}

struct conf *conf_load_for_check(const char *path, struct err_list *errs, struct err_list *warnings)
{
    return load(path, true, errs, warnings);
}

const char *conf_default_path(void)
{
    return CHATGATE_CONF_FILE;
}

void conf_free(struct conf **c)
{
    if (!*c)
        return;
    struct arena a = (*c)->arena; /* the texts go first, the object was allocated apart */
    arena_fini(&a);
    free(*c);
    *c = NULL;
}

/* A key's value as text; of a key of list items, those of all items. */
static void print_value(struct buf *out, const struct conf_key *k, const struct conf *c)
{
    const char *mark = strstr(k->name, "[].");
    if (!mark) {
        conf_value_print(out, k, c);
        return;
    }
    char list_name[100];
    snprintf(list_name, sizeof(list_name), "%.*s", (int)(mark - k->name), k->name);
    const struct conf_key *list = conf_table_find(list_name);
    const char *items;
    size_t n;
    memcpy(&items, (const char *)c + list->offset, sizeof(items));
    memcpy(&n, (const char *)c + list->count_offset, sizeof(n));
    for (size_t i = 0; i < n; i++) {
        conf_value_print(out, k, items + i * list->item_bytes);
        buf_append_str(out, "\n");
    }
}

void conf_restart_needed(const struct conf *old, const struct conf *now, struct err_list *keys)
{
    size_t n;
    const struct conf_key *table = conf_table(&n);
    for (size_t i = 0; i < n; i++) {
        struct buf a = {0}, b = {0};
        if (!table[i].is_reloadable) {
            print_value(&a, &table[i], old);
            print_value(&b, &table[i], now);
            if (!span_eq(buf_span(&a), buf_span(&b)))
                err_list_add(keys, "%s", table[i].name);
        }
        buf_fini(&a);
        buf_fini(&b);
    }
}

static void print_markdown(FILE *to, const struct conf_key *k)
{
    char allowed[100];
    const char *range = conf_table_allowed(k, allowed, sizeof(allowed));
    fprintf(to, "| `%s` | %s | %s%s%s | %s | %s | %s |\n", k->name, conf_table_type(k), k->def ? "`" : "",
            k->def           ? k->def
            : k->is_required ? "required"
                             : "",
            k->def ? "`" : "", range, k->is_reloadable ? "reload" : "restart", k->help);
}

static void print_plain(FILE *to, const struct conf_key *k)
{
    char allowed[100];
    const char *range = conf_table_allowed(k, allowed, sizeof(allowed));
    fprintf(to, "%s: %s\n    %s%s%s", k->name, k->help, conf_table_type(k), *range ? ": " : "", range);
    if (k->def)
        fprintf(to, "; default: %s", k->def);
    fprintf(to, "%s; %s\n", k->is_required ? "; required" : "",
            k->is_reloadable ? "taken at reload" : "needs a restart");
}

void conf_print_keys(FILE *to, bool markdown)
{
    size_t n;
    const struct conf_key *keys = conf_table(&n);
    if (markdown)
        fputs("| key | type | default | allowed | taken at | what it is |\n| --- | --- | --- | --- | --- | --- |\n",
              to);
    for (size_t i = 0; i < n; i++) {
        if (markdown)
            print_markdown(to, &keys[i]);
        else
            print_plain(to, &keys[i]);
    }
}
