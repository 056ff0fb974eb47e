#include "cli/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "base/xalloc.h"

enum { GAP = 2 }; /* columns between columns */

struct table {
    size_t n_columns, n_cells, cap;
    char **cell;
};

struct table *table_new(size_t n_columns)
{
    struct table *t = xcalloc(1, sizeof(*t));
    t->n_columns = n_columns;
    return t;
}

/* A terminal shows characters of these blocks two columns wide: Hangul Jamo, CJK to Yi, Hangul, compatibility forms,
 * full width, emoji, CJK extensions. */
static unsigned width_of(uint32_t cp)
{
    bool is_wide = (cp >= 0x1100 && cp < 0x1160) || (cp >= 0x2e80 && cp < 0xa4d0) || (cp >= 0xac00 && cp < 0xd7a4) ||
                   (cp >= 0xf900 && cp < 0xfb00) || (cp >= 0xfe30 && cp < 0xfe70) || (cp >= 0xff00 && cp < 0xff61) ||
                   (cp >= 0x1f300 && cp < 0x1fb00) || (cp >= 0x20000 && cp < 0x40000);
    return is_wide ? 2 : 1;
}

static size_t text_width(const char *s)
{
    size_t width = 0, n = strlen(s);
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        unsigned len = utf8_decode((const uint8_t *)s + i, n - i, &cp);
        width += len ? width_of(cp) : 1;
        i += len ? len : 1;
    }
    return width;
}

void table_add(struct table *t, struct span cell)
{
    if (t->n_cells == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        t->cell = xrealloc(t->cell, t->cap * sizeof(*t->cell));
    }
    char *s = xmemdup0(cell.p, cell.n);
    for (size_t i = 0; i < cell.n;) { /* control characters, C1 included, and broken bytes never reach the terminal */
        uint32_t cp;
        unsigned len = utf8_decode((const uint8_t *)s + i, cell.n - i, &cp);
        if (!len || cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
            memset(s + i, '?', len ? len : 1);
        i += len ? len : 1;
    }
    t->cell[t->n_cells++] = s;
}

void table_addf(struct table *t, const char *fmt, ...)
{
    struct buf text = {0};
    char line[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    buf_append_str(&text, line);
    table_add(t, buf_span(&text));
    buf_fini(&text);
}

void table_print(struct table **tp)
{
    struct table *t = *tp;
    size_t *width = xcalloc(t->n_columns, sizeof(*width));
    for (size_t i = 0; i < t->n_cells; i++)
        width[i % t->n_columns] = MAX_OF(width[i % t->n_columns], text_width(t->cell[i]));
    for (size_t i = 0; i < t->n_cells; i++) {
        bool is_last = i % t->n_columns == t->n_columns - 1;
        size_t pad = is_last ? 0 : width[i % t->n_columns] - text_width(t->cell[i]) + GAP;
        printf("%s%*s%s", t->cell[i], (int)pad, "", is_last ? "\n" : "");
        free(t->cell[i]);
    }
    free(width);
    free(t->cell);
    free(t);
    *tp = NULL;
}

const char *tracked_time(int64_t wall_ms, char out[TRACKED_TIME_MAX])
{
    time_t at = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (!wall_ms || !localtime_r(&at, &tm) || !strftime(out, TRACKED_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm))
        snprintf(out, TRACKED_TIME_MAX, "-");
    return out;
}

const char *tracked_duration(int64_t ms, char out[TRACKED_SPAN_MAX])
{
    int64_t s = ms / 1000;
    if (ms < 1000)
        snprintf(out, TRACKED_SPAN_MAX, "%" PRId64 " ms", ms);
    else if (s < 60)
        snprintf(out, TRACKED_SPAN_MAX, "%" PRId64 ".%" PRId64 " s", s, ms % 1000 / 100);
    else if (s < 3600)
        snprintf(out, TRACKED_SPAN_MAX, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, TRACKED_SPAN_MAX, "%" PRId64 " h %" PRId64 " min", s / 3600, s % 3600 / 60);
    else
        snprintf(out, TRACKED_SPAN_MAX, "%" PRId64 " d %" PRId64 " h", s / 86400, s % 86400 / 3600);
    return out;
}
