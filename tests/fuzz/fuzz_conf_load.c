/* Any bytes as a configuration: refused with places, or an object that prints and compares with itself. */
#include <unistd.h>

#include "base/attr.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[] = "/tmp/chatgate-fuzz-conf-XXXXXX";
    static int fd = -1;
    if (fd < 0) { /* one file for all inputs, nameless at once: /proc opens it again */
        fd = mkstemp(path);
        if (fd < 0)
            abort();
        unlink(path);
    }
    char again[64];
    snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
    if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    struct err_list errs = {0}, warnings = {0}, keys = {0};
    struct conf *c = conf_load_for_check(again, &errs, &warnings);
    if (!c && errs.n == 0)
        abort(); /* nothing and no reason */
    if (c) {
        conf_restart_needed(c, c, &keys);
        if (keys.n)
            abort();
    }
    conf_free(&c);
    int result = conf_load(again, &c, &keys);
    if ((result == 0) != (errs.n == 0) || (result == 0) != (c != NULL))
        abort();
    conf_free(&c);
    err_list_fini(&errs);
    err_list_fini(&warnings);
    err_list_fini(&keys);
    return 0;
}
