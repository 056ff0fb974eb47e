/* PROXY headers: every cut of the bytes is read as the whole says, and never more than is there. */
#undef NDEBUG /* the checks stay in every build */
#include <assert.h>

#include "proto/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header h, part;
    size = MIN_OF(size, (size_t)PROXY_HEADER_MAX);
    enum parse r = proxy_parse(span_of(data, size), &h);
    if (r == PARSE_DONE)
        assert(h.header_bytes <= size && h.header_bytes >= 8);
    for (size_t cut = 0; cut < size; cut++) {
        enum parse p = proxy_parse(span_of(data, cut), &part);
        if (r == PARSE_DONE)
            assert(p == (cut < h.header_bytes ? PARSE_MORE : PARSE_DONE));
        if (r == PARSE_MORE)
            assert(p == PARSE_MORE);
        if (r == PARSE_BAD)
            assert(p != PARSE_DONE || part.header_bytes <= cut);
    }
    return 0;
}
