/* A profile with a session on it, for tests: reads messages, refuses, emits. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "proto/json.h"
#include "proto/profile.h"

enum { RIG_NOW_MS = 1700000000 };

struct rig {
    struct profile *p;
    struct profile_conn c;
    struct profile_scratch *s;
    struct unit u[UNITS_MAX];
    size_t n;
    struct span payload;
    struct buf out;
    size_t len[4];
    unsigned n_dropped;
};

static inline void rig_use(struct rig *r, struct profile *p, int ws)
{
    *r = (struct rig){.p = p, .s = profile_scratch_new()};
    profile_conn_init(&r->c, p, ws, span_str(""));
}

static inline void rig_init(struct rig *r, const char *name, int ws)
{
    struct err_list errs = {0};
    char *path = xasprintf("%s/conf/profiles/%s.yaml", SOURCE_DIR, name);
    struct profile *p = profile_load_file(path, &errs);
    for (size_t i = 0; i < errs.n; i++)
        print_error("%s\n", errs.line[i]);
    assert_non_null(p);
    assert_int_equal(errs.n, 0);
    free(path);
    rig_use(r, p, ws);
}

static inline void rig_fini(struct rig *r)
{
    profile_conn_fini(&r->c);
    profile_scratch_free(&r->s);
    profile_unref(&r->p);
    buf_fini(&r->out);
}

static inline size_t rig_read(struct rig *r, enum profile_dir dir, const char *payload)
{
    r->payload = span_str(payload);
    r->n = profile_read(r->s, &r->c, dir, r->payload, RIG_NOW_MS, r->u);
    return r->n;
}

/* Refuses unit i; returns the messages joined by newlines. */
static inline const char *rig_refuse(struct rig *r, size_t i, const char *reason)
{
    struct profile_words w = {span_str(reason), span_str("E1-1")};
    struct buf raw = {0};
    size_t n = profile_refuse(r->s, &r->c, &r->u[i], &w, RIG_NOW_MS, &raw, r->len), at = 0;
    buf_reset(&r->out);
    for (size_t k = 0; k < n; k++) {
        buf_append_str(&r->out, k ? "\n" : "");
        buf_append_span(&r->out, span_of(buf_span(&raw).p + at, r->len[k]));
        at += r->len[k];
    }
    buf_fini(&raw);
    return buf_cstr(&r->out);
}

static inline enum emit rig_emit(struct rig *r, const struct unit_fate *fates)
{
    buf_reset(&r->out);
    return profile_emit(r->s, r->payload, r->u, r->n, fates, &r->out, &r->n_dropped);
}

/* Replaces the whole text t of unit i; the new payload, or NULL when that failed. */
static inline const char *rig_rewrite(struct rig *r, size_t i, unsigned t, const char *with)
{
    struct text_edit ed = {.text = (uint16_t)t, .from = 0, .to = (uint32_t)r->u[i].text[t].n, .with = span_str(with)};
    struct unit_fate fates[UNITS_MAX] = {0};
    fates[i] = (struct unit_fate){.edit = &ed, .n_edits = 1};
    return rig_emit(r, fates) == EMIT_BYTES ? buf_cstr(&r->out) : NULL;
}

#define assert_span(s, text)                                                                                           \
    do {                                                                                                               \
        struct span span_ = (s);                                                                                       \
        if (!span_is(span_, text))                                                                                     \
            fail_msg("%s:%d: \"%.*s\" is not \"%s\"", __FILE__, __LINE__, (int)span_.n, span_.p, text);                \
    } while (0)
