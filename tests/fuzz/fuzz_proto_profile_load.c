/* Profile files: a broken one gives errors with their place, never a crash; one that loads decides routes and reads. */
#undef NDEBUG /* the checks stay in every build */
#include <assert.h>

#include "proto/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_route(const struct profile *p)
{
    struct profile_conn c;
    struct unit u[UNITS_MAX];
    struct route r = profile_route(p, span_str("GET"), span_str("/ws?EIO=4"), NULL);
    if (r.kind != ROUTE_WEBSOCKET)
        return;
    struct profile_scratch *s = profile_scratch_new();
    profile_conn_init(&c, p, r.ws, span_str(""));
    size_t n = profile_read(s, &c, C2S, span_str("{\"type\":\"message\",\"id\":1,\"text\":\"a\",\"m\":\"{}\"}"), 1, u);
    assert(n <= UNITS_MAX);
    profile_conn_fini(&c);
    profile_scratch_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err_list errs = {0};
    struct profile *p = profile_load_text("p.yaml", span_of(data, size), &errs);
    assert((p != NULL) == (errs.n == 0));
    for (size_t i = 0; i < errs.n; i++)
        assert(strncmp(errs.line[i], "p.yaml:", 7) == 0);
    if (p)
        try_route(p);
    profile_unref(&p);
    err_list_fini(&errs);
    return 0;
}
