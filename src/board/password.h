/* Password hashes (libcrypt's yescrypt). A check takes tens of milliseconds by design, so it runs in a thread of its
 * own, one at a time. */
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "net/loop.h"

enum { PASSWORD_MIN = 10, PASSWORD_MAX = 512, PASSWORD_HASH_MAX = 384 };

/* A new hash with a fresh salt. */
int password_hash(const char *password, char out[PASSWORD_HASH_MAX], struct err *e) MUST_CHECK;

/* For secrets that are random already (tokens): SHA-256 with the fewest rounds, under a millisecond. */
int password_hash_fast(const char *secret, char out[PASSWORD_HASH_MAX], struct err *e) MUST_CHECK;
/* Is this the hash's secret? Takes as long as that hash takes: in the caller's thread, so for fast ones only. */
bool password_is(const char *hash, const char *secret);

struct password_checker;
typedef void (*password_fn)(void *ctx, bool is_right);

struct password_checker *password_checker_new(struct loop *l);
/* Copies both texts; fn(ctx, …) comes in the loop's thread after this returned. A NULL hash takes the same time and is
 * wrong. False when 16 checks are waiting already. */
bool password_check(struct password_checker *p, const char *hash, struct span password, password_fn fn,
                    void *ctx) MUST_CHECK;
/* Waits for a check that is running; the others end as wrong, before this returns. */
void password_checker_free(struct password_checker **p);
