/* A ring's file with any damage: it is refused or repaired, a second opening finds nothing more to repair, and what can
 * be read lies inside the mapping. Input: a flag byte (bit 0: the head's checksum is made right again; the rest: how
 * many events), then patches: offset / 8 (two bytes), length (one byte), that many bytes. */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "track/crc.h"
#include "track/ring_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = P_tmpdir "/cg-fuzz-XXXXXX";
static char path[sizeof(dir) + 16];
static uint8_t image[RING_SIZE_MIN];
static uint8_t *ready[128]; /* by number of events: made once */

static void empty_dir(void)
{
    DIR *d = opendir(dir);
    for (struct dirent *f; d && (f = readdir(d));)
        unlinkat(dirfd(d), f->d_name, 0);
    if (d)
        closedir(d);
}

static void at_end(void)
{
    empty_dir();
    rmdir(dir);
    for (size_t i = 0; i < ARRAY_LEN(ready); i++)
        free(ready[i]);
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void begin(void)
{
    must(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.ring", dir);
    log_set_level(LOG_ERROR);
    must(freopen("/dev/null", "we", stderr));
    atexit(at_end);
}

/* Events over and over, so that the space has wrapped and its tail is somewhere in the middle. */
static void make_image(unsigned events)
{
    if (ready[events]) {
        memcpy(image, ready[events], sizeof(image));
        return;
    }
    struct err e;
    struct ring *r = ring_open(dir, 0, sizeof(image), 4, 0, &e);
    must(r);
    static const char words[EVENT_WORDS_MAX];
    for (unsigned i = 0; i < events * 20; i++) {
        struct track_event ev = {.kind = EV_INCOMING, .count = i + 1, .words = span_of(words, i * 37 % sizeof(words))};
        if (ring_head(r) - ring_tail(r) > sizeof(image) / 4 * 3) {
            uint64_t pos = ring_tail(r), next;
            struct ring_record rec;
            must(ring_read(r, &pos, &rec, &next));
            ring_set_confirmed(r, next);
            ring_release(r, next);
        }
        must(ring_append(r, &ev) == 0);
    }
    int fd = open(ring_path(r), O_RDONLY | O_CLOEXEC);
    must(read(fd, image, sizeof(image)) > 0);
    close(fd);
    ring_close(&r, false);
    empty_dir();
    memcpy(ready[events] = xmalloc(sizeof(image)), image, sizeof(image));
}

static void apply_patches(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 3 <= size;) {
        size_t at = (size_t)(data[i] << 8 | data[i + 1]) * 8 % sizeof(image), n = data[i + 2];
        n = MIN_OF(MIN_OF(n, size - i - 3), sizeof(image) - at);
        memcpy(image + at, data + i + 3, n);
        i += 3 + data[i + 2];
    }
}

static void fix_head(void)
{
    struct ring_fixed f;
    memcpy(&f, image, sizeof(f));
    memcpy(f.magic, RING_MAGIC, sizeof(f.magic));
    f.crc = crc_update(0, span_of(&f, offsetof(struct ring_fixed, crc)));
    memcpy(image, &f, sizeof(f));
}

static size_t read_all(const struct ring *r)
{
    struct ring_record rec;
    uint64_t pos = ring_tail(r), next;
    size_t n = 0;
    for (; ring_read(r, &pos, &rec, &next); pos = next, n++) {
        must(next > pos && next <= ring_head(r) && rec.shard < ring_shards(r) && rec.payload.n <= EVENT_ENCODED_MAX);
        must(rec.payload.p >= r->space && rec.payload.p + rec.payload.n <= r->space + r->capacity);
        uint32_t sum = crc_update(0, rec.payload); /* touches every byte */
        __asm__ volatile("" ::"r"(sum));
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!path[0])
        begin();
    if (size < 1)
        return 0;
    empty_dir();
    make_image(data[0] >> 1);
    apply_patches(data + 1, size - 1);
    if (data[0] & 1)
        fix_head();
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(write(fd, image, sizeof(image)) == (ssize_t)sizeof(image));
    close(fd);
    struct err e;
    struct ring *r = ring_adopt(path, 0, &e);
    if (!r)
        return 0;
    size_t n = read_all(r);
    ring_close(&r, false);
    r = ring_adopt(path, 0, &e);
    must(r && ring_damaged_bytes(r) == 0 && read_all(r) == n);
    struct track_event ev = {.kind = EV_GAP};
    if (ring_append(r, &ev) == 0)
        must(read_all(r) >= n + 1);
    ring_close(&r, false);
    return 0;
}
