/* chatgate keygen: the key that signs evidence. */
#include "base/buf.h"
#include "cli/cli.h"
#include "net/sign.h"

int cli_keygen(int argc, char **argv)
{
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' || path) {
            fprintf(stderr, "chatgate keygen: unexpected argument \"%s\"\n", argv[i]);
            return cli_usage("keygen");
        }
        path = argv[i];
    }
    if (!path)
        return cli_usage("keygen");
    struct buf open_path = {0};
    struct err e = {{0}};
    buf_append_str(&open_path, path);
    buf_append_str(&open_path, ".pub");
    int rc = sign_key_make(path, buf_cstr(&open_path), &e);
    struct sign_key *k = rc == 0 ? sign_key_load(path, &e) : NULL;
    if (k)
        printf("private key %s (keep it secret, and a copy of it safe), public key %s, id %s\n", path,
               buf_cstr(&open_path), sign_key_id(k));
    else
        fprintf(stderr, "chatgate keygen: %s\n", e.text);
    sign_key_free(&k);
    buf_fini(&open_path);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}
