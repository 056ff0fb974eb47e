/* Writing JSON (RFC 8259) into a buffer; commas are placed by the writer. For answers, logs and events of our own:
 * peers' JSON is never re-serialised. */
#pragma once

#include "base/buf.h"

struct json_out {
    struct buf *buf;
    bool need_comma;
};

void json_obj(struct json_out *j);     /* { */
void json_obj_end(struct json_out *j); /* } */
void json_arr(struct json_out *j);     /* [ */
void json_arr_end(struct json_out *j); /* ] */
void json_key(struct json_out *j, const char *key);
/* A string value; bytes that are not UTF-8 become U+FFFD. */
void json_span(struct json_out *j, struct span s);
void json_str(struct json_out *j, const char *s);
void json_int(struct json_out *j, int64_t v);
void json_dbl(struct json_out *j, double v);
void json_bool(struct json_out *j, bool v);
void json_null(struct json_out *j);
/* A value that is JSON already. */
void json_raw(struct json_out *j, struct span s);

/* Only the escaped inside of a string, without quotes (as templates need it). */
void json_escape(struct buf *out, struct span s);
