/* The pump against a real redis-server that is killed, stopped, flushed and made to refuse: every event once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/rand.h"
#include "conf/directory.h"
#include "track/pump.h"
#include "track/schema.h"
#include "track_redis_server.h"

enum { SHARDS = 4, RINGS = 2, RING_BYTES = 4 << 20, PATIENCE_MS = 60000, TOLD_MOST = 10 };

/* Keeps to the contract of `apply` and appends each event's id to the stream key, here a list; what it is told of shops
 * stands in the third key. */
static const char script[] = "local last = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or '0')\n"
                             "local n, dup, status = 0, 0, 'OK'\n"
                             "local pos = 1\n"
                             "while pos <= #ARGV[5] do\n"
                             "  local seq, len = struct.unpack('>I6H', ARGV[5], pos)\n"
                             "  local record = string.sub(ARGV[5], pos + 8, pos + 7 + len)\n"
                             "  pos = pos + 8 + len\n"
                             "  if seq <= last then dup = dup + 1\n"
                             "  elseif seq > last + 1 then status = 'GAP' break\n"
                             "  else\n"
                             "    local ev = cmsgpack.unpack(record)\n"
                             "    redis.call('RPUSH', KEYS[4], ev.k == 'gap' and 'gap ' .. ev.count or ev.mid)\n"
                             "    last, n = seq, n + 1\n"
                             "  end\n"
                             "end\n"
                             "if n > 0 then redis.call('HSET', KEYS[1], ARGV[2], last) end\n"
                             "if n > 0 and ARGV[9] ~= '' then\n"
                             "  redis.call('HSET', KEYS[3], 'zones', ARGV[9])\n"
                             "  redis.call('HINCRBY', KEYS[3], 'told', 1)\n"
                             "end\n"
                             "return {last, n, dup, status}\n";

struct fixture {
    struct server server;
    struct loop *loop;
    struct redis *redis;
    struct pump *pump;
    struct ring *ring[RINGS];
    struct timer *step;
    uint64_t appended, want; /* events so far; to append */
    unsigned per_step;       /* below so many in a turn */
    int64_t give_up_ms, keep_ms, timeout_ms;
    size_t ring_bytes;
    unsigned wait_replicas, n_shards;
    bool (*is_done)(struct fixture *f);
    bool was_done;
    void (*trouble)(struct fixture *f);
    uint64_t trouble_at;
};

static struct fixture *fx;

static void append_one(struct fixture *f)
{
    char mid[32], customer[32];
    snprintf(mid, sizeof(mid), "%llu", (unsigned long long)f->appended);
    snprintf(customer, sizeof(customer), "c%llu", (unsigned long long)(f->appended * 7919 % 53));
    struct track_event ev = {.kind = EV_INCOMING, .at_ms = clock_wall_ms(), .mid = span_str(mid)};
    ev.customer = span_str(customer);
    assert_int_equal(ring_append(f->ring[f->appended % RINGS], &ev), 0);
    f->appended++;
}

/* Runs in the loop: appends a few events, makes trouble when it is due, ends the loop when all is done. */
static void on_step(void *ctx)
{
    struct fixture *f = ctx;
    for (uint64_t k = rand_u64() % f->per_step; f->appended < f->want && k; k--)
        append_one(f);
    if (f->trouble && f->appended >= f->trouble_at) {
        void (*trouble)(struct fixture *) = f->trouble;
        f->trouble = NULL;
        trouble(f);
    }
    f->was_done = f->was_done || (!f->trouble && f->appended >= f->want && f->is_done(f));
    if (f->was_done || clock_mono_ms() > f->give_up_ms)
        loop_stop(f->loop);
}

static bool is_drained(struct fixture *f)
{
    return pump_is_drained(f->pump);
}

static void run_until(struct fixture *f, bool (*is_done)(struct fixture *))
{
    f->is_done = is_done;
    f->was_done = false;
    f->give_up_ms = clock_mono_ms() + PATIENCE_MS;
    timer_start(f->step, 1, true);
    do
        loop_run(f->loop); /* a stop that was meant for an earlier wait may end a run */
    while (!f->was_done && clock_mono_ms() <= f->give_up_ms);
    timer_stop(f->step);
    struct pump_state st;
    pump_get_state(f->pump, &st);
    if (!f->was_done)
        fail_msg("given up: %s; link: %s", st.trouble, redis_last_error(f->redis));
}

static void start_pump(struct fixture *f)
{
    struct redis_options o = server_options(&f->server);
    o.timeout_ms = f->timeout_ms;
    f->redis = redis_new(f->loop, &o);
    f->pump = pump_new(&(struct pump_options){.loop = f->loop,
                                              .redis = f->redis,
                                              .script = script,
                                              .node_id = "node-1",
                                              .n_shards = f->n_shards,
                                              .wait_replicas = f->wait_replicas,
                                              .timeout_ms = f->timeout_ms});
}

static void open_rings(struct fixture *f)
{
    struct err e;
    for (unsigned i = 0; i < RINGS; i++) {
        f->ring[i] = ring_open(f->server.dir, i, f->ring_bytes, SHARDS, f->keep_ms, &e);
        if (!f->ring[i])
            fail_msg("%s", e.text);
        pump_add_ring(f->pump, f->ring[i]);
    }
}

static void stop_pump(struct fixture *f)
{
    redis_free(&f->redis);
    pump_free(&f->pump);
    for (unsigned i = 0; i < RINGS; i++)
        ring_close(&f->ring[i], false);
}

static int setup(void **state)
{
    (void)state;
    fx = xcalloc(1, sizeof(*fx));
    server_dir(&fx->server);
    server_start(&fx->server, NULL);
    fx->loop = loop_new();
    fx->step = timer_new(fx->loop, on_step, fx);
    fx->n_shards = SHARDS;
    fx->per_step = 80;
    fx->keep_ms = 300000; /* longer than any test */
    fx->timeout_ms = 30000;
    fx->ring_bytes = RING_BYTES;
    start_pump(fx);
    open_rings(fx);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stop_pump(fx);
    timer_free(&fx->step);
    loop_free(&fx->loop);
    server_end(&fx->server);
    free(fx);
    return 0;
}

static struct pump_state state_of(struct fixture *f)
{
    struct pump_state st;
    pump_get_state(f->pump, &st);
    return st;
}

/* ---- what Redis has ---- */

struct account {
    uint8_t *seen; /* per event number */
    uint64_t total, gap_events, gap_count;
};

static struct account read_account(struct fixture *f, uint64_t max)
{
    struct account a = {.seen = xcalloc(max + 1, 1)};
    for (unsigned s = 0; s < SHARDS; s++) {
        struct schema_keys keys;
        schema_apply_keys(s, &keys);
        struct redis_reply *list = ask(&f->server, "LRANGE", keys.text[3], "0", "-1", NULL);
        assert_int_equal(list->kind, REDIS_ARRAY);
        uint64_t last[RINGS] = {0};
        for (size_t i = 0; i < list->n; i++) {
            struct span item = list->item[i]->text;
            uint64_t number;
            if (span_starts(item, span_str("gap "))) {
                assert_true(span_u64(span_from(item, 4), &number));
                a.gap_events++;
                a.gap_count += number;
                continue;
            }
            assert_true(span_u64(item, &number));
            assert_true(number < max);
            assert_true(a.seen[number] || number >= last[number % RINGS]); /* each ring's order is kept */
            last[number % RINGS] = number;
            a.seen[number] += a.seen[number] < 255;
            a.total++;
        }
        redis_reply_free(list);
    }
    return a;
}

static void expect_each_once(struct fixture *f)
{
    struct account a = read_account(f, f->appended);
    for (uint64_t i = 0; i < f->appended; i++)
        if (a.seen[i] != 1)
            fail_msg("event %llu is there %u times", (unsigned long long)i, a.seen[i]);
    assert_int_equal(a.total, f->appended);
    assert_int_equal(a.gap_events, 0);
    free(a.seen);
}

/* ---- tests ---- */

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

static bool has_reconnected(struct fixture *f)
{
    return redis_connects(f->redis) >= 2;
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
