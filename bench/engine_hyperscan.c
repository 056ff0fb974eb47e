#include <hs.h>
#include <string.h>

#include "base/xalloc.h"
#include "engines.h"

struct hyperscan {
    hs_database_t *db;
    hs_scratch_t *scratch;
    const struct texts *texts;
};

static int on_hit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
    (void)id, (void)from, (void)to, (void)flags;
    ++*(uint64_t *)arg;
    return 0;
}

static uint64_t run(void *ctx, size_t i)
{
    const struct hyperscan *h = ctx;
    uint64_t hits = 0;
    (void)hs_scan(h->db, h->texts->text[i], (unsigned)h->texts->bytes[i], 0, h->scratch, on_hit, &hits);
    return hits;
}

static void end(void *ctx)
{
    struct hyperscan *h = ctx;
    hs_free_scratch(h->scratch);
    hs_free_database(h->db);
    free(h);
}

static hs_database_t *build(const struct texts *p, bool is_literal)
{
    unsigned *flags = xcalloc(p->n, sizeof(*flags)), *ids = xcalloc(p->n, sizeof(*ids));
    hs_database_t *db = NULL;
    hs_compile_error_t *error = NULL;
    for (unsigned i = 0; i < p->n; i++) {
        ids[i] = i;
        flags[i] = is_literal ? 0 : HS_FLAG_UTF8 | HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH;
    }
    const char *const *pattern = (const char *const *)p->text;
    hs_error_t rc =
        is_literal
            ? hs_compile_lit_multi(pattern, flags, ids, p->bytes, (unsigned)p->n, HS_MODE_BLOCK, NULL, &db, &error)
            : hs_compile_multi(pattern, flags, ids, (unsigned)p->n, HS_MODE_BLOCK, NULL, &db, &error);
    if (rc != HS_SUCCESS) {
        fprintf(stderr, "Hyperscan: %s\n", error->message);
        exit(2);
    }
    free(flags);
    free(ids);
    return db;
}

struct contender engine_hyperscan(const struct texts *patterns, bool is_literal, const struct texts *texts)
{
    struct hyperscan *h = xcalloc(1, sizeof(*h));
    struct contender c = {.name = "Hyperscan", .run = run, .ctx = h, .free = end};
    uint64_t start = contest_now_ns();
    h->db = build(patterns, is_literal);
    c.build_ms = (double)(contest_now_ns() - start) / 1e6;
    h->texts = texts;
    if (hs_alloc_scratch(h->db, &h->scratch) != HS_SUCCESS || hs_database_size(h->db, &c.bytes) != HS_SUCCESS)
        exit(2);
    return c;
}
