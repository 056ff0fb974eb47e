/* The ledger of stream management: over a reopening, a killed process, two processes, a full file, a damaged one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/xmpp_ledger.h"

static const uint8_t key[XMPP_KEY_BYTES] = "the key of a node in the test 12";

struct rig {
    char folder[64], path[80];
};

static int set_up(void **state)
{
    static struct rig r;
    snprintf(r.folder, sizeof(r.folder), "/tmp/cg-ledger-XXXXXX");
    assert_non_null(mkdtemp(r.folder));
    snprintf(r.path, sizeof(r.path), "%s/xmpp.sm", r.folder);
    *state = &r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    unlink(r->path);
    return rmdir(r->folder);
}

static struct xmpp_ledger *open_it(struct rig *r, size_t n)
{
    struct err e;
    struct xmpp_ledger *l = xmpp_ledger_open(r->folder, n, key, &e);
    assert_string_equal(e.text, "");
    return l;
}

static struct xmpp_tally counts(uint32_t below, uint32_t at)
{
    struct xmpp_counts c = {.below = below, .acked = at - 1, .n = 1, .at = {at}};
    return (struct xmpp_tally){.in = c, .out = {.below = at}};
}

static void check(struct xmpp_ledger *l, const char *id, uint32_t below, uint32_t at)
{
    struct xmpp_tally got, want = counts(below, at);
    xmpp_ledger_read(l, span_str(id), &got);
    if (!at)
        want = (struct xmpp_tally){0};
    assert_memory_equal(&got, &want, sizeof(got));
}

static bool write_it(struct xmpp_ledger *l, const char *id, uint64_t owner, uint32_t below, uint32_t at)
{
    struct xmpp_tally c = counts(below, at);
    return xmpp_ledger_write(l, span_str(id), owner, &c);
}

static void test_reopening(void **state)
{
    struct xmpp_ledger *l = open_it(*state, 10);
    char name[XMPP_LEDGER_NAME + 1];
    memcpy(name, xmpp_ledger_name(l), sizeof(name));
    check(l, "a", 0, 0);
    assert_true(write_it(l, "a", 1, 3, 5));
    assert_true(write_it(l, "a", 1, 4, 9));
    assert_true(write_it(l, "b", 2, 0, 7));
    xmpp_ledger_free(&l);
    l = open_it(*state, 10);
    assert_string_equal(xmpp_ledger_name(l), name);
    check(l, "a", 4, 9);
    check(l, "b", 0, 7);
    check(l, "c", 0, 0);
    xmpp_ledger_free(&l);
    l = open_it(*state, 5000); /* a larger one begins anew, under another name */
    assert_string_not_equal(xmpp_ledger_name(l), name);
    check(l, "a", 0, 0);
    xmpp_ledger_free(&l);
}

static void test_owners(void **state)
{
    struct xmpp_ledger *l = open_it(*state, 10);
    struct xmpp_tally got;
    assert_true(write_it(l, "a", 1, 0, 5));
    xmpp_ledger_claim(l, span_str("a"), 2, &got);
    assert_int_equal(got.in.at[0], 5);
    assert_false(write_it(l, "a", 1, 0, 6)); /* left behind by its client */
    xmpp_ledger_leave(l, span_str("a"), 1, 0);
    check(l, "a", 0, 5);
    assert_true(write_it(l, "a", 2, 0, 7));
    xmpp_ledger_leave(l, span_str("a"), 2, 60000);
    check(l, "a", 0, 7);
    xmpp_ledger_claim(l, span_str("a"), 3, &got);
    xmpp_ledger_leave(l, span_str("a"), 3, 0);
    check(l, "a", 0, 0);
    xmpp_ledger_claim(l, span_str("never seen"), 4, &got);
    assert_int_equal(got.in.n + got.in.below, 0);
    assert_false(write_it(l, "never seen", 5, 0, 1));
    xmpp_ledger_free(&l);
}

static void test_full(void **state)
{
    struct xmpp_ledger *l = open_it(*state, 10);
    char id[20];
    int n = 0, refused = 0;
    for (int i = 0; i < 4000; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        if (write_it(l, id, 1, 1, (uint32_t)i + 1))
            n++;
        else
            refused++;
    }
    assert_true(n > 900 && n <= 1024 && refused == 4000 - n);
    int found = 0;
    for (int i = 0; i < 4000; i++) { /* those that found room are whole */
        struct xmpp_tally got;
        snprintf(id, sizeof(id), "s%d", i);
        xmpp_ledger_read(l, span_str(id), &got);
        found += got.in.n == 1 && got.in.at[0] == (uint32_t)i + 1;
    }
    assert_int_equal(found, n);
    xmpp_ledger_free(&l);
}

/* A child writes rising numbers until it is killed: what stands then is whole, and not older than what it had told. */
static void test_killed(void **state)
{
    struct rig *r = *state;
    for (int round = 0; round < 20; round++) {
        int told[2];
        assert_int_equal(pipe(told), 0);
        pid_t pid = fork();
        if (pid == 0) {
            struct err e;
            struct xmpp_ledger *l = xmpp_ledger_open(r->folder, 10, key, &e);
            for (uint32_t i = 1;; i++)
                if (!write_it(l, "a", (uint64_t)round + 1, i, i + 1) || write(told[1], &i, sizeof(i)) != sizeof(i))
                    _exit(1);
        }
        close(told[1]);
        uint32_t last = 0, i;
        for (int k = 0; k < 200 + round; k++)
            assert_int_equal(read(told[0], &last, sizeof(last)), sizeof(last));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while (read(told[0], &i, sizeof(i)) == sizeof(i))
            last = i;
        close(told[0]);
        struct xmpp_ledger *l = open_it(r, 10);
        struct xmpp_tally got;
        xmpp_ledger_claim(l, span_str("a"), (uint64_t)round + 2, &got);
        assert_true(got.in.below >= last && got.in.below <= last + 1 && got.in.at[0] == got.in.below + 1);
        xmpp_ledger_free(&l);
    }
}

/* Damage of one half leaves what stood before; of a whole file, a new one. */
static void test_damaged(void **state)
{
    struct rig *r = *state;
    struct xmpp_ledger *l = open_it(r, 10);
    assert_true(write_it(l, "a", 1, 1, 2));
    assert_true(write_it(l, "a", 1, 2, 3));
    xmpp_ledger_free(&l);
    int fd = open(r->path, O_RDWR);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    uint32_t number = 3, found;
    for (off_t at = 0; at + 4 <= st.st_size; at += 4) { /* the notice's number in the second half */
        assert_int_equal(pread(fd, &found, 4, at), 4);
        if (found == number && pwrite(fd, "####", 4, at) != 4)
            fail();
    }
    l = open_it(r, 10);
    check(l, "a", 1, 2);
    xmpp_ledger_free(&l);
    assert_int_equal(pwrite(fd, "not what it was", 15, 0), 15);
    l = open_it(r, 10);
    check(l, "a", 0, 0);
    assert_int_equal(strlen(xmpp_ledger_name(l)), XMPP_LEDGER_NAME);
    xmpp_ledger_free(&l);
    assert_int_equal(ftruncate(fd, 100), 0);
    l = open_it(r, 10);
    assert_true(write_it(l, "a", 1, 1, 2));
    xmpp_ledger_free(&l);
    close(fd);
}

static void test_no_folder(void **state)
{
    (void)state;
    struct err e;
    struct xmpp_ledger *l = xmpp_ledger_open("/nowhere/at/all", 10, key, &e);
    assert_non_null(strstr(e.text, "/nowhere/at/all/xmpp.sm"));
    assert_true(write_it(l, "a", 1, 1, 2));
    check(l, "a", 1, 2);
    xmpp_ledger_free(&l);
}

static void *hammer(void *arg)
{
    struct xmpp_ledger *l = arg;
    char id[24];
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "%lx-%d", (unsigned long)pthread_self() % 1000003, i % 20);
        if (!write_it(l, id, 1, 1, (uint32_t)i + 1))
            return arg;
        check(l, id, 1, (uint32_t)i + 1);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct xmpp_ledger *l = open_it(*state, 10);
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hammer, l), 0);
    for (int i = 0; i < 4; i++) {
        void *bad;
        assert_int_equal(pthread_join(thread[i], &bad), 0);
        assert_null(bad);
    }
    xmpp_ledger_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reopening, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owners, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
