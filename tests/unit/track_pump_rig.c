#include "track_pump_rig.h"

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

void append_one(struct fixture *f)
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

bool is_drained(struct fixture *f)
{
    return pump_is_drained(f->pump);
}

void run_until(struct fixture *f, bool (*is_done)(struct fixture *))
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

void start_pump(struct fixture *f)
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

void open_rings(struct fixture *f)
{
    struct err e;
    for (unsigned i = 0; i < RINGS; i++) {
        f->ring[i] = ring_open(f->server.dir, i, f->ring_bytes, SHARDS, f->keep_ms, &e);
        if (!f->ring[i])
            fail_msg("%s", e.text);
        pump_add_ring(f->pump, f->ring[i]);
    }
}

void stop_pump(struct fixture *f)
{
    redis_free(&f->redis);
    pump_free(&f->pump);
    for (unsigned i = 0; i < RINGS; i++)
        ring_close(&f->ring[i], false);
}

struct fixture *fixture_new(void)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    server_dir(&f->server);
    server_start(&f->server, NULL);
    f->loop = loop_new();
    f->step = timer_new(f->loop, on_step, f);
    f->n_shards = SHARDS;
    f->per_step = 80;
    f->keep_ms = 300000; /* longer than any test */
    f->timeout_ms = 30000;
    f->ring_bytes = RING_BYTES;
    start_pump(f);
    open_rings(f);
    return f;
}

void fixture_free(struct fixture **fp)
{
    struct fixture *f = *fp;
    stop_pump(f);
    timer_free(&f->step);
    loop_free(&f->loop);
    server_end(&f->server);
    free(f);
    *fp = NULL;
}

struct pump_state state_of(struct fixture *f)
{
    struct pump_state st;
    pump_get_state(f->pump, &st);
    return st;
}

struct account read_account(struct fixture *f, uint64_t max)
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

void expect_each_once(struct fixture *f)
{
    struct account a = read_account(f, f->appended);
    for (uint64_t i = 0; i < f->appended; i++)
        if (a.seen[i] != 1)
            fail_msg("event %llu is there %u times", (unsigned long long)i, a.seen[i]);
    assert_int_equal(a.total, f->appended);
    assert_int_equal(a.gap_events, 0);
    free(a.seen);
}

bool has_reconnected(struct fixture *f)
{
    return redis_connects(f->redis) >= 2;
}
