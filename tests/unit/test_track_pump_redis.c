/* The pump against a real redis-server that is killed, stopped, flushed and made to refuse: every event once. */
#include <pthread.h>

#include "conf/directory.h"
#include "track_pump_rig.h"

static struct fixture *fx;

static int setup(void **state)
{
    (void)state;
    fx = fixture_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_free(&fx);
    return 0;
}

static void kill_and_restart(struct fixture *f)
{
    server_kill(&f->server);
    server_start(&f->server, NULL);
    if (f->trouble_at + 2000 < f->want) {
        f->trouble_at += 2000;
        f->trouble = kill_and_restart;
    }
}

static void redis_killed_again_and_again(void **state)
{
    (void)state;
    fx->want = 10000;
    fx->trouble_at = 1000;
    fx->trouble = kill_and_restart;
    run_until(fx, is_drained);
    expect_each_once(fx);
    assert_true(redis_connects(fx->redis) >= 5);
    assert_int_equal(state_of(fx).lost_gap, 0);
}

struct writer {
    struct fixture *f;
    unsigned which;
};

/* As a worker does: its own ring, its own thread; numbers of which `number modulo RINGS` tells the ring. */
static void *write_in_thread(void *arg)
{
    struct writer *w = arg;
    for (uint64_t i = w->which; i < w->f->appended;) {
        char mid[32];
        snprintf(mid, sizeof(mid), "%llu", (unsigned long long)i);
        struct track_event ev = {.kind = EV_INCOMING, .mid = span_str(mid), .customer = span_of(mid, 1)};
        if (ring_append(w->f->ring[w->which], &ev) == 0)
            i += RINGS;
        if (i % 64 == w->which)
            usleep(200);
    }
    return NULL;
}

static void writers_in_threads(void **state)
{
    (void)state;
    struct writer w[RINGS];
    pthread_t thread[RINGS];
    fx->appended = fx->want = 20000;
    for (unsigned i = 0; i < RINGS; i++) {
        w[i] = (struct writer){fx, i};
        pthread_create(&thread[i], NULL, write_in_thread, &w[i]);
    }
    fx->trouble = kill_and_restart;
    fx->trouble_at = fx->want;
    run_until(fx, is_drained);
    for (unsigned i = 0; i < RINGS; i++)
        pthread_join(thread[i], NULL);
    run_until(fx, is_drained);
    expect_each_once(fx);
}

static void flush_scripts(struct fixture *f)
{
    tell(&f->server, "SCRIPT", "FLUSH", NULL, NULL);
    if (f->trouble_at + 300 < f->want) {
        f->trouble_at += 300;
        f->trouble = flush_scripts;
    }
}

static void scripts_flushed_in_the_middle_of_pipelines(void **state)
{
    (void)state;
    fx->want = 5000;
    fx->trouble_at = 300;
    fx->trouble = flush_scripts;
    run_until(fx, is_drained);
    expect_each_once(fx);
    assert_int_equal(redis_connects(fx->redis), 1);
}

/* Frozen past the time-out: calls that the pump has given up are still executed, after it has reconnected. */
static void freeze(struct fixture *f)
{
    kill(f->server.pid, SIGSTOP);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 5; i++)
            nap_ms(900);
        kill(f->server.pid, SIGCONT);
        _exit(0);
    }
}

static void a_frozen_redis_applies_late(void **state)
{
    (void)state;
    stop_pump(fx);
    fx->timeout_ms = 1000;
    start_pump(fx);
    open_rings(fx);
    fx->want = 4000;
    fx->trouble_at = 2000;
    fx->trouble = freeze;
    run_until(fx, is_drained);
    expect_each_once(fx);
    assert_true(redis_connects(fx->redis) >= 2);
    waitpid(-1, NULL, WNOHANG);
}

static bool is_paused(struct fixture *f)
{
    return state_of(f).paused > 0;
}

static void out_of_memory(struct fixture *f)
{
    tell(&f->server, "CONFIG", "SET", "maxmemory", "1");
}

static void oom_pauses_and_goes_on(void **state)
{
    (void)state;
    fx->want = 2000;
    fx->trouble_at = 1000;
    fx->trouble = out_of_memory;
    run_until(fx, is_paused);
    assert_non_null(strstr(state_of(fx).trouble, "OOM"));
    assert_true(state_of(fx).unsent_bytes > 0);
    tell(&fx->server, "CONFIG", "SET", "maxmemory", "0");
    run_until(fx, is_drained);
    expect_each_once(fx);
}

static void become_replica(struct fixture *f)
{
    tell(&f->server, "REPLICAOF", "127.0.0.1", "1", NULL);
}

static void a_read_only_replica_pauses(void **state)
{
    (void)state;
    fx->want = 2000;
    fx->trouble_at = 1000;
    fx->trouble = become_replica;
    run_until(fx, has_reconnected); /* the address may lead to the new master: the link is made anew */
    assert_non_null(strstr(redis_last_error(fx->redis), "READONLY"));
    tell(&fx->server, "REPLICAOF", "NO", "ONE", NULL);
    run_until(fx, is_drained);
    expect_each_once(fx);
}

static bool is_in_shard_1(uint64_t number)
{
    char customer[32];
    snprintf(customer, sizeof(customer), "c%llu", (unsigned long long)(number * 7919 % 53));
    return event_shard(span_str(customer), SHARDS) == 1;
}

static bool only_shard_1_is_left(struct fixture *f)
{
    uint64_t others = 0;
    for (uint64_t i = 0; i < f->appended; i++)
        others += !is_in_shard_1(i);
    return state_of(f).paused == RINGS && state_of(f).applied == others;
}

static void trouble_stays_in_its_shard(void **state)
{
    (void)state;
    struct schema_keys keys;
    schema_apply_keys(1, &keys);
    tell(&fx->server, "SET", keys.text[3], "not a list", NULL);
    fx->want = 2000;
    run_until(fx, only_shard_1_is_left);
    assert_non_null(strstr(state_of(fx).trouble, "shard 1: "));
    tell(&fx->server, "DEL", keys.text[3], NULL, NULL);
    run_until(fx, is_drained);
    expect_each_once(fx);
}

static void a_redis_that_lost_everything_gets_it_again(void **state)
{
    (void)state;
    fx->want = 3000;
    run_until(fx, is_drained);
    tell(&fx->server, "FLUSHALL", NULL, NULL, NULL);
    redis_reconnect(fx->redis, "test"); /* as a fail-over would */
    fx->want = 3500;
    run_until(fx, has_reconnected);
    run_until(fx, is_drained);
    expect_each_once(fx);
}

static struct directory *directory_of(const char *text)
{
    char path[512];
    struct directory *d = NULL;
    struct err_list errs = {0};
    snprintf(path, sizeof(path), "%s/directory.yaml", fx->server.dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(directory_load(path, &d, &errs), 0);
    err_list_fini(&errs);
    return d;
}

/* In every shard the text, told by each ring once (again after trouble with the link), not with every call. */
static void expect_told(const char *zones)
{
    for (unsigned s = 0; s < SHARDS; s++) {
        struct schema_keys keys;
        int64_t told = 0;
        schema_apply_keys(s, &keys);
        struct redis_reply *r = ask(&fx->server, "HMGET", keys.text[2], "zones", "told", NULL);
        assert_true(span_is(redis_item(r, 0)->text, zones));
        assert_true(redis_get_int(redis_item(r, 1), &told) && told >= 1 && told <= TOLD_MOST);
        redis_reply_free(r);
    }
}

/* A lane's events of a tenth of a second share a call, however they trickle in. */
static void few_events_share_a_call(void **state)
{
    (void)state;
    run_until(fx, is_drained); /* connected */
    int64_t began_ms = clock_mono_ms();
    uint64_t before = state_of(fx).scripts;
    fx->per_step = 2;
    fx->want = 1500;
    run_until(fx, is_drained);
    uint64_t tenths = (uint64_t)(clock_mono_ms() - began_ms) / 100 + 2;
    assert_in_range(state_of(fx).scripts - before, 1, SHARDS * RINGS * tenths);
    assert_int_equal(state_of(fx).applied, 1500);
    expect_each_once(fx);
}

/* What a shard knows it is not told again; one that has lost it, and a change, are. */
static void shops_elsewhere_are_told_once(void **state)
{
    (void)state;
    struct directory *d = directory_of("calendars: {far: {zone: Asia/Tokyo, hours: {daily: '09:00-18:00'}}}\n"
                                       "shops: {one: {calendar: far}}\n");
    pump_set_counting(fx->pump, "UTC", "", d);
    fx->want = 3000;
    run_until(fx, is_drained);
    expect_told("Asia/Tokyo 32400000\tone\t\n");
    tell(&fx->server, "FLUSHALL", NULL, NULL, NULL);
    redis_reconnect(fx->redis, "test");
    fx->want = 3500;
    run_until(fx, has_reconnected);
    run_until(fx, is_drained);
    expect_told("Asia/Tokyo 32400000\tone\t\n");
    pump_set_counting(fx->pump, "UTC", "", NULL);
    fx->want = 6500;
    run_until(fx, is_drained);
    expect_told("-");
    expect_each_once(fx);
    directory_unref(&d);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(redis_killed_again_and_again),
        TEST(writers_in_threads),
        TEST(scripts_flushed_in_the_middle_of_pipelines),
        TEST(a_frozen_redis_applies_late),
        TEST(oom_pauses_and_goes_on),
        TEST(a_read_only_replica_pauses),
        TEST(trouble_stays_in_its_shard),
        TEST(a_redis_that_lost_everything_gets_it_again),
        TEST(few_events_share_a_call),
        TEST(shops_elsewhere_are_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
