#include "net/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

void hmac_sha256(struct span key, struct span text, uint8_t out[HMAC_BYTES])
{
    unsigned n = HMAC_BYTES;
    if (key.n > 4096 || !HMAC(EVP_sha256(), key.p, (int)key.n, text.p, text.n, out, &n) || n != HMAC_BYTES)
        abort(); /* it has no other way to fail than a lack of memory */
}

void hmac_sha256_hex(struct span key, struct span text, char out[HMAC_HEX])
{
    uint8_t mac[HMAC_BYTES];
    hmac_sha256(key, text, mac);
    for (size_t i = 0; i < HMAC_BYTES; i++) {
        out[2 * i] = "0123456789abcdef"[mac[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[mac[i] & 15];
    }
    out[HMAC_HEX - 1] = 0;
}

void base64_encode(const uint8_t *in, size_t n, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, in, (int)n);
}
