/* Files of lines `a:b:c`, read whole and replaced in one step: users and tokens. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "board/users.h"

/* The whole file with a NUL behind it, freed by the caller; a missing file is empty when `is_missing_fine`. NULL and
 * err otherwise. */
char *lines_read(const char *path, bool is_missing_fine, struct err *e);
/* Writes FILE.new beside it and renames it; owner and mode stay (a new file: 0600). */
int lines_replace(const char *path, const struct buf *text, struct err *e) MUST_CHECK;
/* Cuts at `mark`; the rest stays in *rest (p NULL: nothing is left). */
struct span lines_cut(struct span *rest, char mark);
size_t lines_count(const char *text);
/* "a,b" or "*". */
void lines_names(struct arena *a, struct span text, struct name_list *out);
