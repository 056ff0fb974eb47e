/* Templates: JSON with ${name} (a JSON value), ${name:s} (text inside a string), ${@template} (another template as a
 * JSON string); a ? before the closing brace makes an absent value null, or nothing inside a string. Values are always
 * escaped for their place, so a value can never become syntax. */
#pragma once

#include "proto/profile_impl.h"

/* Compiles a template's text. `p` knows the templates above it and the captured names. Checks that the result is JSON
 * whatever the values are. */
int tpl_compile(const struct ynode *at, struct profile *p, struct template *out, struct err_list *errs) MUST_CHECK;
/* The captured name's number, added when new; -1 when there are too many. */
int cap_number(struct profile *p, const char *name, bool add);

struct tpl_values {
    struct profile_scratch *s;   /* with state: where its places are read */
    const struct unit_state *st; /* NULL: no unit */
    const struct profile_conn *conn;
    struct span reason, rule, notice;
    struct span conv; /* when there is no unit; p NULL: none */
    int64_t now_ms;
};
/* Appends the rendered template; false, and nothing appended, when a value is missing that is not optional. */
bool tpl_render(const struct template *t, const struct tpl_values *v, struct buf *out);
