/* A stream of frames, from a client and from a server: heads are read at every cut alike, written again in the same
 * bytes, close payloads judged. */
#undef NDEBUG /* the checks stay in every build */
#include <assert.h>

#include "base/xalloc.h"
#include "proto/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_mask(struct span payload, const uint8_t mask[4])
{
    size_t n = MIN_OF(payload.n, 512u);
    uint8_t *plain = xmalloc(n + 1);
    ws_mask(plain, payload.p, n, mask, 0);
    for (size_t i = 0; i < n; i++)
        assert(plain[i] == (payload.p[i] ^ mask[i % 4]));
    free(plain);
}

static void check_stream(struct span in, bool from_client)
{
    struct ws_head h, part;
    while (in.n) {
        enum parse r = ws_parse_head(in, from_client, &h);
        for (size_t cut = 0; cut < MIN_OF(in.n, (size_t)WS_HEAD_MAX); cut++) {
            enum parse p = ws_parse_head(span_of(in.p, cut), from_client, &part);
            assert(p == PARSE_MORE || p == r);
        }
        if (r != PARSE_DONE)
            return;
        uint8_t again[WS_HEAD_MAX];
        size_t n = ws_write_head(again, h.fin, h.opcode, h.len, h.masked ? h.mask : NULL);
        assert(n == h.head_len && memcmp(again, in.p, n) == 0);
        in = span_from(in, n);
        struct span payload = span_of(in.p, (size_t)MIN_OF(h.len, (uint64_t)in.n));
        check_mask(payload, h.mask);
        if (h.opcode == WS_CLOSE && ws_close_is_valid(payload))
            assert(payload.n <= WS_CONTROL_MAX && payload.n != 1);
        in = span_from(in, payload.n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_stream(span_of(data, size), true);
    check_stream(span_of(data, size), false);
    return 0;
}
