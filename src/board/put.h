/* Members of JSON answers. */
#pragma once

#include "base/json_out.h"

static inline void put_str(struct json_out *j, const char *key, const char *v)
{
    json_key(j, key);
    json_str(j, v);
}

static inline void put_span(struct json_out *j, const char *key, struct span v)
{
    json_key(j, key);
    json_span(j, v);
}

static inline void put_int(struct json_out *j, const char *key, int64_t v)
{
    json_key(j, key);
    json_int(j, v);
}

static inline void put_bool(struct json_out *j, const char *key, bool v)
{
    json_key(j, key);
    json_bool(j, v);
}

static inline void put_int_or_null(struct json_out *j, const char *key, int64_t v, bool is_known)
{
    json_key(j, key);
    if (is_known)
        json_int(j, v);
    else
        json_null(j);
}

/* A time of which 0 means never. */
static inline void put_time(struct json_out *j, const char *key, int64_t ms)
{
    put_int_or_null(j, key, ms, ms > 0);
}

static inline void put_ratio(struct json_out *j, const char *key, int64_t part, int64_t whole)
{
    json_key(j, key);
    if (whole > 0)
        json_dbl(j, (double)part / (double)whole);
    else
        json_null(j);
}

/* "a,b" as a list. */
static inline void put_list(struct json_out *j, const char *key, struct span text)
{
    json_key(j, key);
    json_arr(j);
    while (text.n) {
        const uint8_t *comma = memchr(text.p, ',', text.n);
        struct span part = comma ? span_of(text.p, (size_t)(comma - text.p)) : text;
        json_span(j, part);
        text = span_from(text, comma ? part.n + 1 : text.n);
    }
    json_arr_end(j);
}
