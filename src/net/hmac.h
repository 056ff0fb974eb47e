/* HMAC-SHA256 (RFC 2104, FIPS 180-4) and base64 (RFC 4648), for signatures that receivers check. */
#pragma once

#include "base/span.h"

enum { HMAC_BYTES = 32, HMAC_HEX = 65 };
#define BASE64_LEN(n) (((n) + 2) / 3 * 4 + 1)

void hmac_sha256(struct span key, struct span text, uint8_t out[HMAC_BYTES]);
/* The same as 64 lower-case hexadecimal digits and a NUL. */
void hmac_sha256_hex(struct span key, struct span text, char out[HMAC_HEX]);
/* With padding and a NUL; out has BASE64_LEN(n) bytes. */
void base64_encode(const uint8_t *in, size_t n, char *out);
