#include "track/pseudonym.h"

#include <string.h>

#include "net/hmac.h"

int pseudonym_load_key(const char *path, struct buf *key, struct err *e)
{
    char line[PSEUDONYM_KEY_MAX + 2] = "";
    FILE *f = fopen(path, "re");
    if (!f)
        return err_sys(e, "%s", path);
    size_t n = fread(line, 1, sizeof(line) - 1, f);
    fclose(f);
    const char *end = memchr(line, '\n', n);
    n = end ? (size_t)(end - line) : n;
    if (n < PSEUDONYM_KEY_MIN || n > PSEUDONYM_KEY_MAX)
        return err_set(e, "%s: its first line has %zu bytes, must have %d to %d", path, n, PSEUDONYM_KEY_MIN,
                       PSEUDONYM_KEY_MAX);
    buf_reset(key);
    buf_append(key, line, n);
    explicit_bzero(line, sizeof(line));
    return 0;
}

const char *pseudonym_make(struct span key, struct span id, char out[PSEUDONYM_MAX])
{
    char hex[HMAC_HEX];
    out[0] = '\0';
    if (!id.n)
        return out;
    hmac_sha256_hex(key, id, hex);
    snprintf(out, PSEUDONYM_MAX, "p-%.32s", hex);
    return out;
}
