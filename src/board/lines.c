#include "board/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

enum { FILE_BYTES_MAX = 4 << 20 };

char *lines_read(const char *path, bool is_missing_fine, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (is_missing_fine && errno == ENOENT)
            return xstrdup("");
        err_sys(e, "%s", path);
        return NULL;
    }
    struct buf b = {0};
    ssize_t got;
    while ((got = read(fd, buf_reserve(&b, 65536), 65536)) > 0 && b.len < FILE_BYTES_MAX)
        buf_commit(&b, (size_t)got);
    if (got < 0)
        err_sys(e, "%s", path);
    else if (got > 0)
        err_set(e, "%s: is longer than %d bytes", path, FILE_BYTES_MAX);
    close(fd);
    char *text = got == 0 ? xmemdup0(buf_cstr(&b), b.len) : NULL;
    buf_fini(&b);
    return text;
}

/* Cuts at `mark`; the rest stays in *rest (p NULL: nothing is left). */
struct span lines_cut(struct span *rest, char mark)
{
    const uint8_t *at = memchr(rest->p, mark, rest->n);
    struct span part = at ? span_of(rest->p, (size_t)(at - rest->p)) : *rest;
    *rest = at ? span_from(*rest, part.n + 1) : (struct span){0};
    return part;
}

static size_t lines_count(const char *text)
{
    size_t n = 1;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

int lines_load(const char *path, bool is_missing_fine, const struct lines_reader *r, void *ctx, struct err_list *errs)
{
    struct err e;
    size_t before = errs->n;
    char *text = lines_read(path, is_missing_fine, &e);
    if (!text) {
        err_list_add(errs, "%s", e.text);
        return -1;
    }
    r->begin(ctx, lines_count(text));
    int number = 0;
    for (struct span rest = span_str(text); rest.p && rest.n;) {
        struct span line = span_trim(lines_cut(&rest, '\n'));
        number++;
        const char *wrong = line.n && line.p[0] != '#' ? r->line(ctx, line) : NULL;
        if (wrong)
            err_list_add(errs, "%s:%d:1: %s", path, number, wrong);
    }
    free(text);
    return errs->n > before ? -1 : 0;
}

void lines_names(struct arena *a, struct span text, struct name_list *out)
{
    *out = (struct name_list){.is_all = span_is(text, "*")};
    out->name = arena_alloc(a, (text.n / 2 + 1) * sizeof(*out->name));
    for (struct span rest = text; rest.p && rest.n && !out->is_all;) {
        struct span name = span_trim(lines_cut(&rest, ','));
        if (name.n)
            out->name[out->n++] = span_of(arena_strdup(a, name), name.n);
    }
}

int lines_replace(const char *path, const struct buf *text, struct err *e)
{
    struct stat st;
    bool is_there = stat(path, &st) == 0;
    char *next = xasprintf("%s.new", path);
    int rc = -1, fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        err_sys(e, "%s", next);
    else if ((is_there && (fchmod(fd, st.st_mode & 0777) != 0 || fchown(fd, st.st_uid, st.st_gid) != 0)) ||
             write(fd, buf_span(text).p, text->len) != (ssize_t)text->len || fsync(fd) != 0 || rename(next, path) != 0)
        err_sys(e, "%s", path);
    else
        rc = 0;
    if (fd >= 0)
        close(fd);
    free(next);
    return rc;
}
