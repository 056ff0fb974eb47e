#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const level_names[] = {
#define X(id, name) [id] = name,
    LOG_LEVELS(X)
#undef X
};

static _Atomic int threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

bool log_level_from_name(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

static void write_line(enum log_level level, const char *event, unsigned left_out, const char *fmt, va_list ap)
{
    char line[2048], when[CLOCK_RFC3339_MAX];
    const int room = (int)sizeof(line) - 1; /* one byte for the line feed */
    int n =
        snprintf(line, (size_t)room, "%s %s %s ", clock_rfc3339_ms(clock_wall_ms(), when), level_names[level], event);
    int more = vsnprintf(line + n, (size_t)(room - n), fmt, ap);
    n = MIN_OF(n + MAX_OF(more, 0), room - 1);
    if (left_out) {
        more = snprintf(line + n, (size_t)(room - n), " left_out=%u", left_out);
        n = MIN_OF(n + MAX_OF(more, 0), room - 1);
    }
    line[n++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)n); /* nowhere to report a failing log to */
    (void)ignored;
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    if (!log_wants(level))
        return;
    va_list ap;
    va_start(ap, fmt);
    write_line(level, event, 0, fmt, ap);
    va_end(ap);
}

void log_event_limited(struct log_limit *limit, enum log_level level, const char *event, const char *fmt, ...)
{
    if (!log_wants(level))
        return;
    int64_t now = clock_mono_ms();
    if (limit->last_ms && now - limit->last_ms < 1000) {
        limit->suppressed++;
        return;
    }
    limit->last_ms = now;
    va_list ap;
    va_start(ap, fmt);
    write_line(level, event, limit->suppressed, fmt, ap);
    va_end(ap);
    limit->suppressed = 0;
}

const char *log_esc(struct span s, char out[LOG_ESC_MAX])
{
    size_t o = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (o + 7 > LOG_ESC_MAX) {
            out[o++] = '.', out[o++] = '.';
            break;
        }
        uint8_t c = s.p[i];
        if (c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=')
            out[o++] = (char)c;
        else
            o += (size_t)snprintf(out + o, 5, "\\x%02x", c);
    }
    out[o] = '\0';
    return out;
}

const char *log_text(const char *s, char out[LOG_TEXT_MAX])
{
    size_t n = 0;
    for (; *s && n + 3 <= LOG_TEXT_MAX; s++) {
        if (*s == '"' || *s == '\\')
            out[n++] = '\\';
        out[n++] = (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s;
    }
    out[n] = '\0';
    return out;
}
