/* WebSocket frames (RFC 6455): headers, masking, close codes. Permessage-deflate is never negotiated, so RSV bits are a
 * protocol error. No event loop, no allocation. */
#pragma once

#include "base/span.h"

enum ws_opcode {
    WS_CONT = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xa,
};

/* Close codes used by the gateway itself (RFC 6455 section 7.4.1). */
enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_UNSUPPORTED = 1003,
    WS_CLOSE_BAD_UTF8 = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_INTERNAL = 1011,
    WS_CLOSE_TRY_LATER = 1013,
};

enum { WS_HEAD_MAX = 14, WS_CONTROL_MAX = 125 };

struct ws_head {
    bool fin;
    uint8_t opcode;
    bool masked;
    uint8_t mask[4];
    uint64_t len;     /* payload bytes */
    uint8_t head_len; /* 2 to 14 */
};

/* Reads a frame header from the front of `in`. `from_client`: masks are required, else forbidden. BAD (close 1002): RSV
 * bits, reserved opcodes, wrong masking, fragmented or long control frames, lengths not in shortest form or with the
 * top bit set. */
enum parse ws_parse_head(struct span in, bool from_client, struct ws_head *out);
/* Writes a header in shortest form; mask NULL: unmasked. Returns its length. */
size_t ws_write_head(uint8_t out[WS_HEAD_MAX], bool fin, uint8_t opcode, uint64_t len, const uint8_t mask[4]);
/* dst[i] = src[i] ^ mask[(phase + i) % 4]; dst may be src. Fast on any alignment. */
void ws_mask(uint8_t *dst, const uint8_t *src, size_t n, const uint8_t mask[4], size_t phase);
/* Checks a close frame's payload: empty, or a code that may be sent (RFC 6455 7.4) and a UTF-8 reason. */
bool ws_close_is_valid(struct span payload);
