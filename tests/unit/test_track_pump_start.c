/* Tracking as the daemon starts it, with the real scripts: rings of more and of fewer workers, Redis there or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>

#include "track/schema.h"
#include "track/track.h"
#include "track_redis_server.h"

enum { PATIENCE_MS = 60000 };

static struct server server;
static struct loop *loop;
static struct conf conf;
static struct track *track;
static int64_t give_up_ms;
static bool (*is_done)(void);
static bool was_done;

static void on_step(void *ctx)
{
    (void)ctx;
    was_done = was_done || is_done();
    if (was_done || clock_mono_ms() > give_up_ms)
        loop_stop(loop);
}

static struct track_state state_now(void)
{
    struct track_state st;
    track_get_state(track, &st);
    return st;
}

static void run_until(bool (*done)(void))
{
    struct timer *step = timer_new(loop, on_step, NULL);
    is_done = done;
    was_done = false;
    give_up_ms = clock_mono_ms() + PATIENCE_MS;
    timer_start(step, 2, true);
    do
        loop_run(loop); /* a stop that was meant for an earlier wait may end a run */
    while (!was_done && clock_mono_ms() <= give_up_ms);
    timer_free(&step);
    if (!was_done)
        fail_msg("given up: %s", state_now().last_error);
}

static bool on_notify(void *ctx, struct span agent, struct span conv, struct span text)
{
    (void)ctx, (void)agent, (void)conv, (void)text;
    return false;
}

static bool on_has_agent(void *ctx, struct span agent)
{
    (void)ctx, (void)agent;
    return false;
}

static void on_state(void *ctx, struct json_out *j)
{
    (void)ctx;
    json_obj(j);
    json_obj_end(j);
}

static const char *on_rules(void *ctx, struct json_out *j)
{
    (void)ctx;
    if (j) {
        json_arr(j);
        json_arr_end(j);
    }
    return "v1";
}

static struct track_options options(void)
{
    return (struct track_options){.conf = &conf,
                                  .loop = loop,
                                  .node_id = "node-1",
                                  .notify = on_notify,
                                  .has_agent = on_has_agent,
                                  .state = on_state,
                                  .rules = on_rules};
}

static void start(unsigned n_workers)
{
    struct err e = {0};
    struct track_options o = options();
    track = track_start(&o, n_workers, &e);
    if (!track)
        fail_msg("%s", e.text);
}

static void append(unsigned worker, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++) {
        char mid[24], customer[24];
        snprintf(mid, sizeof(mid), "m%u", i);
        snprintf(customer, sizeof(customer), "customer-%u", i % 5000);
        struct track_event ev = {.kind = EV_INCOMING,
                                 .at_ms = clock_wall_ms(),
                                 .is_live = true,
                                 .agent = span_str("lan"),
                                 .team = span_str("north"),
                                 .shop = span_str("s1"),
                                 .conv = span_str(customer),
                                 .customer = span_str(customer),
                                 .sender = span_str(customer),
                                 .mid = span_str(mid)};
        assert_int_equal(ring_append(track_ring(track, worker), &ev), 0);
    }
}

static int setup(void **state)
{
    (void)state;
    server_dir(&server);
    loop = loop_new();
    conf = (struct conf){.redis = {.is_on = true, .shards = 8, .keep_ms = 50, .timeout_ms = 30000}};
    conf.redis.addr.path = server.sock;
    conf.ring.dir = xasprintf("%s/rings", server.dir);
    conf.ring.size_bytes = 1 << 20;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    track_stop(&track);
    loop_free(&loop);
    free(conf.ring.dir);
    server_end(&server);
    return 0;
}

static unsigned count_rings(void)
{
    unsigned n = 0;
    DIR *d = opendir(conf.ring.dir);
    for (struct dirent *f; (f = readdir(d));)
        n += f->d_name[0] != '.';
    closedir(d);
    return n;
}

static bool is_drained(void)
{
    return track_is_drained(track);
}

static bool is_one_ring_left(void)
{
    return track_is_drained(track) && count_rings() == 1;
}

static uint64_t events_applied(void)
{
    uint64_t n = 0;
    for (unsigned s = 0; s < 8; s++) {
        struct schema_keys keys;
        schema_apply_keys(s, &keys);
        struct redis_reply *r = ask(&server, "HGET", keys.text[KEY_INFO], "events", NULL, NULL);
        int64_t events = 0;
        assert_true(r->kind == REDIS_NIL || redis_get_int(r, &events));
        n += (uint64_t)events;
        redis_reply_free(r);
    }
    return n;
}

static void fewer_and_more_workers(void **state)
{
    (void)state;
    start(3); /* Redis is not there */
    for (unsigned w = 0; w < 3; w++)
        append(w, w * 500, 500);
    assert_false(track_is_drained(track));
    assert_false(state_now().is_connected);
    assert_true(state_now().unsent_bytes > 1500 * 80);
    track_stop(&track);

    start(1);
    server_start(&server, NULL);
    append(0, 1500, 100);
    run_until(is_one_ring_left);
    assert_int_equal(state_now().events_pumped, 1600);
    assert_int_equal(state_now().events_dup, 0);
    assert_int_equal(state_now().events_lost, 0);
    assert_string_equal(state_now().last_error, "");
    assert_int_equal(events_applied(), 1600);
    track_stop(&track);

    start(4);
    for (unsigned w = 0; w < 4; w++)
        append(w, 2000 + w * 100, 100);
    run_until(is_drained);
    assert_int_equal(state_now().events_pumped, 400);
    assert_int_equal(state_now().events_dup, 0);
    assert_int_equal(events_applied(), 2000);
}

/* As if Redis had been killed before it wrote its last `n` records of each shard to disk. */
static void forget_the_last(int64_t n)
{
    for (unsigned s = 0; s < 8; s++) {
        struct schema_keys keys;
        schema_apply_keys(s, &keys);
        struct redis_reply *r = ask(&server, "HGETALL", keys.text[KEY_APPLIED], NULL, NULL, NULL);
        int64_t applied;
        char ring[RING_ID_LEN + 1] = "", text[24];
        assert_int_equal(r->n, 2);
        assert_true(redis_get_int(redis_item(r, 1), &applied) && applied > n);
        memcpy(ring, redis_item(r, 0)->text.p, MIN_OF(redis_item(r, 0)->text.n, RING_ID_LEN));
        snprintf(text, sizeof(text), "%" PRId64, applied - n);
        tell(&server, "HSET", keys.text[KEY_APPLIED], ring, text);
        redis_reply_free(r);
    }
}

static bool is_refused(void)
{
    return strstr(state_now().last_error, "OOM");
}

/* A killed gateway and a Redis that forgot: the ring is so long that Redis is asked before it is read to its end. */
static void a_long_ring_and_a_redis_that_forgot(void **state)
{
    (void)state;
    enum { MANY = 25000, MORE = 20, FORGOTTEN = 5 };
    conf.ring.size_bytes = 32 << 20;
    server_start(&server, NULL);
    start(1);
    append(0, 0, MANY);
    run_until(is_drained);
    tell(&server, "CONFIG", "SET", "maxmemory", "1");
    append(0, MANY, MORE);
    run_until(is_refused);
    track_stop(&track);
    tell(&server, "CONFIG", "SET", "maxmemory", "0");
    forget_the_last(FORGOTTEN);
    start(1);
    run_until(is_drained);
    assert_int_equal(events_applied(), MANY + MORE + 8 * FORGOTTEN);
    assert_int_equal(state_now().events_pumped, MORE + 8 * FORGOTTEN);
    assert_int_equal(state_now().events_lost, 0);
}

static bool names_the_shards(void)
{
    return strstr(state_now().last_error, "shards");
}

/* What was before the change is all in Redis, so its file is not needed any more. */
static bool has_pumped_ten(void)
{
    return state_now().events_pumped == 10 && count_rings() == 2;
}

/* Another number of shards in the configuration: what was journaled for it stays in its file, what was before and
 * comes after is pumped. */
static void a_changed_shard_count(void **state)
{
    (void)state;
    server_start(&server, NULL);
    start(1);
    append(0, 0, 10);
    run_until(is_drained);
    track_stop(&track);
    conf.redis.shards = 4;
    start(1);
    append(0, 10, 10);
    run_until(names_the_shards);
    assert_false(track_is_drained(track));
    track_stop(&track);
    conf.redis.shards = 8;
    start(1);
    append(0, 20, 10);
    run_until(has_pumped_ten);
    assert_int_equal(events_applied(), 20);
    assert_true(state_now().unsent_bytes > 0);
}

/* Of the customers who wait, how far the newest one's time is from Redis's. */
static int64_t newest_is_off_by(void)
{
    struct redis_reply *time = ask(&server, "TIME", NULL, NULL, NULL, NULL);
    int64_t s, newest = 0;
    assert_true(redis_get_int(redis_item(time, 0), &s));
    redis_reply_free(time);
    for (unsigned shard = 0; shard < 8; shard++) {
        struct schema_keys keys;
        schema_apply_keys(shard, &keys);
        struct redis_reply *r = ask(&server, "ZRANGE", keys.text[KEY_WAITING], "-1", "-1", "WITHSCORES");
        int64_t since;
        if (r->n == 2 && redis_get_int(redis_item(r, 1), &since))
            newest = MAX_OF(newest, since);
        redis_reply_free(r);
    }
    return newest - s * 1000;
}

/* Gateways whose clocks differ by three minutes: their events stand at Redis's time. */
static void clocks_that_differ(void **state)
{
    (void)state;
    static const int64_t off[] = {-90000, 90000};
    server_start(&server, NULL);
    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        clock_set_wall_offset_ms(off[i]);
        start(1);
        append(0, (unsigned)i * 10, 10);
        run_until(is_drained);
        assert_true(llabs(state_now().redis_clock_offset_ms + off[i]) < 2000);
        assert_true(llabs(newest_is_off_by()) < 10000);
        track_stop(&track);
        tell(&server, "FLUSHALL", NULL, NULL, NULL);
    }
    clock_set_wall_offset_ms(0);
}

static void unusable_folders_are_named(void **state)
{
    (void)state;
    struct err e;
    struct track_options o = options();
    free(conf.ring.dir);
    conf.ring.dir = xasprintf("%s/no/such/rings", server.dir);
    assert_null(track_start(&o, 1, &e));
    assert_non_null(strstr(e.text, "/no/such/rings"));
    free(conf.ring.dir);
    conf.ring.dir = xasprintf("%s/file", server.dir);
    close(open(conf.ring.dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_null(track_start(&o, 1, &e));
    assert_non_null(strstr(e.text, "no folder"));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(fewer_and_more_workers), TEST(a_long_ring_and_a_redis_that_forgot), TEST(a_changed_shard_count),
        TEST(clocks_that_differ),     TEST(unusable_folders_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
