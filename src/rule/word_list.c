#include "rule/word_list.h"

#include "base/utf8.h"
#include "base/xalloc.h"

static struct list_file *list_parse(struct loader *l, const char *path, struct span bytes)
{
    struct list_file *f = arena_alloc(&l->arena, sizeof(*f));
    size_t lines = 1;
    for (size_t i = 0; i < bytes.n; i++)
        lines += bytes.p[i] == '\n';
    f->word = arena_alloc(&l->arena, lines * sizeof(*f->word));
    f->line = arena_alloc(&l->arena, lines * sizeof(*f->line));
    f->path = arena_strdup(&l->arena, span_str(path));
    int number = 0;
    for (size_t i = 0; i < bytes.n;) {
        size_t end = i;
        while (end < bytes.n && bytes.p[end] != '\n')
            end++;
        struct span s = span_of(bytes.p + i, end - i);
        number++;
        i = end + 1;
        const uint8_t *hash = s.n ? memchr(s.p, '#', s.n) : NULL;
        if (hash)
            s.n = (size_t)(hash - s.p);
        while (s.n && s.p[s.n - 1] == '\r')
            s.n--;
        s = span_trim(s);
        if (!s.n)
            continue;
        if (!utf8_is_valid(s)) {
            err_list_add(l->errs, "%s:%d:1: not valid UTF-8", path, number);
            continue;
        }
        f->word[f->n] = s;
        f->line[f->n++] = number;
    }
    return f;
}

struct list_file *word_list_find(struct loader *l, const char *name)
{
    for (size_t i = 0; i < l->n_list_dirs; i++) {
        char *path = xasprintf("%s/%s.txt", l->list_dir[i], name);
        struct list_file *f = map_get(&l->lists, span_str(path));
        FILE *probe = f ? NULL : fopen(path, "re");
        struct span bytes;
        if (probe) {
            fclose(probe);
            if (load_file_bytes(l, path, &bytes)) {
                f = list_parse(l, path, bytes);
                map_put(&l->lists, span_str(path), f);
            }
        }
        free(path);
        if (f)
            return f;
    }
    return NULL;
}
