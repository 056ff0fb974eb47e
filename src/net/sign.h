/* Signatures (Ed25519, RFC 8032) and SHA-256, for what must be shown to be unaltered. Keys are PEM files (PKCS #8 and
 * SubjectPublicKeyInfo), as OpenSSL's own tools read and write them. */
#pragma once

#include "base/err.h"
#include "base/span.h"

enum { SHA256_HEX = 65, SIGN_HEX = 129, SIGN_ID_HEX = 17 };

/* 64 lower-case hexadecimal digits and a NUL. */
void sha256_hex(struct span text, char out[SHA256_HEX]);

struct sign_key;

/* Draws a key and writes both files: the private one new, mode 0600; neither may exist. */
int sign_key_make(const char *private_path, const char *public_path, struct err *e) MUST_CHECK;
/* A private key, for sign_text and sign_check. NULL and err: no such file, not PEM, not Ed25519, readable by others. */
struct sign_key *sign_key_load(const char *path, struct err *e);
/* A public key (of a private file as well), for sign_check. */
struct sign_key *sign_key_load_public(const char *path, struct err *e);
void sign_key_free(struct sign_key **k);
/* Tells keys apart: the first digits of the public key's SHA-256. */
const char *sign_key_id(const struct sign_key *k);
void sign_text(const struct sign_key *k, struct span text, char out[SIGN_HEX]);
/* Is it this key's signature, in hexadecimal digits? */
bool sign_check(const struct sign_key *k, struct span text, struct span hex) MUST_CHECK;
