/* For the programs that hold our engine beside others: the same texts through each contender in alternating rounds of
 * one run, hot and with cold caches, medians. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CONTEST_ROUNDS_MAX = 31 };

/* Texts, each ending in a zero byte. */
struct texts {
    char **text;
    size_t *bytes;
    size_t n, cap;
};

/* Copies it. */
void texts_add(struct texts *t, const char *text, size_t n);
/* At most `max` lines of a file that are UTF-8, `min_bytes` long and have none of the characters of `without` (lines of
 * word lists with @ or ( are no plain words); what follows a # is a comment. Ends the program when it can't be read. */
void texts_read(struct texts *t, const char *path, size_t max, size_t min_bytes, const char *without);
void texts_fini(struct texts *t);

struct contender {
    const char *name;
    uint64_t (*run)(void *ctx, size_t text); /* one text, by its number; how many hits */
    void *ctx;
    void (*free)(void *ctx);
    double build_ms;
    size_t bytes;    /* of its tables; 0: can't be told */
    unsigned stride; /* slow ones take every n-th text only; 0: all */
    /* what came out: ns a text, median of the rounds; hits of a pass over all texts */
    double hot_ns, cold_ns;
    uint64_t hits;
};

uint64_t contest_now_ns(void);
/* Runs them all; cold: 4 MB of other memory is walked before each text. */
void contest(struct contender *c, size_t n, size_t n_texts, int rounds);
/* A line each, with the ratio of the first to it; frees the contenders. */
void contest_print(struct contender *c, size_t n);

#ifdef __cplusplus
}
#endif
