/* Opening a ring's file: creating, locking, checking and repairing it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "track/crc.h"
#include "track/ring_layout.h"

enum { NAME_TRIES = 16, FILE_MODE = 0600 };

static uint32_t fixed_crc(const struct ring_fixed *f)
{
    return crc_update(0, span_of(f, offsetof(struct ring_fixed, crc)));
}

/* ---- the mapping ---- */

static int map_file(struct ring *r, size_t bytes, struct err *e)
{
    /* Blocks first: writing to a mapped hole of a full disk is SIGBUS. */
    int rc = posix_fallocate(r->fd, 0, (off_t)bytes);
    if (rc) {
        errno = rc;
        return err_sys(e, "%s: cannot reserve %zu bytes", r->path, bytes);
    }
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (p == MAP_FAILED)
        return err_sys(e, "%s: mmap of %zu bytes", r->path, bytes);
    r->map = p;
    r->map_bytes = bytes;
    return 0;
}

static void point_into_map(struct ring *r)
{
    r->fixed = (struct ring_fixed *)r->map;
    r->count = (struct ring_counters *)(r->map + 256);
    r->capacity = r->fixed->capacity;
    r->n_shards = r->fixed->n_shards;
    r->space = r->map + r->fixed->head_bytes;
    r->next_seq = (_Atomic uint64_t *)(r->map + RING_PAGE);
    uint8_t *at = r->map + RING_PAGE + 8ull * r->n_shards;
    r->identity[0] = (struct ring_identity *)at;
    r->identity[1] = (struct ring_identity *)(at + sizeof(struct ring_identity) + 8ull * r->n_shards);
    r->crc_seed = crc_update(0, span_of(&r->fixed->salt, sizeof(r->fixed->salt)));
    r->head = atomic_load(&r->count->head);
    r->tail_seen = atomic_load(&r->count->tail);
}

static int create_content(struct ring *r, size_t bytes, unsigned n_shards, struct err *e)
{
    if (map_file(r, bytes, e) < 0)
        return -1;
    memset(r->map, 0, ring_head_bytes(n_shards));
    struct ring_fixed f = {.version = RING_VERSION,
                           .n_shards = n_shards,
                           .head_bytes = ring_head_bytes(n_shards),
                           .salt = rand_u64(),
                           .created_ms = clock_wall_ms()};
    f.capacity = (bytes - f.head_bytes) & ~(uint64_t)(RING_ALIGN - 1);
    memcpy(f.magic, RING_MAGIC, sizeof(f.magic));
    f.crc = fixed_crc(&f);
    memset(f.magic, 0, sizeof(f.magic));
    memcpy(r->map, &f, sizeof(f));
    point_into_map(r);
    for (unsigned s = 0; s < n_shards; s++)
        atomic_store_explicit(&r->next_seq[s], 1, memory_order_relaxed);
    rand_hex32(r->id);
    memcpy(r->identity[0]->id, r->id, RING_ID_LEN);
    r->identity[0]->inode = r->inode;
    atomic_thread_fence(memory_order_seq_cst);
    memcpy(r->map, RING_MAGIC, sizeof(f.magic));
    return 0;
}

/* ---- recovery ---- */

/* Could a record or filler that recovery writes lie here, in a file that ring_append wrote? */
static bool is_boundary(const struct ring *r, uint64_t pos)
{
    uint64_t at = pos % r->capacity;
    return pos % RING_ALIGN == 0 && (at == 0 || at >= RECORD_HEAD);
}

static bool is_valid_record(const struct ring *r, uint64_t pos, uint64_t head)
{
    uint64_t left = MIN_OF(r->capacity - pos % r->capacity, head - pos);
    const struct record *rec = record_at(r, pos);
    if (left < RECORD_HEAD || rec->pos != pos || rec->len > left || record_size(rec->len) > left || rec->zero)
        return false;
    bool is_event = rec->kind == RECORD_EVENT && rec->len <= EVENT_ENCODED_MAX && rec->shard < r->n_shards && rec->seq;
    return (is_event || rec->kind == RECORD_FILLER) && rec->crc == record_crc(r, rec);
}

/* The next valid record behind a damaged one, or head. */
static uint64_t find_valid(const struct ring *r, uint64_t bad, uint64_t head)
{
    for (uint64_t pos = bad + RECORD_HEAD; pos < head; pos += RING_ALIGN)
        if (is_boundary(r, pos) && r->capacity - pos % r->capacity >= RECORD_HEAD && is_valid_record(r, pos, head))
            return pos;
    return head;
}

/* From `from` to `to` becomes fillers. -1: smaller than any record, so the counters are wrong. */
static int bury(struct ring *r, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t left = r->capacity - from % r->capacity;
        uint64_t n = MIN_OF(left, to - from);
        if (left >= RECORD_HEAD) {
            if (n < RECORD_HEAD)
                return -1;
            record_write_filler(r, from, n);
        }
        from += n;
    }
    return 0;
}

/* Walks from tail to head: damaged records become fillers (a hole in their shard's numbers, which the pump reports as a
 * gap), sequence numbers go on above all that were found. */
static int check_records(struct ring *r)
{
    uint64_t pos = atomic_load(&r->count->tail), head = r->head;
    while (pos < head) {
        uint64_t left = r->capacity - pos % r->capacity;
        if (left < RECORD_HEAD) {
            pos += left;
        } else if (is_valid_record(r, pos, head)) {
            const struct record *rec = record_at(r, pos);
            if (rec->kind == RECORD_EVENT && rec->seq >= atomic_load(&r->next_seq[rec->shard]))
                atomic_store(&r->next_seq[rec->shard], rec->seq + 1);
            pos += record_size(rec->len);
        } else {
            uint64_t good = find_valid(r, pos, head);
            if (bury(r, pos, good) < 0)
                return -1;
            r->damaged_bytes += good - pos;
            pos = good;
        }
    }
    return pos == head ? 0 : -1;
}

static int check_counters(struct ring *r)
{
    uint64_t tail = atomic_load(&r->count->tail), confirmed = atomic_load(&r->count->confirmed);
    if (tail > r->head || r->head - tail > r->capacity || !is_boundary(r, tail) || !is_boundary(r, r->head) ||
        r->head > (uint64_t)1 << 62 || atomic_load(&r->count->active) > 1)
        return -1;
    if (confirmed < tail || confirmed > r->head)
        atomic_store(&r->count->confirmed, tail);
    for (unsigned s = 0; s < r->n_shards; s++)
        if (atomic_load(&r->next_seq[s]) == 0)
            atomic_store(&r->next_seq[s], 1);
    return 0;
}

static int check_id(struct ring *r)
{
    memcpy(r->id, r->identity[atomic_load(&r->count->active)]->id, RING_ID_LEN);
    return strspn(r->id, "0123456789abcdef") == RING_ID_LEN ? 0 : -1;
}

/* A copy (a backup put back, a cloned folder) may live beside its original: what is not confirmed in it is counted from
 * 1 under an id of its own. */
static void leave_the_original(struct ring *r)
{
    if (r->identity[atomic_load(&r->count->active)]->inode == r->inode)
        return;
    uint64_t base[RING_SHARDS_MAX];
    for (unsigned s = 0; s < r->n_shards; s++)
        base[s] = ring_newest_seq(r, s);
    struct ring_record rec;
    for (uint64_t pos = ring_tail(r), next; ring_read(r, &pos, &rec, &next); pos = next)
        if (pos >= ring_confirmed(r))
            base[rec.shard] = MIN_OF(base[rec.shard], rec.seq - 1);
    char old[RING_ID_LEN + 1];
    memcpy(old, r->id, sizeof(old));
    ring_rename(r, base);
    log_event(LOG_WARN, "ring_is_a_copy", "file=%s from=%s to=%s", r->path, old, r->id);
}

static int bad_file(const char *path, const char *what, struct err *e)
{
    return err_set(e, "%s: not a usable ring: %s", path, what);
}

int ring_check_fixed(const struct ring_fixed *f, ssize_t n, const char *path, struct err *e)
{
    if (n < (ssize_t)sizeof(*f) || memcmp(f->magic, RING_MAGIC, sizeof(f->magic)) != 0)
        return bad_file(path, "no head", e);
    if (f->crc != fixed_crc(f))
        return bad_file(path, "the head's checksum is wrong", e);
    if (f->version != RING_VERSION)
        return err_set(e, "%s: ring of version %u, this program reads %d", path, f->version, RING_VERSION);
    if (f->n_shards < 1 || f->n_shards > RING_SHARDS_MAX || f->head_bytes != ring_head_bytes(f->n_shards) ||
        f->capacity % RING_ALIGN || f->capacity < RING_SIZE_MIN / 4 || f->capacity > RING_SIZE_MAX)
        return bad_file(path, "the head's figures are impossible", e);
    return 0;
}

/* The fixed head decides about sizes, so it is checked before anything is mapped by it. -1: the file is unusable, -2:
 * the system refused. */
static int load_content(struct ring *r, struct err *e)
{
    struct ring_fixed f = {.version = 0};
    if (ring_check_fixed(&f, pread(r->fd, &f, sizeof(f), 0), r->path, e) < 0)
        return -1;
    if (map_file(r, f.head_bytes + f.capacity, e) < 0)
        return -2;
    point_into_map(r);
    if (check_counters(r) < 0 || check_id(r) < 0)
        return bad_file(r->path, "its counters are impossible", e);
    if (check_records(r) < 0)
        return bad_file(r->path, "its records do not end where its counters say", e);
    leave_the_original(r);
    if (r->damaged_bytes)
        log_event(LOG_ERROR, "ring_damaged", "file=%s bytes=%llu", r->path, (unsigned long long)r->damaged_bytes);
    return 0;
}

/* ---- files and locks ---- */

static void drop(struct ring **rp)
{
    struct ring *r = *rp;
    if (r->map)
        munmap(r->map, r->map_bytes);
    if (r->fd >= 0)
        close(r->fd); /* ends the lock */
    free(r->path);
    free(r);
    *rp = NULL;
}

enum lock { LOCK_GOT, LOCK_BUSY, LOCK_FAILED };

/* Opens and locks r->path. A file that was deleted or renamed between the two steps is tried again. */
static enum lock open_locked(struct ring *r, int flags, struct err *e)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        r->fd = open(r->path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
        if (r->fd < 0)
            return errno == ENOENT ? LOCK_BUSY : (err_sys(e, "%s", r->path), LOCK_FAILED);
        struct stat mine, there;
        if (flock(r->fd, LOCK_EX | LOCK_NB) < 0)
            return errno == EWOULDBLOCK ? LOCK_BUSY : (err_sys(e, "%s: flock", r->path), LOCK_FAILED);
        if (fstat(r->fd, &mine) == 0 && stat(r->path, &there) == 0 && mine.st_ino == there.st_ino &&
            mine.st_dev == there.st_dev) {
            r->inode = mine.st_ino;
            if (S_ISREG(mine.st_mode))
                return LOCK_GOT;
            err_set(e, "%s: is no regular file", r->path);
            return LOCK_FAILED;
        }
        close(r->fd);
        r->fd = -1;
    }
    return LOCK_BUSY;
}

/* Is the file new, or from a start that was killed before its first record? */
static bool is_unused(const struct ring *r)
{
    char magic[8] = {0};
    static const char zero[8];
    return pread(r->fd, magic, sizeof(magic), 0) < (ssize_t)sizeof(magic) || memcmp(magic, zero, sizeof(magic)) == 0;
}

/* Renames the file within its folder; the lock goes with it. */
static void set_aside(const struct ring *r, const char *suffix)
{
    char unique[33];
    rand_hex32(unique);
    char *to = xasprintf("%s-%.8s%s", r->path, unique, suffix);
    if (rename(r->path, to) == 0)
        log_event(LOG_WARN, "ring_set_aside", "file=%s as=%s", r->path, to);
    else
        log_event(LOG_ERROR, "ring_set_aside_failed", "file=%s errno=%d", r->path, errno);
    free(to);
}

static struct ring *ring_blank(char *path, int64_t keep_ms)
{
    struct ring *r = xcalloc(1, sizeof(*r));
    r->fd = -1;
    r->path = path;
    r->keep_ms = keep_ms;
    return r;
}

struct ring *ring_adopt(const char *path, int64_t keep_ms, struct err *e)
{
    struct ring *r = ring_blank(xstrdup(path), keep_ms);
    e->text[0] = 0;
    if (open_locked(r, 0, e) != LOCK_GOT) {
        drop(&r);
        return NULL;
    }
    if (is_unused(r)) {
        unlink(path);
        drop(&r);
        return NULL;
    }
    int rc = load_content(r, e);
    if (rc == -1)
        set_aside(r, ".bad");
    if (rc < 0)
        drop(&r);
    return r;
}

/* One name: a ring, or NULL with *again when the next try (same name, set free, or the next name) is worth it. */
static struct ring *open_name(char *path, size_t bytes, unsigned n_shards, int64_t keep_ms, bool *again, struct err *e)
{
    struct ring *r = ring_blank(path, keep_ms);
    enum lock lock = open_locked(r, O_CREAT, e);
    *again = lock == LOCK_BUSY;
    if (lock == LOCK_GOT && is_unused(r)) {
        if (create_content(r, bytes, n_shards, e) == 0)
            return r;
        unlink(path);
    } else if (lock == LOCK_GOT) {
        int rc = load_content(r, e);
        *again = rc != -2;
        if (rc == -1)
            log_event(LOG_ERROR, "ring_unusable", "%s", e->text);
        if (rc == -1)
            set_aside(r, ".bad");
        else if (rc == 0 && r->n_shards == n_shards && r->map_bytes == ring_head_bytes(n_shards) + r->capacity &&
                 r->capacity == ((bytes - ring_head_bytes(n_shards)) & ~(uint64_t)(RING_ALIGN - 1)))
            return r;
        else if (rc == 0)
            set_aside(r, ".ring");
    }
    drop(&r);
    return NULL;
}

struct ring *ring_open(const char *dir, unsigned index, size_t size_bytes, unsigned n_shards, int64_t keep_ms,
                       struct err *e)
{
    if (size_bytes < RING_SIZE_MIN || size_bytes > RING_SIZE_MAX || n_shards < 1 || n_shards > RING_SHARDS_MAX) {
        err_set(e, "ring of %zu bytes and %u shards: at least %d bytes, 1 to %d shards are allowed", size_bytes,
                n_shards, RING_SIZE_MIN, RING_SHARDS_MAX);
        return NULL;
    }
    for (unsigned i = 0; i < NAME_TRIES; i++) {
        for (int twice = 0; twice < 2; twice++) { /* the second time the unfit file is gone */
            char *path =
                i ? xasprintf("%s/worker-%u+%u.ring", dir, index, i) : xasprintf("%s/worker-%u.ring", dir, index);
            bool again = false;
            struct ring *r = open_name(path, size_bytes, n_shards, keep_ms, &again, e);
            if (r || !again)
                return r;
        }
    }
    err_set(e, "%s/worker-%u.ring: it and %d files beside it are locked by other processes", dir, index,
            NAME_TRIES - 1);
    return NULL;
}

void ring_close(struct ring **rp, bool may_delete)
{
    struct ring *r = *rp;
    if (!r)
        return;
    bool is_empty = ring_confirmed(r) == ring_head(r) && atomic_load(&r->count->owed) == 0;
    if (may_delete && is_empty && unlink(r->path) < 0)
        log_event(LOG_WARN, "ring_delete_failed", "file=%s errno=%d", r->path, errno);
    drop(rp);
}
