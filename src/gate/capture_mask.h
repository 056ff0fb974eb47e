/* Masking of captured texts: numbers, account names and ids become unreadable, and as much stays of what rules look at
 * as can (docs/replay.md says what exactly). One mask belongs to one thread. */
#pragma once

#include "base/span.h"

struct capture_mask;

struct capture_mask *capture_mask_new(void);
void capture_mask_free(struct capture_mask **m);

/* The masked text, of valid UTF-8 of at most 64 KiB; it lives in the mask until the next call.
 *
 * Numbers: digits in any form that folding knows (１, ①, 一, 幺, o in 138oo13) with at most 4 other characters between
 * them belong together, Chinese numerals only with up to 2 separators between. Five and more become "1" (or "0", where
 * a zero stood in front) and zeros; what has the shape of a mobile number becomes "13" and zeros. Fewer are left alone.
 * Account names: a run of ASCII letters, digits, `_`, `-`, `.` with a letter and a digit or `_`, 6 and longer, or left
 * of an `@`: every letter becomes a or A, every digit 0. Domains stay. */
struct span capture_mask_text(struct capture_mask *m, struct span text);

enum { CAPTURE_PSEUDONYM_MAX = 17 };
/* Another name for an id: the same for the same id as long as this process runs, letters only. */
const char *capture_mask_id(struct span id, char out[CAPTURE_PSEUDONYM_MAX]);
