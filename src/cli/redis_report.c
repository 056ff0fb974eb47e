#include "cli/redis_report.h"

#include <stdarg.h>

#include "base/xalloc.h"

enum { TEXT_MAX = 600, SAME_MAX = 20 };

static void add(struct report *r, bool is_problem, const char *code, const char *where, const char *fmt, va_list ap)
{
    char text[TEXT_MAX];
    size_t same = 0;
    vsnprintf(text, sizeof(text), fmt, ap);
    r->problems += is_problem;
    for (size_t i = 0; i < r->n; i++) {
        bool is_same = strcmp(r->item[i].code, code) == 0;
        same += is_same;
        if (is_same && strcmp(r->item[i].where, where) == 0 && strcmp(r->item[i].text, text) == 0)
            return;
    }
    if (same >= SAME_MAX)
        return;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 32;
        r->item = xrealloc(r->item, r->cap * sizeof(*r->item));
    }
    r->item[r->n++] = (struct finding){is_problem, xstrdup(code), xstrdup(where), xstrdup(text)};
}

void report_problem(struct report *r, const char *code, const char *where, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(r, true, code, where, fmt, ap);
    va_end(ap);
}

void report_note(struct report *r, const char *code, const char *where, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(r, false, code, where, fmt, ap);
    va_end(ap);
}

/* Names of conversations and the like may hold anything. */
static void print_safe(const char *s)
{
    for (; *s; s++)
        putchar((unsigned char)*s < ' ' || *s == 127 ? '?' : *s);
}

void report_print(const struct report *r)
{
    for (int want = 1; want >= 0; want--) {
        for (size_t i = 0; i < r->n; i++) {
            if (r->item[i].is_problem != want)
                continue;
            printf("%s  %s  ", want ? "problem" : "note   ", r->item[i].code);
            print_safe(r->item[i].where);
            printf(": ");
            print_safe(r->item[i].text);
            putchar('\n');
        }
    }
    if (r->problems)
        printf("%zu problem%s\n", r->problems, r->problems == 1 ? "" : "s");
    else
        printf("no problems\n");
}

void report_json(const struct report *r, struct json_out *j, bool want_problems)
{
    json_arr(j);
    for (size_t i = 0; i < r->n; i++) {
        if (r->item[i].is_problem != want_problems)
            continue;
        json_obj(j);
        json_key(j, "code");
        json_str(j, r->item[i].code);
        json_key(j, "where");
        json_str(j, r->item[i].where);
        json_key(j, "what");
        json_str(j, r->item[i].text);
        json_obj_end(j);
    }
    json_arr_end(j);
}

void report_fini(struct report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->item[i].code);
        free(r->item[i].where);
        free(r->item[i].text);
    }
    free(r->item);
    *r = (struct report){0};
}
