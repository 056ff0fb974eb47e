#include "net/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

enum { RAW_BYTES = 32, SIGNATURE_BYTES = 64 };

struct sign_key {
    EVP_PKEY *pkey;
    char id[SIGN_ID_HEX];
};

static void write_hex(const uint8_t *in, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[in[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[in[i] & 15];
    }
    out[2 * n] = '\0';
}

void sha256_hex(struct span text, char out[SHA256_HEX])
{
    uint8_t digest[32];
    unsigned n = sizeof(digest);
    if (!EVP_Digest(text.p, text.n, digest, &n, EVP_sha256(), NULL))
        abort(); /* it has no other way to fail than a lack of memory */
    write_hex(digest, sizeof(digest), out);
}

/* --- keys --- */

static struct sign_key *wrap(EVP_PKEY *pkey, const char *path, struct err *e)
{
    uint8_t raw[RAW_BYTES];
    size_t n = sizeof(raw);
    if (!pkey || EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519 || !EVP_PKEY_get_raw_public_key(pkey, raw, &n)) {
        err_set(e, "%s: holds no Ed25519 key in PEM form (make one with `chatgate keygen`)", path);
        EVP_PKEY_free(pkey);
        return NULL;
    }
    struct sign_key *k = xcalloc(1, sizeof(*k));
    char hex[SHA256_HEX];
    k->pkey = pkey;
    sha256_hex(span_of(raw, n), hex);
    memcpy(k->id, hex, SIGN_ID_HEX - 1);
    return k;
}

static int no_password(char *out, int size, int is_writing, void *ctx)
{
    (void)out, (void)size, (void)is_writing, (void)ctx;
    return -1; /* never ask at a terminal */
}

struct sign_key *sign_key_load(const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    struct stat st;
    if (!f) {
        err_sys(e, "%s", path);
        return NULL;
    }
    if (fstat(fileno(f), &st) == 0 && st.st_mode & (S_IRWXO | S_IWGRP)) {
        err_set(e, "%s: may be used by everybody (mode %03o), must not be (chmod 600)", path,
                (unsigned)(st.st_mode & 0777));
        fclose(f);
        return NULL;
    }
    EVP_PKEY *pkey = PEM_read_PrivateKey(f, NULL, no_password, NULL);
    fclose(f);
    return wrap(pkey, path, e);
}

struct sign_key *sign_key_load_public(const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        err_sys(e, "%s", path);
        return NULL;
    }
    EVP_PKEY *pkey = PEM_read_PUBKEY(f, NULL, no_password, NULL);
    if (!pkey) {
        rewind(f);
        pkey = PEM_read_PrivateKey(f, NULL, no_password, NULL);
    }
    fclose(f);
    return wrap(pkey, path, e);
}

void sign_key_free(struct sign_key **kp)
{
    if (*kp) {
        EVP_PKEY_free((*kp)->pkey);
        free(*kp);
    }
    *kp = NULL;
}

const char *sign_key_id(const struct sign_key *k)
{
    return k->id;
}

static FILE *create(const char *path, mode_t mode, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        err_sys(e, "%s: cannot be made", path);
        return NULL;
    }
    return fdopen(fd, "w");
}

static int finish(FILE *f, bool ok, const char *path, struct err *e)
{
    ok = ok && fflush(f) == 0 && fsync(fileno(f)) == 0;
    ok = fclose(f) == 0 && ok;
    if (ok)
        return 0;
    unlink(path);
    return err_set(e, "%s: cannot be written", path);
}

int sign_key_make(const char *private_path, const char *public_path, struct err *e)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    FILE *secret = NULL, *open_key = NULL;
    int rc = -1;
    if (!pkey)
        return err_set(e, "OpenSSL cannot make an Ed25519 key");
    secret = create(private_path, 0600, e);
    if (secret)
        rc = finish(secret, PEM_write_PrivateKey(secret, pkey, NULL, NULL, 0, NULL, NULL) == 1, private_path, e);
    if (rc == 0) {
        open_key = create(public_path, 0644, e);
        rc = open_key ? finish(open_key, PEM_write_PUBKEY(open_key, pkey) == 1, public_path, e) : -1;
        if (rc < 0)
            unlink(private_path);
    }
    EVP_PKEY_free(pkey);
    return rc;
}

/* --- signing --- */

void sign_text(const struct sign_key *k, struct span text, char out[SIGN_HEX])
{
    uint8_t sig[SIGNATURE_BYTES];
    size_t n = sizeof(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) != 1 ||
        EVP_DigestSign(ctx, sig, &n, text.p, text.n) != 1)
        abort(); /* a loaded Ed25519 key signs anything */
    EVP_MD_CTX_free(ctx);
    write_hex(sig, sizeof(sig), out);
}

static bool read_hex(struct span hex, uint8_t *out, size_t n)
{
    if (hex.n != 2 * n)
        return false;
    for (size_t i = 0; i < hex.n; i++) {
        uint8_t c = hex.p[i];
        bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && !(c >= 'a' && c <= 'f'))
            return false;
        uint8_t v = (uint8_t)(is_digit ? c - '0' : c - 'a' + 10);
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | v : v << 4);
    }
    return true;
}

bool sign_check(const struct sign_key *k, struct span text, struct span hex)
{
    uint8_t sig[SIGNATURE_BYTES];
    if (!read_hex(hex, sig, sizeof(sig)))
        return false;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
              EVP_DigestVerify(ctx, sig, sizeof(sig), text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}
