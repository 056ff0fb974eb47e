/* One error text, filled by the function that failed and shown by the one that can tell a person. */
#pragma once

#include "base/attr.h"

enum { ERR_TEXT_MAX = 512 };

struct err {
    char text[ERR_TEXT_MAX];
};

/* Sets the text (cut at ERR_TEXT_MAX). `e` may be NULL. Always returns -1, so that `return err_set(…)` works. */
int err_set(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* As err_set, and appends ": " and the text of errno. */
int err_sys(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "what: " before the text that is there. Always returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A list of errors in the order in which they were found; every error of a file is reported, not only the first. */
struct err_list {
    char **line;
    size_t n, cap;
    size_t dropped; /* errors past the bound of 1,000 */
};

/* Appends a formatted line (owned by the list). */
void err_list_add(struct err_list *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Frees the lines and leaves an empty list. */
void err_list_fini(struct err_list *l);
