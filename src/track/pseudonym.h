/* Keyed pseudonyms of customers (`privacy.pseudonyms`): whoever has the key can tell that an id and a pseudonym belong
 * together, nobody else. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { PSEUDONYM_MAX = 35, PSEUDONYM_KEY_MIN = 16, PSEUDONYM_KEY_MAX = 1024 };

/* The key: the file's first line, of 16 to 1024 bytes. -1 and err: why not. */
int pseudonym_load_key(const char *path, struct buf *key, struct err *e) MUST_CHECK;
/* "p-" and the first 32 digits of the HMAC-SHA256; empty for an empty id. */
const char *pseudonym_make(struct span key, struct span id, char out[PSEUDONYM_MAX]);
