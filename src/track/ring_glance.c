/* A look at a ring that may be another process's, in the middle of its work. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "track/ring_layout.h"

static void read_shards(const uint8_t *map, struct ring_glance *out, unsigned active)
{
    const _Atomic uint64_t *next = (const _Atomic uint64_t *)(map + RING_PAGE);
    size_t identity_bytes = sizeof(struct ring_identity) + 8ull * out->n_shards;
    const struct ring_identity *id =
        (const struct ring_identity *)(map + RING_PAGE + 8ull * out->n_shards + active * identity_bytes);
    memcpy(out->id, id->id, RING_ID_LEN);
    for (unsigned s = 0; s < out->n_shards; s++)
        out->newest[s] = (int64_t)(atomic_load(&next[s]) - 1 - id->base[s]);
}

static int read_head(int fd, const struct ring_fixed *f, const char *path, struct ring_glance *out, struct err *e)
{
    uint8_t *map = mmap(NULL, f->head_bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return err_sys(e, "%s: mmap", path);
    struct ring_counters *count = (struct ring_counters *)(map + 256);
    uint64_t confirmed = atomic_load(&count->confirmed), head = atomic_load(&count->head);
    unsigned active = atomic_load(&count->active);
    out->n_shards = f->n_shards;
    out->unsent_bytes = head > confirmed ? head - confirmed : 0;
    out->lost = atomic_load(&count->lost);
    out->owed = atomic_load(&count->owed);
    if (active <= 1)
        read_shards(map, out, active);
    munmap(map, f->head_bytes);
    return active <= 1 ? 0 : err_set(e, "%s: not a usable ring: its counters are impossible", path);
}

int ring_glance(const char *path, struct ring_glance *out, struct err *e)
{
    struct ring_fixed f = {.version = 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    memset(out, 0, sizeof(*out));
    if (fd < 0)
        return err_sys(e, "%s", path);
    int rc = ring_check_fixed(&f, pread(fd, &f, sizeof(f), 0), path, e);
    off_t bytes = lseek(fd, 0, SEEK_END);
    if (rc == 0 && bytes < (off_t)f.head_bytes)
        rc = err_set(e, "%s: not a usable ring: the file is too short", path);
    if (rc == 0)
        rc = read_head(fd, &f, path, out, e);
    out->is_held = flock(fd, LOCK_SH | LOCK_NB) < 0;
    close(fd);
    return rc;
}
