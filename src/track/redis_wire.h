/* RESP2: commands to bytes, bytes to replies. The only file that knows hiredis is redis.c. */
#pragma once

#include "track/redis.h"

struct wire;

struct wire *wire_new(void);
void wire_free(struct wire **w);
/* Takes all bytes; they are looked at by wire_next. */
void wire_feed(struct wire *w, struct span in);
/* 1: the next reply, the caller's to free; 0: more bytes are needed; -1 and err: what came is no RESP, or too much. */
int wire_next(struct wire *w, struct redis_reply **reply, struct err *e) MUST_CHECK;

/* A command as bytes on the heap; free() them. */
char *wire_format(size_t argc, const struct span *argv, size_t *bytes);
/* `EVAL text …` or `EVALSHA sha …`. */
char *wire_format_script(const char *verb, const char *script, size_t n_keys, const struct span *keys, size_t n_args,
                         const struct span *args, size_t *bytes);
