/* Pseudonyms on their way out, and back: a reminder or the end of a held message names a conversation by its pseudonym,
 * but is shown in the conversation itself. The way back is remembered for the conversations that this node saw last:
 * bounded, made once. Any thread. */
#pragma once

#include "conf/conf.h"
#include "track/pseudonym.h"

enum { ALIAS_ID_MAX = 100 };

struct alias;

/* NULL with an empty err: privacy.pseudonyms is false; with text: the key cannot be read. */
struct alias *alias_new(const struct conf *c, struct err *e);
void alias_free(struct alias **a);
/* The pseudonym of an id, remembered with `remember`. */
struct span alias_of(struct alias *a, struct span id, bool remember, char out[PSEUDONYM_MAX]);
/* The id behind a pseudonym; empty: not (any more) known here. */
struct span alias_find(struct alias *a, struct span pseudonym, char out[ALIAS_ID_MAX]);
