#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t wall_offset_ms;

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_tick_ms(void)
{
    return read_us(CLOCK_MONOTONIC_COARSE) / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME) + atomic_load_explicit(&wall_offset_ms, memory_order_relaxed) * 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

void clock_set_wall_offset_ms(int64_t offset_ms)
{
    atomic_store_explicit(&wall_offset_ms, offset_ms, memory_order_relaxed);
}

const char *clock_rfc3339_ms(int64_t wall_ms, char out[CLOCK_RFC3339_MAX])
{
    time_t sec = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&sec, &tm);
    size_t n = strftime(out, CLOCK_RFC3339_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, CLOCK_RFC3339_MAX - n, ".%03dZ", (int)(wall_ms % 1000));
    return out;
}
