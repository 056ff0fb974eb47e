/* The ring: what was appended and not released is there again after any kill, truncation or damage, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "track/crc.h"
#include "track/ring_layout.h"

enum { SHARDS = 4, FILE_BYTES = RING_SIZE_MIN };

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), P_tmpdir "/cg-ring-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    DIR *d = opendir(dir);
    for (struct dirent *f; d && (f = readdir(d));)
        unlinkat(dirfd(d), f->d_name, 0);
    closedir(d);
    return rmdir(dir);
}

static unsigned count_files(const char *suffix)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *f; (f = readdir(d));) {
        size_t len = strlen(f->d_name), s = strlen(suffix);
        n += len >= s && strcmp(f->d_name + len - s, suffix) == 0;
    }
    closedir(d);
    return n;
}

static struct ring *open_ring(void)
{
    struct err e = {0};
    struct ring *r = ring_open(dir, 0, FILE_BYTES, SHARDS, 0, &e);
    if (!r)
        fail_msg("%s", e.text);
    return r;
}

/* An event that can be told from its payload: `count` is its number. */
static struct track_event numbered(uint64_t number, char customer[32], size_t words)
{
    static const char text[EVENT_WORDS_MAX];
    snprintf(customer, 32, "c%llu", (unsigned long long)(number * 7919 % 101));
    return (struct track_event){.kind = EV_INCOMING,
                                .at_ms = 1,
                                .customer = span_str(customer),
                                .words = span_of(text, words),
                                .count = number};
}

static int append_numbered(struct ring *r, uint64_t number, size_t words)
{
    char customer[32];
    struct track_event ev = numbered(number, customer, words);
    return ring_append(r, &ev);
}

/* ---- a model of the ring, and comparing with it ---- */

enum { MODEL_MAX = 4096 };

struct model {
    uint64_t pos[MODEL_MAX], end[MODEL_MAX], number[MODEL_MAX], seq[MODEL_MAX];
    unsigned shard[MODEL_MAX];
    size_t first, n; /* kept ones: first … n - 1 */
    uint64_t next_seq[SHARDS];
};

static void expect_record(const struct ring_record *rec, const struct model *m, size_t i)
{
    char customer[32];
    /* the words' length is not in the model: compare all but them by re-encoding with the length found */
    uint8_t out[EVENT_ENCODED_MAX];
    struct track_event bare = numbered(m->number[i], customer, 0);
    size_t bare_n = event_encode(&bare, out);
    assert_int_equal(rec->shard, m->shard[i]);
    assert_int_equal(rec->seq, m->seq[i]);
    assert_true(rec->payload.n >= bare_n);
    size_t tail = 6; /* "count" with its length byte is followed by the number: the end of both is the same */
    assert_memory_equal(rec->payload.p + rec->payload.n - tail, out + bare_n - tail, tail);
}

/* All kept records of the model but those that `is_lost` names, in order. */
static void expect_ring(const struct ring *r, const struct model *m, const bool *is_lost)
{
    uint64_t pos = ring_tail(r), next;
    struct ring_record rec;
    for (size_t i = m->first; i < m->n; i++) {
        if (is_lost && is_lost[i])
            continue;
        assert_true(ring_read(r, &pos, &rec, &next));
        assert_int_equal(pos, m->pos[i]);
        expect_record(&rec, m, i);
        pos = next;
    }
    assert_false(ring_read(r, &pos, &rec, &next));
}

static void model_append(struct model *m, struct ring *r, uint64_t number, size_t words)
{
    if (m->n == MODEL_MAX) {
        size_t kept = m->n - m->first;
#define SHIFT(a) memmove(m->a, m->a + m->first, kept * sizeof(m->a[0]))
        SHIFT(pos), SHIFT(end), SHIFT(number), SHIFT(seq), SHIFT(shard);
        m->first = 0, m->n = kept;
        assert_true(kept < MODEL_MAX);
    }
    uint64_t before = ring_head(r);
    assert_int_equal(append_numbered(r, number, words), 0);
    struct ring_record rec;
    uint64_t pos = before, next;
    assert_true(ring_read(r, &pos, &rec, &next));
    size_t i = m->n++;
    m->pos[i] = pos, m->end[i] = next, m->number[i] = number, m->shard[i] = rec.shard;
    m->seq[i] = ++m->next_seq[rec.shard];
    assert_int_equal(rec.seq, m->seq[i]);
}

static void model_release(struct model *m, struct ring *r, uint64_t how_many)
{
    while (m->first < m->n && how_many--)
        m->first++;
    uint64_t to = m->first < m->n ? m->pos[m->first] : ring_head(r);
    ring_set_confirmed(r, to);
    ring_release(r, to);
}

static bool has_room(const struct ring *r)
{
    return ring_head(r) - ring_tail(r) + 2 * record_size(EVENT_ENCODED_MAX) < ring_capacity_bytes(r);
}

static void random_step(struct model *m, struct ring *r, uint64_t *number)
{
    uint64_t x = rand_u64();
    if (x % 3 && has_room(r))
        model_append(m, r, ++*number, (x >> 8) % 4 ? (x >> 16) % 60 : (x >> 16) % EVENT_WORDS_MAX);
    else
        model_release(m, r, (x >> 8) % 4);
    if (x >> 56 == 0)
        model_release(m, r, MODEL_MAX);
}

/* ---- images of the file, as a kill leaves them ---- */

static size_t read_image(const struct ring *r, uint8_t *image)
{
    int fd = open(ring_path(r), O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, image, FILE_BYTES);
    close(fd);
    assert_true(n > 0);
    return (size_t)n;
}

static struct ring *adopt_image(const uint8_t *image, size_t n)
{
    char path[100];
    snprintf(path, sizeof(path), "%s/image.ring", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, image, n), n);
    close(fd);
    struct err e = {0};
    struct ring *r = ring_adopt(path, 0, &e);
    if (!r && e.text[0])
        fail_msg("%s", e.text);
    return r;
}

static void discard(struct ring **r)
{
    unlink(ring_path(*r));
    ring_close(r, false);
}

static size_t offset_of(const struct ring *r, uint64_t pos)
{
    return (size_t)(r->space - r->map) + pos % r->capacity;
}

static void check_whole(const struct model *m, const uint8_t *image, size_t n)
{
    struct ring *again = adopt_image(image, n);
    expect_ring(again, m, NULL);
    for (unsigned s = 0; s < SHARDS; s++)
        assert_int_equal(ring_newest_seq(again, s), m->next_seq[s]);
    discard(&again);
}

static void check_truncated(const struct model *m, const struct ring *r, const uint8_t *image, size_t n)
{
    static bool lost[MODEL_MAX];
    size_t space_at = (size_t)(r->space - r->map);
    size_t cut = space_at + rand_u64() % (n - space_at);
    for (size_t i = m->first; i < m->n; i++)
        lost[i] = offset_of(r, m->pos[i]) + (m->end[i] - m->pos[i]) > cut;
    /* a record whose lost bytes were all zero is whole */
    for (size_t i = m->first; i < m->n; i++) {
        size_t end = offset_of(r, m->pos[i]) + (m->end[i] - m->pos[i]), k = MAX_OF(cut, offset_of(r, m->pos[i]));
        while (lost[i] && k < end && image[k] == 0)
            k++;
        lost[i] = lost[i] && k < end;
    }
    struct ring *again = adopt_image(image, cut);
    expect_ring(again, m, lost);
    discard(&again);
}

static void check_damaged(const struct model *m, const struct ring *r, uint8_t *image, size_t n)
{
    static bool lost[MODEL_MAX];
    if (m->first == m->n)
        return;
    size_t hit = m->first + rand_u64() % (m->n - m->first);
    for (size_t i = m->first; i < m->n; i++)
        lost[i] = i == hit;
    size_t at = offset_of(r, m->pos[hit]) + rand_u64() % (m->end[hit] - m->pos[hit]);
    uint8_t was = image[at];
    image[at] ^= (uint8_t)(1u << rand_u64() % 8);
    struct ring *again = adopt_image(image, n);
    expect_ring(again, m, lost);
    assert_true(ring_damaged_bytes(again) >= m->end[hit] - m->pos[hit]);
    /* the number is not given twice: its hole stays visible */
    for (unsigned s = 0; s < SHARDS; s++)
        assert_int_equal(ring_newest_seq(again, s), m->next_seq[s]);
    discard(&again);
    image[at] = was;
}

static void any_image_gives_exactly_the_kept_records(void **state)
{
    (void)state;
    static struct model m;
    static uint8_t image[FILE_BYTES];
    struct ring *r = open_ring();
    uint64_t number = 0;
    m = (struct model){0};
    for (int i = 0; i < 20000; i++) {
        random_step(&m, r, &number);
        if (i % 50)
            continue;
        expect_ring(r, &m, NULL);
        size_t n = read_image(r, image);
        check_whole(&m, image, n);
        check_truncated(&m, r, image, n);
        check_damaged(&m, r, image, n);
    }
    assert_true(ring_head(r) > 20 * ring_capacity_bytes(r)); /* it did wrap, often */
    ring_close(&r, false);
    r = open_ring();
    expect_ring(r, &m, NULL);
    ring_close(&r, false);
}

static void a_full_ring_counts_and_owes_a_gap(void **state)
{
    (void)state;
    struct ring *r = open_ring();
    uint64_t n = 0;
    while (append_numbered(r, ++n, 100) == 0)
        ;
    for (int i = 0; i < 9; i++)
        assert_int_equal(append_numbered(r, ++n, 100), -1);
    assert_int_equal(ring_lost(r), 10);
    assert_true(ring_unsent_bytes(r) + record_size(EVENT_ENCODED_MAX) > ring_capacity_bytes(r));
    ring_close(&r, true); /* not empty: stays */
    r = open_ring();
    assert_int_equal(ring_lost(r), 10);
    uint64_t end = ring_head(r);
    ring_set_confirmed(r, end);
    ring_release(r, end);
    assert_int_equal(append_numbered(r, 77, 0), 0);
    struct ring_record rec;
    uint64_t pos = end, next;
    assert_true(ring_read(r, &pos, &rec, &next));
    uint8_t want[EVENT_ENCODED_MAX];
    struct track_event gap = {.kind = EV_GAP, .at_ms = rec.at_ms, .count = 10};
    assert_int_equal(rec.payload.n, event_encode(&gap, want));
    assert_int_equal(ring_gaps(r), 1);
    assert_int_equal(rec.shard, event_shard(span_str(""), SHARDS));
    assert_true(ring_read(r, (pos = next, &pos), &rec, &next));
    assert_int_equal(rec.payload.p[rec.payload.n - 1], 77);
    assert_false(ring_read(r, (pos = next, &pos), &rec, &next));
    ring_close(&r, false);
}

static void files_are_private_locked_and_set_aside(void **state)
{
    (void)state;
    struct err e = {0};
    struct ring *a = open_ring(), *b = open_ring();
    struct stat st;
    assert_int_equal(stat(ring_path(a), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true((size_t)st.st_blocks * 512 >= FILE_BYTES); /* no holes: a full disk cannot be SIGBUS */
    assert_non_null(strstr(ring_path(a), "/worker-0.ring"));
    assert_non_null(strstr(ring_path(b), "/worker-0+1.ring"));
    assert_null(ring_adopt(ring_path(b), 0, &e));
    assert_string_equal(e.text, "");
    ring_close(&b, true);
    assert_int_equal(append_numbered(a, 1, 0), 0);
    ring_close(&a, true);
    assert_int_equal(count_files(".ring"), 1);

    /* another shard count: the old file waits beside the new one, whole */
    struct ring *c = ring_open(dir, 0, FILE_BYTES, SHARDS + 1, 0, &e);
    assert_non_null(c);
    assert_int_equal(ring_head(c), 0);
    assert_int_equal(count_files(".ring"), 2);
    ring_close(&c, true);
    assert_int_equal(count_files(".ring"), 1);
    assert_null(ring_open(dir, 0, 100, SHARDS, 0, &e));
    assert_non_null(strstr(e.text, "at least"));
}

static void a_damaged_head_is_kept_for_a_person(void **state)
{
    (void)state;
    struct ring *r = open_ring();
    assert_int_equal(append_numbered(r, 1, 0), 0);
    char *path = xstrdup(ring_path(r));
    ring_close(&r, false);
    for (size_t at = 0; at < 40; at += 9) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
        close(fd);
        unsigned bad = count_files(".bad");
        r = open_ring();
        assert_int_equal(ring_head(r), 0);
        assert_int_equal(count_files(".bad"), bad + 1);
        ring_close(&r, false);
    }
    free(path);
}

static void copy_file(const char *from, const char *to)
{
    static uint8_t bytes[FILE_BYTES];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ssize_t n = read(in, bytes, sizeof(bytes));
    assert_int_equal(write(out, bytes, (size_t)n), n);
    close(in);
    close(out);
}

/* Original and copy may both live on: they must not count under one name. */
static void a_copy_takes_an_id_of_its_own(void **state)
{
    (void)state;
    char path[100];
    snprintf(path, sizeof(path), "%s/copy.ring", dir);
    struct ring *r = open_ring();
    for (uint64_t i = 1; i <= 40; i++)
        assert_int_equal(append_numbered(r, i, 0), 0);
    uint64_t pos = ring_tail(r), next, first_left[SHARDS] = {0};
    struct ring_record rec;
    for (int i = 0; i < 30; i++, pos = next)
        assert_true(ring_read(r, &pos, &rec, &next));
    ring_set_confirmed(r, pos);
    copy_file(ring_path(r), path);
    for (; ring_read(r, &pos, &rec, &next); pos = next)
        if (!first_left[rec.shard])
            first_left[rec.shard] = rec.seq;
    struct err e;
    struct ring *copy = ring_adopt(path, 0, &e);
    assert_non_null(copy);
    assert_string_not_equal(ring_id(copy), ring_id(r));
    for (unsigned s = 0; s < SHARDS; s++)
        assert_int_equal(ring_base(copy, s), first_left[s] ? first_left[s] - 1 : ring_newest_seq(r, s));
    char id[RING_ID_LEN + 1];
    memcpy(id, ring_id(copy), sizeof(id));
    ring_close(&copy, false);
    copy = ring_adopt(path, 0, &e);
    assert_string_equal(ring_id(copy), id);
    ring_close(&copy, false);
    ring_close(&r, false);
}

/* As on a full disk: the space is not there at the start, and that is when it is said. */
static void no_space_is_an_error_at_the_start(void **state)
{
    (void)state;
    struct rlimit old, small = {.rlim_cur = 16384};
    struct err e;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct ring *r = ring_open(dir, 0, FILE_BYTES, SHARDS, 0, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_null(r);
    assert_non_null(strstr(e.text, "worker-0.ring: cannot reserve"));
    assert_int_equal(count_files(".ring"), 0);
}

static void a_new_identity_survives(void **state)
{
    (void)state;
    struct ring *r = open_ring();
    char first[RING_ID_LEN + 1], second[RING_ID_LEN + 1];
    memcpy(first, ring_id(r), sizeof(first));
    uint64_t base[SHARDS] = {1, 22, 333, 4444};
    ring_rename(r, base);
    memcpy(second, ring_id(r), sizeof(second));
    assert_string_not_equal(first, second);
    assert_int_equal(append_numbered(r, 1, 0), 0);
    ring_close(&r, false);
    r = open_ring();
    assert_string_equal(ring_id(r), second);
    for (unsigned s = 0; s < SHARDS; s++)
        assert_int_equal(ring_base(r, s), base[s]);
    ring_close(&r, false);
}

/* A child appends and tells each number after ring_append returned; killed at any moment, every number told is there.
 */
static void kill_9_of_the_writer(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        int told[2];
        assert_int_equal(pipe(told), 0);
        pid_t pid = fork();
        if (pid == 0) {
            struct err e;
            struct ring *r = ring_open(dir, 0, FILE_BYTES, SHARDS, 0, &e);
            for (uint64_t i = 1; r; i++) {
                if (!has_room(r)) {
                    ring_set_confirmed(r, ring_head(r));
                    ring_release(r, ring_head(r));
                }
                if (append_numbered(r, i, i % 300) < 0 || write(told[1], &i, sizeof(i)) != sizeof(i))
                    _exit(1);
            }
            _exit(2);
        }
        close(told[1]);
        uint64_t last = 0, got = 0, limit = 50 + rand_u64() % 400;
        while (last < limit && read(told[0], &got, sizeof(got)) == sizeof(got))
            last = got;
        kill(pid, SIGKILL);
        while (read(told[0], &got, sizeof(got)) == sizeof(got))
            last = got;
        close(told[0]);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));

        struct ring *r = open_ring(); /* the dead owner's lock is gone */
        assert_int_equal(ring_damaged_bytes(r), 0);
        struct ring_record rec;
        uint64_t pos = ring_tail(r), next, newest[SHARDS] = {0}, number = 0, records = 0;
        for (; ring_read(r, &pos, &rec, &next); pos = next, records++) {
            assert_true(newest[rec.shard] == 0 || rec.seq == newest[rec.shard] + 1);
            newest[rec.shard] = rec.seq;
            const uint8_t *end = rec.payload.p + rec.payload.n; /* count: one byte below 128, else 0xce and four */
            uint64_t n = end[-5] == 0xce ? ((uint64_t)end[-4] << 24 | end[-3] << 16 | end[-2] << 8 | end[-1]) : end[-1];
            assert_true(number == 0 || n == number + 1);
            number = n;
        }
        assert_true(records == 0 || number >= last);
        assert_true(records > 0 || ring_tail(r) == ring_head(r));
        unlink(ring_path(r));
        ring_close(&r, false);
    }
}

enum { THREAD_EVENTS = 100000 };

static void *write_many(void *arg)
{
    for (uint64_t i = 1; i <= THREAD_EVENTS;)
        if (append_numbered(arg, i, i % 90) == 0)
            i++;
        else
            usleep(100); /* full: the reader needs the processor */
    return NULL;
}

static void writer_and_reader_in_two_threads(void **state)
{
    (void)state;
    struct ring *r = open_ring();
    pthread_t writer;
    pthread_create(&writer, NULL, write_many, r);
    uint64_t pos = 0, next, newest[SHARDS] = {0}, events = 0;
    struct ring_record rec;
    while (events < THREAD_EVENTS) {
        if (!ring_read(r, &pos, &rec, &next)) {
            usleep(50);
            continue;
        }
        assert_int_equal(rec.seq, ++newest[rec.shard]);
        static const uint8_t in[] = {0xde, 0, 0, 0xa1, 'k', 0xa2, 'i', 'n'};
        events += rec.payload.n > sizeof(in) && memcmp(rec.payload.p + 3, in + 3, sizeof(in) - 3) == 0;
        pos = next;
        ring_set_confirmed(r, pos);
        ring_release(r, pos);
    }
    pthread_join(writer, NULL);
    assert_int_equal(events, THREAD_EVENTS);
    assert_int_equal(ring_unsent_bytes(r), 0);
    ring_close(&r, true);
    assert_int_equal(count_files(".ring"), 0);
}

static void crc_is_the_same_with_and_without_the_instruction(void **state)
{
    (void)state;
    uint8_t data[100];
    rand_bytes(data, sizeof(data));
    for (size_t n = 0; n <= sizeof(data); n++) {
        size_t half = n / 3;
        uint32_t pieces = crc_update(crc_update(0, span_of(data, half)), span_of(data + half, n - half));
        assert_int_equal(pieces, hash_crc32c(0, span_of(data, n)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_image_gives_exactly_the_kept_records, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_full_ring_counts_and_owes_a_gap, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(files_are_private_locked_and_set_aside, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_damaged_head_is_kept_for_a_person, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_copy_takes_an_id_of_its_own, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(no_space_is_an_error_at_the_start, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_new_identity_survives, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(kill_9_of_the_writer, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(writer_and_reader_in_two_threads, make_dir, remove_dir),
        cmocka_unit_test(crc_is_the_same_with_and_without_the_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
