#include "gate/xmpp_key.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/rand.h"
#include "base/xalloc.h"

static bool read_key(const char *path, uint8_t key[XMPP_KEY_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && read(fd, key, XMPP_KEY_BYTES) == XMPP_KEY_BYTES;
    if (fd >= 0)
        close(fd);
    return ok;
}

static int write_key(const char *path, const uint8_t key[XMPP_KEY_BYTES], struct err *e)
{
    char *fresh = xasprintf("%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc = 0;
    if (fd < 0)
        rc = err_sys(e, "%s", fresh);
    else if (write(fd, key, XMPP_KEY_BYTES) != XMPP_KEY_BYTES || fsync(fd) < 0)
        rc = err_sys(e, "%s", fresh);
    if (fd >= 0)
        close(fd);
    if (rc == 0 && rename(fresh, path) < 0)
        rc = err_sys(e, "%s", path);
    free(fresh);
    return rc;
}

int xmpp_key_load(const char *folder, uint8_t key[XMPP_KEY_BYTES], struct err *e)
{
    char *path = xasprintf("%s/xmpp.key", folder);
    int rc = 0;
    if (!read_key(path, key)) {
        rand_bytes(key, XMPP_KEY_BYTES);
        rc = write_key(path, key, e);
    }
    free(path);
    return rc;
}
