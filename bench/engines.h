/* Other engines as contenders: many words (`is_literal`) or regular expressions in one pass over a text. */
#pragma once

#include "contest.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Each builds its tables and measures that; a pattern that it refuses ends the program. `texts` must outlive it. */
struct contender engine_hyperscan(const struct texts *patterns, bool is_literal, const struct texts *texts);
struct contender engine_re2(const struct texts *patterns, bool is_literal, const struct texts *texts);
/* memmem for one word after the other. */
struct contender engine_search(const struct texts *words, const struct texts *texts);

#ifdef __cplusplus
}
#endif
