/* A YAML 1.1 document (libyaml) as a tree in which every node knows its place, so that any error can say
 * `file:line:column`. Aliases and tags are refused, duplicate keys are errors; depth and size are bounded. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum ynode_kind { YNODE_SCALAR, YNODE_SEQ, YNODE_MAP };

struct ynode {
    enum ynode_kind kind;
    const char *file;
    int line, col;        /* from 1 */
    const char *text;     /* scalar: its value, NUL-terminated */
    bool is_plain;        /* scalar without quotes: numbers, true, null are only recognised when plain */
    size_t n;             /* sequence: items; map: pairs */
    struct ynode **key;   /* map: n keys, always scalars */
    struct ynode **value; /* map: n values; sequence: n items */
};

/* Reads one document. The tree lives in the arena. NULL when anything is wrong (already reported in errs); an empty
 * file is an empty map. */
struct ynode *yaml_load_file(const char *path, struct arena *a, struct err_list *errs);
/* As above from memory; `name` stands for the file in errors. */
struct ynode *yaml_load_text(const char *name, struct span text, struct arena *a, struct err_list *errs);

/* The value of a key of a map, or NULL (also when `map` is NULL or no map). */
struct ynode *yaml_get(const struct ynode *map, const char *key);
/* Reports "file:line:col: …" at the node. */
void yaml_bad(struct err_list *errs, const struct ynode *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* What a node is, for error texts: `"abc"`, `a list`, `a map`. Valid until the next call of this thread. */
const char *yaml_describe(const struct ynode *at);
/* Reports every key of `map` that is not in the NULL-terminated list, naming what is allowed. */
void yaml_allow_keys(const struct ynode *map, const char *const *allowed, struct err_list *errs);

/* Scalars to values; on failure they report "what: is …, must be …" at the node and return -1. `what` names the key. */
int yaml_str(const struct ynode *at, const char *what, const char **out, struct err_list *errs) MUST_CHECK;
int yaml_int(const struct ynode *at, const char *what, int64_t min, int64_t max, int64_t *out,
             struct err_list *errs) MUST_CHECK;
int yaml_bool(const struct ynode *at, const char *what, bool *out, struct err_list *errs) MUST_CHECK;
/* "250ms", "30s", "5m", "2h", "7d" to milliseconds; a bare number is refused (except 0). */
enum { YAML_UNIT_MAX = 32 };
/* "90s", "64k": the largest unit that divides it. */
const char *yaml_duration_print(int64_t ms, char out[YAML_UNIT_MAX]);
const char *yaml_size_print(int64_t n, char out[YAML_UNIT_MAX]);

int yaml_duration(const struct ynode *at, const char *what, int64_t min_ms, int64_t max_ms, int64_t *out_ms,
                  struct err_list *errs) MUST_CHECK;
/* As above without a node, for arguments of commands: false when it is no such time or above 365 days. */
bool yaml_duration_text(const char *text, int64_t *out_ms) MUST_CHECK;
/* "512", "64k", "8M", "1G" (powers of 1024) to bytes. */
int yaml_size(const struct ynode *at, const char *what, int64_t min, int64_t max, int64_t *out,
              struct err_list *errs) MUST_CHECK;
/* One of a NULL-terminated list of names; *out is its index. */
int yaml_enum(const struct ynode *at, const char *what, const char *const *names, int *out,
              struct err_list *errs) MUST_CHECK;
