/*   head, then buckets of 16 entries; an entry's name chooses its bucket. Each entry has two halves: the older one is
 *   written, so that a process killed in the middle leaves what stood before.
 *
 *   | head | entry: half half | entry: half half | … */
#include "gate/xmpp_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rand.h"
#include "base/xalloc.h"

enum { BUCKET = 16, HEAD_BYTES = 4096, ENTRIES_MIN = 1024, ENTRIES_MAX = 1 << 20 };
#define LEFT_BEHIND_MS (24ll * 3600 * 1000) /* how long entries of a killed process are kept */

static const char magic[8] = "cgxmsm2";

struct head {
    char magic[8];
    char name[XMPP_LEDGER_NAME + 1];
    uint64_t n_entries;
};

struct half {
    uint64_t seq; /* of the two whole halves the higher one counts */
    uint64_t id[2];
    uint64_t owner;
    int64_t until_ms; /* wall time; 0: its connection is there */
    struct xmpp_tally tally;
    uint32_t crc; /* of all before; 0 in a half that was never written */
};

struct entry {
    struct half half[2];
    uint8_t spare[512 - 2 * sizeof(struct half)];
};

struct xmpp_ledger {
    pthread_mutex_t lock;
    int fd; /* -1: in memory only */
    struct head *head;
    struct entry *entry;
    size_t bytes, n_entries; /* as this process opened it: another one may make it anew and larger */
    char name[XMPP_LEDGER_NAME + 1];
    uint8_t key[XMPP_KEY_BYTES];
};

/* --- entries --- */

static uint32_t crc_of(const struct half *h)
{
    uint32_t crc = hash_crc32c(0, span_of(h, offsetof(struct half, crc)));
    return crc ? crc : 1;
}

static struct half *current(struct entry *e)
{
    struct half *best = NULL;
    for (int i = 0; i < 2; i++)
        if (e->half[i].crc && e->half[i].crc == crc_of(&e->half[i]) && (!best || e->half[i].seq > best->seq))
            best = &e->half[i];
    return best;
}

static void put(struct entry *e, const struct half *what)
{
    struct half *now = current(e), *old = now == &e->half[0] ? &e->half[1] : &e->half[0];
    struct half fresh = *what;
    fresh.seq = now ? now->seq + 1 : 1;
    fresh.crc = crc_of(&fresh);
    *old = fresh;
}

static bool is_over(const struct half *h)
{
    return !h || (h->until_ms && h->until_ms <= clock_wall_ms());
}

/* The entry of this name, else one that is free, else NULL. `*now`: what stands there under that name. */
static struct entry *find(struct xmpp_ledger *l, const uint64_t id[2], struct half *now)
{
    struct entry *bucket = l->entry + id[0] % (l->n_entries / BUCKET) * BUCKET, *free_one = NULL;
    *now = (struct half){.id = {id[0], id[1]}};
    for (struct entry *e = bucket; e < bucket + BUCKET; e++) {
        const struct half *h = current(e);
        if (is_over(h)) {
            free_one = free_one ? free_one : e;
        } else if (h->id[0] == id[0] && h->id[1] == id[1]) {
            *now = *h;
            return e;
        }
    }
    return free_one;
}

/* --- from outside --- */

static void enter(struct xmpp_ledger *l, struct span sm_id, uint64_t id[2])
{
    xmpp_token_mac(l->key, sm_id, id);
    pthread_mutex_lock(&l->lock);
    if (l->fd >= 0)
        while (flock(l->fd, LOCK_EX) < 0 && errno == EINTR)
            continue;
}

static void leave(struct xmpp_ledger *l)
{
    if (l->fd >= 0)
        flock(l->fd, LOCK_UN);
    pthread_mutex_unlock(&l->lock);
}

void xmpp_ledger_read(struct xmpp_ledger *l, struct span sm_id, struct xmpp_tally *out)
{
    uint64_t id[2];
    struct half now;
    enter(l, sm_id, id);
    find(l, id, &now);
    *out = now.tally;
    leave(l);
}

void xmpp_ledger_claim(struct xmpp_ledger *l, struct span sm_id, uint64_t owner, struct xmpp_tally *out)
{
    uint64_t id[2];
    struct half now;
    enter(l, sm_id, id);
    struct entry *e = find(l, id, &now);
    now.owner = owner;
    now.until_ms = 0;
    if (e)
        put(e, &now);
    *out = now.tally;
    leave(l);
}

bool xmpp_ledger_write(struct xmpp_ledger *l, struct span sm_id, uint64_t owner, const struct xmpp_tally *t)
{
    uint64_t id[2];
    struct half now;
    enter(l, sm_id, id);
    struct entry *e = find(l, id, &now);
    bool ok = e && (!now.owner || now.owner == owner);
    if (ok) {
        now.owner = owner;
        now.until_ms = 0;
        now.tally = *t;
        put(e, &now);
    }
    leave(l);
    return ok;
}

void xmpp_ledger_leave(struct xmpp_ledger *l, struct span sm_id, uint64_t owner, int64_t keep_ms)
{
    uint64_t id[2];
    struct half now;
    enter(l, sm_id, id);
    struct entry *e = find(l, id, &now);
    if (e && now.owner == owner) { /* an entry that was never made has none */
        now.until_ms = clock_wall_ms() + keep_ms;
        put(e, &now);
    }
    leave(l);
}

const char *xmpp_ledger_name(const struct xmpp_ledger *l)
{
    return l->name;
}

/* --- the file --- */

static size_t entries_for(size_t n_sessions)
{
    size_t n = ENTRIES_MIN;
    while (n < n_sessions + n_sessions / 2 && n < ENTRIES_MAX)
        n *= 2;
    return n;
}

static void begin_file(struct xmpp_ledger *l)
{
    const size_t n_entries = l->n_entries;
    char hex[33];
    rand_hex32(hex);
    memset(l->head, 0, HEAD_BYTES);
    for (size_t i = 0; i < n_entries; i++) /* a new file's pages stay untouched */
        if (current(&l->entry[i]))
            memset(&l->entry[i], 0, sizeof(l->entry[i]));
    memcpy(l->head->name, hex, XMPP_LEDGER_NAME);
    l->head->n_entries = n_entries;
    memcpy(l->head->magic, magic, sizeof(magic));
    memcpy(l->name, l->head->name, sizeof(l->name));
}

/* What a process left behind that did not end its sessions. One that still runs writes its entries anew. */
static void adopt_entries(struct xmpp_ledger *l)
{
    memcpy(l->name, l->head->name, sizeof(l->name));
    for (size_t i = 0; i < l->n_entries; i++) {
        struct half *h = current(&l->entry[i]);
        if (!h || h->until_ms)
            continue;
        struct half kept = *h;
        kept.until_ms = clock_wall_ms() + LEFT_BEHIND_MS;
        put(&l->entry[i], &kept);
    }
}

static int map(struct xmpp_ledger *l, size_t bytes)
{
    int flags = l->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, l->fd, 0);
    if (p == MAP_FAILED)
        return -1;
    l->bytes = bytes;
    l->head = p;
    l->entry = (struct entry *)(void *)((char *)p + HEAD_BYTES);
    l->n_entries = (bytes - HEAD_BYTES) / sizeof(struct entry) / BUCKET * BUCKET;
    return 0;
}

static bool is_usable(const struct xmpp_ledger *l, size_t n_wanted)
{
    const struct head *h = l->head;
    return memcmp(h->magic, magic, sizeof(magic)) == 0 && h->n_entries >= n_wanted && h->n_entries == l->n_entries &&
           h->name[XMPP_LEDGER_NAME] == '\0';
}

/* Under the file's lock. A file of another shape gives way to a new one: who resumes then begins anew, once. */
static int open_file(struct xmpp_ledger *l, const char *path, size_t n_entries, struct err *e)
{
    size_t bytes = HEAD_BYTES + n_entries * sizeof(struct entry);
    struct stat st;
    if (fstat(l->fd, &st) < 0)
        return err_sys(e, "%s", path);
    bool is_new = (size_t)st.st_size < bytes;
    bytes = is_new ? bytes : (size_t)st.st_size;
    int rc = posix_fallocate(l->fd, 0, (off_t)bytes); /* writing to a mapped hole of a full disk is SIGBUS */
    if (rc) {
        errno = rc;
        return err_sys(e, "%s: cannot reserve %zu bytes", path, bytes);
    }
    if (map(l, bytes) < 0)
        return err_sys(e, "%s: mmap of %zu bytes", path, bytes);
    if (is_new || !is_usable(l, n_entries))
        begin_file(l);
    else
        adopt_entries(l);
    return 0;
}

struct xmpp_ledger *xmpp_ledger_open(const char *folder, size_t n_sessions, const uint8_t key[XMPP_KEY_BYTES],
                                     struct err *e)
{
    struct xmpp_ledger *l = xcalloc(1, sizeof(*l));
    size_t n_entries = entries_for(n_sessions);
    char *path = xasprintf("%s/xmpp.sm", folder);
    *e = (struct err){{0}};
    pthread_mutex_init(&l->lock, NULL);
    memcpy(l->key, key, sizeof(l->key));
    l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->fd < 0) {
        err_sys(e, "%s", path);
    } else {
        while (flock(l->fd, LOCK_EX) < 0 && errno == EINTR)
            continue;
        int rc = open_file(l, path, n_entries, e);
        flock(l->fd, LOCK_UN);
        if (rc < 0) {
            close(l->fd);
            l->fd = -1;
        }
    }
    free(path);
    if (l->fd < 0) {
        if (map(l, HEAD_BYTES + n_entries * sizeof(struct entry)) < 0)
            abort(); /* as everywhere when there is no memory */
        begin_file(l);
    }
    return l;
}

void xmpp_ledger_free(struct xmpp_ledger **lp)
{
    struct xmpp_ledger *l = *lp;
    if (!l)
        return;
    munmap(l->head, l->bytes);
    if (l->fd >= 0)
        close(l->fd);
    pthread_mutex_destroy(&l->lock);
    free(l);
    *lp = NULL;
}
