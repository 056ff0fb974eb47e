/* Files of lines `a:b:c`, read whole and replaced in one step: users and tokens. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "board/users.h"

/* The whole file with a NUL behind it, freed by the caller; a missing file is empty when `is_missing_fine`. NULL and
 * err otherwise. */
char *lines_read(const char *path, bool is_missing_fine, struct err *e);
/* Gives every line that is not empty and no comment, trimmed, to fn: NULL or what is wrong with it, which goes to errs
 * as FILE:LINE:1. -1: something was wrong, or the file cannot be read. `begin` is told before how many lines there are.
 */
struct lines_reader {
    void (*begin)(void *ctx, size_t lines);
    const char *(*line)(void *ctx, struct span line);
};
int lines_load(const char *path, bool is_missing_fine, const struct lines_reader *r, void *ctx, struct err_list *errs);
/* Writes FILE.new beside it and renames it; owner and mode stay (a new file: 0600). */
int lines_replace(const char *path, const struct buf *text, struct err *e) MUST_CHECK;
/* Cuts at `mark`; the rest stays in *rest (p NULL: nothing is left). */
struct span lines_cut(struct span *rest, char mark);
/* "a,b" or "*". */
void lines_names(struct arena *a, struct span text, struct name_list *out);
