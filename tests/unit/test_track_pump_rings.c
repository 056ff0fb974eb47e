/* The pump and its rings: what Redis lost is sent again, what nobody has any more is told, what others left is drained.
 */
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

/* `commands` run in the server's folder. */
static void run_shell(const struct fixture *f, const char *commands)
{
    char cmd[400];
    snprintf(cmd, sizeof(cmd), "cd %s && %s", f->server.dir, commands);
    assert_int_equal(system(cmd), 0);
}

static void restore_backup(struct fixture *f)
{
    server_kill(&f->server);
    run_shell(f, "rm -r appendonlydir && cp -r backup appendonlydir");
    server_start(&f->server, NULL);
}

/* What was lost with the newer state is still in the ring and sent again. */
static void a_restored_older_redis_gets_the_difference(void **state)
{
    (void)state;
    fx->want = 2000;
    run_until(fx, is_drained);
    run_shell(fx, "cp -r appendonlydir backup");
    fx->want = 4000;
    run_until(fx, is_drained);
    fx->want = 5000;
    fx->trouble_at = 4500;
    fx->trouble = restore_backup;
    run_until(fx, is_drained);
    expect_each_once(fx);
    assert_int_equal(state_of(fx).renamed, 0);
}

/* The same with rings too small to have kept it all: what is gone is told, to the last event. */
static void what_a_small_ring_no_longer_has_is_a_gap(void **state)
{
    (void)state;
    stop_pump(fx);
    fx->keep_ms = 0;
    fx->ring_bytes = 128 << 10;
    start_pump(fx);
    open_rings(fx);
    for (fx->want = 0; fx->want < 3000; fx->want += 200)
        run_until(fx, is_drained);
    run_shell(fx, "cp -r appendonlydir backup");
    for (; fx->want < 9000; fx->want += 200)
        run_until(fx, is_drained);
    restore_backup(fx);
    fx->want += 200;
    run_until(fx, is_drained);
    struct account a = read_account(fx, fx->appended);
    assert_true(a.gap_count > 1000);
    assert_int_equal(a.total + a.gap_count, fx->appended);
    for (uint64_t i = 0; i < fx->appended; i++)
        assert_true(a.seen[i] <= 1);
    assert_int_equal(state_of(fx).lost_gap, a.gap_count);
    free(a.seen);
}

/* Redis knows a higher number than the ring ever drew: the ring's unsent records come under a new id. */
static void a_number_from_the_future_renames_the_ring(void **state)
{
    (void)state;
    fx->want = 1000;
    run_until(fx, is_drained);
    char old[RING_ID_LEN + 1];
    memcpy(old, ring_id(fx->ring[0]), sizeof(old));
    struct schema_keys keys;
    schema_apply_keys(2, &keys);
    tell(&fx->server, "HSET", keys.text[0], old, "100000");
    redis_reconnect(fx->redis, "test");
    fx->want = 2000;
    run_until(fx, has_reconnected);
    run_until(fx, is_drained);
    assert_string_not_equal(old, ring_id(fx->ring[0]));
    assert_int_equal(state_of(fx).renamed, 1);
    expect_each_once(fx);
}

/* Process after process, each with other events: numbers go on, nothing is sent anew. */
static void restarts_of_the_gateway_go_on(void **state)
{
    (void)state;
    for (int i = 1; i <= 4; i++) {
        fx->want = (uint64_t)i * 700;
        if (i % 2)
            run_until(fx, is_drained);
        else
            while (fx->appended < fx->want)
                append_one(fx);
        stop_pump(fx);
        start_pump(fx);
        open_rings(fx);
    }
    run_until(fx, is_drained);
    assert_int_equal(state_of(fx).dup, 0);
    expect_each_once(fx);
}

static bool is_connected(struct fixture *f)
{
    return redis_is_up(f->redis);
}

/* Killed before it noted how far Redis is, with more kept records than are read in one turn: Redis' answer comes before
 * they are read, and what it has is neither sent again nor taken for lost. */
static void a_long_ring_is_read_after_redis_answered(void **state)
{
    (void)state;
    fx->want = 24000;
    while (fx->appended < fx->want)
        append_one(fx);
    run_until(fx, is_drained);
    char old[RING_ID_LEN + 1];
    memcpy(old, ring_id(fx->ring[0]), sizeof(old));
    for (unsigned i = 0; i < RINGS; i++) {
        uint64_t pos = ring_tail(fx->ring[i]), next;
        struct ring_record rec;
        for (int n = 0; n < 11000 && ring_read(fx->ring[i], &pos, &rec, &next); n++)
            pos = next;
        ring_set_confirmed(fx->ring[i], pos);
    }
    stop_pump(fx);
    start_pump(fx);
    run_until(fx, is_connected);
    open_rings(fx);
    fx->want = 24100;
    run_until(fx, is_drained);
    assert_string_equal(old, ring_id(fx->ring[0]));
    assert_int_equal(state_of(fx).lost_gap, 0);
    expect_each_once(fx);
}

static bool has_no_orphans(struct fixture *f)
{
    return state_of(f).orphans == 0 && pump_is_drained(f->pump);
}

/* A gateway dies with kill -9 while Redis is away; another one drains what it left and deletes the file. */
static void the_ring_of_a_killed_process_is_drained(void **state)
{
    (void)state;
    int told[2];
    assert_int_equal(pipe(told), 0);
    char path[128];
    snprintf(path, sizeof(path), "%s/worker-7.ring", fx->server.dir);
    pid_t pid = fork();
    if (pid == 0) {
        struct err e;
        struct ring *r = ring_open(fx->server.dir, 7, RING_BYTES, SHARDS, 0, &e);
        for (unsigned i = 0; r; i++) {
            char mid[16];
            snprintf(mid, sizeof(mid), "%u", i);
            struct track_event ev = {.kind = EV_OUTGOING, .mid = span_str(mid), .customer = span_str(mid)};
            if (ring_append(r, &ev) < 0 || write(told[1], &i, sizeof(i)) != sizeof(i))
                _exit(1);
        }
        _exit(1);
    }
    close(told[1]);
    unsigned last = 0, got;
    while (last < 3000 && read(told[0], &got, sizeof(got)) == sizeof(got))
        last = got;
    struct err e;
    assert_null(ring_adopt(path, 0, &e)); /* alive: not ours */
    kill(pid, SIGKILL);
    while (read(told[0], &got, sizeof(got)) == sizeof(got))
        last = got;
    close(told[0]);
    waitpid(pid, NULL, 0);

    struct ring *orphan = ring_adopt(path, 100, &e);
    assert_non_null(orphan);
    pump_add_orphan(fx->pump, orphan);
    run_until(fx, has_no_orphans);
    assert_int_equal(access(path, F_OK), -1);
    struct account a = read_account(fx, last + 2); /* at most one more than was told */
    for (unsigned i = 0; i <= last; i++)
        assert_int_equal(a.seen[i], 1);
    assert_true(a.total == last + 1u || a.total == last + 2u);
    free(a.seen);
}

static bool is_refused(struct fixture *f)
{
    return redis_is_up(f->redis) && redis_in_flight(f->redis) == 0 && f->appended == f->want &&
           clock_mono_ms() > f->give_up_ms - PATIENCE_MS + 300;
}

static bool knows_the_offset(struct fixture *f)
{
    return llabs(state_of(f).clock_offset_ms + 90000) < 2000;
}

/* This machine's clock is 90 s ahead: Redis is 90 s behind it. */
static void the_clock_offset_is_measured(void **state)
{
    (void)state;
    clock_set_wall_offset_ms(90000);
    run_until(fx, knows_the_offset);
    clock_set_wall_offset_ms(0);
}

static void another_shard_count_journals_only(void **state)
{
    (void)state;
    fx->want = 100;
    run_until(fx, is_drained);
    tell(&fx->server, "HSET", SCHEMA_META_KEY, "shards", "8");
    redis_reconnect(fx->redis, "test");
    fx->want = 200;
    run_until(fx, has_reconnected);
    run_until(fx, is_refused);
    assert_true(state_of(fx).unsent_bytes > 0);
    assert_false(state_of(fx).is_ready);
    tell(&fx->server, "HSET", SCHEMA_META_KEY, "shards", "4");
    redis_reconnect(fx->redis, "test");
    run_until(fx, is_drained);
    expect_each_once(fx);
}

static bool is_version_raised(struct fixture *f)
{
    struct redis_reply *r = ask(&f->server, "HGET", SCHEMA_META_KEY, "version", NULL, NULL);
    int64_t version = 0;
    bool is_raised = redis_get_int(r, &version) && version == SCHEMA_VERSION;
    redis_reply_free(r);
    return is_raised;
}

/* Else the program after this one would take the deployment for one of two versions ago. */
static void an_upgrade_raises_the_version(void **state)
{
    (void)state;
    char before[12], behind[12];
    snprintf(before, sizeof(before), "%d", SCHEMA_VERSION - 1);
    snprintf(behind, sizeof(behind), "%d", SCHEMA_VERSION + 1);
    fx->want = 10;
    run_until(fx, is_drained);
    tell(&fx->server, "HSET", SCHEMA_META_KEY, "version", before);
    redis_reconnect(fx->redis, "test");
    run_until(fx, is_version_raised);
    tell(&fx->server, "HSET", SCHEMA_META_KEY, "version", behind);
    redis_reconnect(fx->redis, "test");
    fx->want = 200;
    run_until(fx, has_reconnected);
    run_until(fx, is_drained);
    assert_false(is_version_raised(fx)); /* and never lowers it */
}

static void a_full_ring_tells_how_many_were_lost(void **state)
{
    (void)state;
    /* Small: all of it lies in one shard and so goes out batch by batch, each waiting for the disk. 4 MB took more than
     * the minute of patience on a machine that was busy. */
    stop_pump(fx);
    fx->ring_bytes = 128 << 10;
    start_pump(fx);
    open_rings(fx);
    fx->want = 100;
    run_until(fx, is_drained);
    server_kill(&fx->server);
    uint64_t kept = fx->appended;
    unsigned lost = 0;
    struct track_event ev = {.kind = EV_INCOMING, .mid = span_str("0"), .customer = span_str("c")};
    uint64_t filled = 0;
    for (; lost < 500; filled++)
        if (ring_append(fx->ring[0], &ev) < 0)
            lost++;
    assert_int_equal(state_of(fx).lost_full, 500);
    server_start(&fx->server, NULL);
    run_until(fx, is_drained);
    fx->want = kept + 10;
    run_until(fx, is_drained);
    struct account a = read_account(fx, fx->appended);
    assert_int_equal(a.gap_events, 1);
    assert_int_equal(a.gap_count, 500);
    assert_int_equal(a.total, fx->appended + filled - 500);
    free(a.seen);
}

/* Bytes of the file are destroyed while nobody has it open: one gap event per record, the rest once. */
static void a_damaged_record_becomes_a_gap(void **state)
{
    (void)state;
    fx->want = 20;
    run_until(fx, is_drained);
    server_kill(&fx->server);
    while (fx->appended < 1000)
        append_one(fx);
    stop_pump(fx);
    char path[128];
    snprintf(path, sizeof(path), "%s/worker-0.ring", fx->server.dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    for (off_t at = 16384; at < 16384 + 30000; at += 10000)
        assert_int_equal(pwrite(fd, "xxxx", 4, at), 4);
    close(fd);
    start_pump(fx);
    open_rings(fx);
    server_start(&fx->server, NULL);
    fx->want = 1100;
    run_until(fx, is_drained);
    struct account a = read_account(fx, fx->appended);
    assert_int_equal(a.gap_events, 3);
    assert_int_equal(a.total, fx->appended - 3);
    for (uint64_t i = 0; i < fx->appended; i++)
        assert_true(a.seen[i] <= 1);
    assert_int_equal(state_of(fx).lost_gap, 3);
    free(a.seen);
}

static bool all_released(struct fixture *f)
{
    return state_of(f).orphans == 0;
}

static void released_after_the_replica_has_it(void **state)
{
    (void)state;
    struct server replica = {0};
    server_dir(&replica);
    pump_set_wait_replicas(fx->pump, 1);
    struct err e;
    struct ring *orphan = ring_open(fx->server.dir, 9, RING_BYTES, SHARDS, 0, &e);
    struct track_event ev = {.kind = EV_INCOMING, .mid = span_str("0"), .customer = span_str("c")};
    for (int i = 0; i < 100; i++)
        assert_int_equal(ring_append(orphan, &ev), 0);
    pump_add_orphan(fx->pump, orphan);
    run_until(fx, is_drained);
    run_until(fx, is_refused);                 /* a while later … */
    assert_int_equal(state_of(fx).orphans, 1); /* … it is still kept: no replica has it */
    /* replication needs TCP: the master takes a free port */
    char port[16] = "";
    for (int p = 20000 + (int)(rand_u64() % 20000), i = 0; i < 50 && !port[0]; i++, p++) {
        snprintf(port, sizeof(port), "%d", p);
        struct redis_reply *r = ask(&fx->server, "CONFIG", "SET", "port", port, NULL);
        if (redis_is_error(r))
            port[0] = 0;
        redis_reply_free(r);
    }
    assert_true(port[0]);
    server_start(&replica, (const char *[]){"--replicaof", "127.0.0.1", port, "--repl-diskless-sync-delay", "0", NULL});
    tell(&fx->server, "CONFIG", "SET", "repl-diskless-sync-delay", "0");
    run_until(fx, all_released);
    server_end(&replica);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(a_restored_older_redis_gets_the_difference),
        TEST(what_a_small_ring_no_longer_has_is_a_gap),
        TEST(a_number_from_the_future_renames_the_ring),
        TEST(restarts_of_the_gateway_go_on),
        TEST(a_long_ring_is_read_after_redis_answered),
        TEST(the_ring_of_a_killed_process_is_drained),
        TEST(the_clock_offset_is_measured),
        TEST(another_shard_count_journals_only),
        TEST(an_upgrade_raises_the_version),
        TEST(a_full_ring_tells_how_many_were_lost),
        TEST(a_damaged_record_becomes_a_gap),
        TEST(released_after_the_replica_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
