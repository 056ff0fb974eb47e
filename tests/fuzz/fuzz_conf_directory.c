/* Any bytes as a directory, then asked for agents with pieces of the same bytes. */
#include <unistd.h>

#include "conf/directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[] = "/tmp/chatgate-fuzz-dir-XXXXXX";
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
    struct err_list errs = {0};
    struct directory *d;
    int result = directory_load(again, &d, &errs);
    if ((result == 0) != (errs.n == 0) || (result == 0) != (d != NULL))
        abort();
    for (size_t i = 0; d && i + 8 <= size; i += 8)
        if (directory_find(d, span_of(data + i, 8)).is_listed && directory_count(d) == 0)
            abort();
    directory_unref(&d);
    err_list_fini(&errs);
    return 0;
}
