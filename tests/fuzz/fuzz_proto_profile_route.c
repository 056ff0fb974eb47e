/* Request targets: first line the method, then the target. A denied route stays denied behind a query and in capitals.
 */
#undef NDEBUG /* the checks stay in every build */
#include <assert.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "proto/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct profile *load(void)
{
    static struct profile *p;
    struct err_list errs = {0};
    if (!p)
        p = profile_load_file(SOURCE_DIR "/conf/profiles/rocketchat.yaml", &errs);
    assert(p);
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    struct span method = span_of(data, end ? (size_t)(end - data) : 0),
                target = span_of(data + method.n, size - method.n);
    target = span_from(target, end ? 1 : 0);
    struct route r = profile_route(load(), method, target, NULL);
    struct buf longer = {0};
    buf_append_span(&longer, target);
    for (uint32_t i = 0; i < longer.len; i++) {
        uint8_t *c = &longer.data[longer.start + i];
        if (*c >= 'a' && *c <= 'z' && r.kind == ROUTE_DENY && longer.data[longer.start] == '/')
            *c = (uint8_t)(*c - 32);
    }
    if (!span_is(target, "*")) /* that of OPTIONS, which has no query */
        buf_append_str(&longer, memchr(target.p, '?', target.n) ? "&x=1" : "?x=1");
    struct route again = profile_route(load(), method, buf_span(&longer), NULL);
    assert(again.kind == r.kind);
    buf_fini(&longer);
    return 0;
}
