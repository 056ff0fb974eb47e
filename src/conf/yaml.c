#include "conf/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <yaml.h>

#include "base/map.h"

enum { DEPTH_MAX = 40, NODES_MAX = 4000000, MAP_SMALL = 16, FILE_BYTES_MAX = 64 << 20 };

struct loader {
    yaml_parser_t parser;
    const char *file;
    struct span text;
    struct arena *arena;
    struct err_list *errs;
    size_t nodes;
    bool failed;
};

static void fail_at(struct loader *l, yaml_mark_t m, const char *what)
{
    if (!l->failed)
        err_list_add(l->errs, "%s:%zu:%zu: %s", l->file, m.line + 1, m.column + 1, what);
    l->failed = true;
}

/* Marks count characters. */
static bool is_tab_at(struct span text, yaml_mark_t m)
{
    size_t i = 0;
    for (size_t line = 0; line < m.line; line++) {
        const uint8_t *end = i < text.n ? memchr(text.p + i, '\n', text.n - i) : NULL;
        if (!end)
            return false;
        i = (size_t)(end - text.p) + 1;
    }
    for (size_t column = 0; column < m.column && i < text.n; column++)
        do
            i++;
        while (i < text.n && (text.p[i] & 0xc0) == 0x80);
    return i < text.n && text.p[i] == '\t';
}

/* What the reader refuses (no UTF-8, control characters) has no mark, but an offset in bytes. */
static yaml_mark_t reader_mark(const struct loader *l)
{
    yaml_mark_t m = {0};
    size_t at = MIN_OF(l->parser.problem_offset, l->text.n);
    if (strstr(l->parser.problem, "trailing")) /* told of the byte behind a character's first one */
        while (at > 0 && (l->text.p[--at] & 0xc0) == 0x80)
            ;
    for (size_t i = 0; i < at; i++) {
        if (l->text.p[i] == '\n') {
            m.line++;
            m.column = 0;
        } else if ((l->text.p[i] & 0xc0) != 0x80) {
            m.column++;
        }
    }
    return m;
}

static bool next_event(struct loader *l, yaml_event_t *ev)
{
    if (yaml_parser_parse(&l->parser, ev))
        return true;
    char what[256];
    yaml_mark_t at = l->parser.error == YAML_READER_ERROR ? reader_mark(l) : l->parser.problem_mark;
    if (is_tab_at(l->text, at))
        snprintf(what, sizeof(what), "not valid YAML: a tab, must be spaces");
    else
        snprintf(what, sizeof(what), "not valid YAML: %s%s%s", l->parser.problem ? l->parser.problem : "cannot read",
                 l->parser.context ? " " : "", l->parser.context ? l->parser.context : "");
    fail_at(l, at, what);
    return false;
}

static struct ynode *node_new(struct loader *l, enum ynode_kind kind, yaml_mark_t m)
{
    if (++l->nodes > NODES_MAX)
        fail_at(l, m, "too many values in one file");
    struct ynode *n = arena_alloc(l->arena, sizeof(*n));
    n->kind = kind;
    n->file = l->file;
    n->line = (int)m.line + 1;
    n->col = (int)m.column + 1;
    return n;
}

static struct ynode *load_node(struct loader *l, yaml_event_t *ev, int depth);

static void push(struct loader *l, struct ynode ***list, size_t n, struct ynode *item)
{
    if ((n & (n - 1)) == 0) { /* full at every power of two */
        struct ynode **bigger = arena_alloc(l->arena, (n ? n * 2 : 1) * sizeof(*bigger));
        if (n)
            memcpy(bigger, *list, n * sizeof(*bigger));
        *list = bigger;
    }
    (*list)[n] = item;
}

static void load_seq(struct loader *l, struct ynode *seq, int depth)
{
    yaml_event_t ev;
    while (!l->failed && next_event(l, &ev)) {
        if (ev.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&ev);
            return;
        }
        struct ynode *item = load_node(l, &ev, depth + 1);
        if (item)
            push(l, &seq->value, seq->n++, item);
    }
}

/* The same key before this one. Small maps are searched; large ones get a table, so that a long file loads in linear
 * time.
 */
static const struct ynode *find_repeated(struct map *seen, struct ynode *map, struct ynode *key)
{
    for (size_t i = 0; map->n < MAP_SMALL && i < map->n; i++)
        if (strcmp(map->key[i]->text, key->text) == 0)
            return map->key[i];
    if (map->n < MAP_SMALL)
        return NULL;
    for (size_t i = seen->len; i < map->n; i++)
        map_put(seen, span_str(map->key[i]->text), map->key[i]);
    return map_get(seen, span_str(key->text));
}

static void load_pairs(struct loader *l, struct ynode *map, struct map *seen, int depth)
{
    yaml_event_t ev;
    while (!l->failed && next_event(l, &ev)) {
        if (ev.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&ev);
            return;
        }
        yaml_mark_t at = ev.start_mark;
        struct ynode *key = load_node(l, &ev, depth + 1);
        if (!key || !next_event(l, &ev))
            return;
        bool is_text = key->kind == YNODE_SCALAR;
        const struct ynode *first = is_text ? find_repeated(seen, map, key) : NULL;
        if (!is_text)
            fail_at(l, at, "a key must be plain text");
        else if (first)
            yaml_bad(l->errs, key, "%s: given twice, first in line %d", key->text, first->line);
        struct ynode *value = load_node(l, &ev, depth + 1);
        if (!value)
            return;
        if (first)
            continue;
        push(l, &map->key, map->n, key);
        push(l, &map->value, map->n, value);
        map->n++;
    }
}

static void load_map(struct loader *l, struct ynode *map, int depth)
{
    struct map seen = {0};
    load_pairs(l, map, &seen, depth);
    map_fini(&seen);
}

/* Consumes the event. NULL after a failure. */
static struct ynode *load_node(struct loader *l, yaml_event_t *ev, int depth)
{
    yaml_mark_t at = ev->start_mark;
    struct ynode *n = NULL;
    if (depth > DEPTH_MAX) {
        fail_at(l, at, "nested too deeply");
    } else if (ev->type == YAML_ALIAS_EVENT) {
        fail_at(l, at, "aliases (*name) are not allowed");
    } else if (ev->type == YAML_SCALAR_EVENT) {
        n = node_new(l, YNODE_SCALAR, at);
        n->text = arena_strdup(l->arena, span_of(ev->data.scalar.value, ev->data.scalar.length));
        n->is_plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        if (strlen(n->text) != ev->data.scalar.length)
            fail_at(l, at, "a NUL character is not allowed");
    } else if (ev->type == YAML_SEQUENCE_START_EVENT) {
        load_seq(l, n = node_new(l, YNODE_SEQ, at), depth);
    } else if (ev->type == YAML_MAPPING_START_EVENT) {
        load_map(l, n = node_new(l, YNODE_MAP, at), depth);
    } else {
        fail_at(l, at, "a value is missing");
    }
    yaml_event_delete(ev);
    return l->failed ? NULL : n;
}

static struct ynode *load_document(struct loader *l)
{
    struct ynode *root = NULL;
    yaml_event_t ev;
    while (!l->failed && next_event(l, &ev)) {
        yaml_event_type_t type = ev.type;
        yaml_mark_t at = ev.start_mark;
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT || type == YAML_DOCUMENT_END_EVENT) {
            yaml_event_delete(&ev);
            if (root && type == YAML_DOCUMENT_START_EVENT)
                fail_at(l, at, "a second document in one file is not allowed");
        } else if (type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&ev);
            return root ? root : node_new(l, YNODE_MAP, at);
        } else {
            root = load_node(l, &ev, 0);
        }
    }
    return NULL;
}

struct ynode *yaml_load_text(const char *name, struct span text, struct arena *a, struct err_list *errs)
{
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        text = span_from(text, 3); /* the mark that some editors write; libyaml takes it for a column */
    struct loader l = {.file = arena_strdup(a, span_str(name)), .text = text, .arena = a, .errs = errs};
    size_t before = errs->n;
    if (!yaml_parser_initialize(&l.parser)) {
        err_list_add(errs, "%s: out of memory", name);
        return NULL;
    }
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, text.p, text.n);
    struct ynode *root = load_document(&l);
    yaml_parser_delete(&l.parser);
    return errs->n == before ? root : NULL;
}

struct ynode *yaml_load_file(const char *path, struct arena *a, struct err_list *errs)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        err_list_add(errs, "%s: cannot open: %s", path, strerror(errno));
        return NULL;
    }
    size_t cap = 65536, n = 0, got;
    char *text = malloc(cap);
    while (text && (got = fread(text + n, 1, cap - n, f)) > 0) {
        n += got;
        if (n < cap)
            continue;
        char *bigger = cap < FILE_BYTES_MAX ? realloc(text, cap *= 2) : NULL;
        if (!bigger)
            break;
        text = bigger;
    }
    struct ynode *root = NULL;
    if (!text || ferror(f))
        err_list_add(errs, "%s: cannot read: %s", path, strerror(errno));
    else if (n >= FILE_BYTES_MAX)
        err_list_add(errs, "%s: larger than %d MiB", path, FILE_BYTES_MAX >> 20);
    else
        root = yaml_load_text(path, span_of(text, n), a, errs);
    fclose(f);
    free(text);
    return root;
}

struct ynode *yaml_get(const struct ynode *map, const char *key)
{
    if (!map || map->kind != YNODE_MAP)
        return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->key[i]->text, key) == 0)
            return map->value[i];
    return NULL;
}

void yaml_bad(struct err_list *errs, const struct ynode *at, const char *fmt, ...)
{
    char text[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (char *c = text; *c; c++) /* values may hold line breaks, and what terminals obey */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    err_list_add(errs, "%s:%d:%d: %s", at->file, at->line, at->col, text);
}

const char *yaml_describe(const struct ynode *at)
{
    static _Thread_local char text[80];
    if (at->kind == YNODE_SCALAR)
        snprintf(text, sizeof(text), "\"%.60s\"", at->text);
    else
        snprintf(text, sizeof(text), "%s", at->kind == YNODE_SEQ ? "a list" : "a map");
    return text;
}
