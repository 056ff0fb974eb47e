#include "gate/capture_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"

#define STAMP "20260102T030405.678Z-000.jsonl"
enum { STAMP_LEN = sizeof(STAMP) - 1, NAME_MAX_BYTES = 256, TRIES = 1000 };

void capture_file_set(struct capture_file *f, const char *dir, int64_t max_bytes, int64_t keep)
{
    f->max_bytes = max_bytes;
    f->keep = keep;
    if (f->dir && strcmp(f->dir, dir) == 0)
        return;
    capture_file_close(f);
    free(f->dir);
    f->dir = xstrdup(dir);
}

void capture_file_close(struct capture_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

void capture_file_fini(struct capture_file *f)
{
    capture_file_close(f);
    free(f->dir);
    free(f->node);
}

static int open_folder(struct capture_file *f, struct err *e)
{
    if (mkdir(f->dir, 0700) < 0 && errno != EEXIST)
        return err_sys(e, "capture.dir: %s cannot be made", f->dir);
    int fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_sys(e, "capture.dir: %s cannot be opened", f->dir);
    } else if (st.st_mode & 0007) {
        err_set(e, "capture.dir: %s has mode %04o, must be closed to others (chmod o-rwx)", f->dir,
                (unsigned)st.st_mode & 07777);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Is it a file of this node? Another node's name may begin with ours. */
static bool is_ours(const struct capture_file *f, const char *name)
{
    static const char prefix[] = "capture-";
    size_t n = strlen(f->node);
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 || strncmp(name + sizeof(prefix) - 1, f->node, n) != 0)
        return false;
    const char *rest = name + sizeof(prefix) - 1 + n;
    if (rest[0] != '-' || strlen(rest + 1) != STAMP_LEN)
        return false;
    for (size_t i = 0; i < STAMP_LEN; i++) {
        bool is_digit = rest[1 + i] >= '0' && rest[1 + i] <= '9';
        bool want_digit = STAMP[i] >= '0' && STAMP[i] <= '9';
        if (is_digit != want_digit || (!want_digit && rest[1 + i] != STAMP[i]))
            return false;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names carry their time, so the first ones are the oldest. */
static void delete_old(struct capture_file *f, int folder)
{
    int own = dup(folder);
    DIR *d = own < 0 ? NULL : fdopendir(own);
    if (!d)
        return;
    char **name = NULL;
    size_t n = 0;
    for (struct dirent *at; (at = readdir(d));) {
        if (!is_ours(f, at->d_name))
            continue;
        name = xrealloc(name, (n + 1) * sizeof(*name));
        name[n++] = xstrdup(at->d_name);
    }
    closedir(d);
    if (n)
        qsort(name, n, sizeof(*name), by_name);
    for (size_t i = 0; i < n; i++) {
        if (i + (size_t)f->keep < n && unlinkat(folder, name[i], 0) < 0)
            log_event(LOG_WARN, "capture_delete_failed", "file=%s error=\"%s\"", name[i], strerror(errno));
        free(name[i]);
    }
    free(name);
}

static int open_file(struct capture_file *f, struct err *e)
{
    int folder = open_folder(f, e);
    if (folder < 0)
        return -1;
    int64_t now_ms = clock_wall_ms();
    time_t s = (time_t)(now_ms / 1000);
    struct tm tm;
    char stamp[32], name[NAME_MAX_BYTES];
    gmtime_r(&s, &tm);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
    for (int i = 0; i < TRIES && f->fd < 0; i++) {
        snprintf(name, sizeof(name), "capture-%s-%s.%03dZ-%03d.jsonl", f->node, stamp, (int)(now_ms % 1000), i);
        f->fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND | O_CLOEXEC, 0600);
        if (f->fd < 0 && errno != EEXIST)
            break;
    }
    int rc = f->fd < 0 ? err_sys(e, "%s/%s cannot be made", f->dir, name) : 0;
    f->bytes = 0;
    if (rc == 0)
        delete_old(f, folder);
    close(folder);
    return rc;
}

static int write_all(struct capture_file *f, struct span s, struct err *e)
{
    while (s.n) {
        ssize_t n = write(f->fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            err_sys(e, "%s: a capture file cannot be written", f->dir);
            capture_file_close(f);
            return -1;
        }
        f->bytes += n;
        s = span_from(s, (size_t)n);
    }
    return 0;
}

/* Bytes of the whole lines that still fit; a first line always does. */
static size_t fitting(const struct capture_file *f, struct span lines)
{
    size_t end = 0;
    while (end < lines.n) {
        const uint8_t *nl = memchr(lines.p + end, '\n', lines.n - end);
        size_t to = nl ? (size_t)(nl - lines.p) + 1 : lines.n;
        if (f->bytes + (int64_t)to > f->max_bytes && (end || f->bytes))
            break;
        end = to;
    }
    return end;
}

/* Somebody has deleted the file: what went on into it would be lost. */
static bool is_gone(const struct capture_file *f)
{
    struct stat st;
    return f->fd >= 0 && (fstat(f->fd, &st) < 0 || st.st_nlink == 0);
}

int capture_file_write(struct capture_file *f, struct span lines, struct err *e)
{
    if (is_gone(f))
        capture_file_close(f);
    while (lines.n) {
        size_t n = f->fd < 0 ? 0 : fitting(f, lines);
        if (n == 0) {
            capture_file_close(f);
            if (open_file(f, e) < 0)
                return -1;
            continue;
        }
        if (write_all(f, span_of(lines.p, n), e) < 0)
            return -1;
        lines = span_from(lines, n);
    }
    return 0;
}
