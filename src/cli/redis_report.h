/* What `chatgate redis` found: problems (exit code 1) and notes, as text or JSON. */
#pragma once

#include "base/json_out.h"

struct finding {
    bool is_problem;
    char *code, *where, *text;
};

struct report {
    struct finding *item;
    size_t n, cap, problems;
};

/* `code` is a stable word for scripts; `where` a server, key, shard or file. The same code and text at the same place
 * is told once; of one code at most 20. */
void report_problem(struct report *r, const char *code, const char *where, const char *fmt, ...) PRINTF_LIKE(4, 5);
void report_note(struct report *r, const char *code, const char *where, const char *fmt, ...) PRINTF_LIKE(4, 5);
void report_print(const struct report *r);
/* {"code", "where", "what"} each. */
void report_json(const struct report *r, struct json_out *j, bool want_problems);
void report_fini(struct report *r);
