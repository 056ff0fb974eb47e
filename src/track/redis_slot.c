#include "track/redis_slot.h"

#include "base/log.h"
#include "track/redis.h"

/* CRC-16/XMODEM (polynomial 0x1021, from 0), bit by bit: a few bytes per command. */
static unsigned crc16(struct span s)
{
    unsigned crc = 0;
    for (size_t i = 0; i < s.n; i++) {
        crc ^= (unsigned)s.p[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
    }
    return crc;
}

/* "A hash tag is what stands between the first { and the first } behind it, unless that is empty." (Cluster spec) */
unsigned redis_slot(struct span key)
{
    const uint8_t *open = key.n ? memchr(key.p, '{', key.n) : NULL;
    const uint8_t *close = open ? memchr(open, '}', key.n - (size_t)(open - key.p)) : NULL;
    if (close && close > open + 1)
        key = span_of(open + 1, (size_t)(close - open) - 1);
    return crc16(key) % SLOT_COUNT;
}

static bool is_word(struct span s, const char *word)
{
    size_t n = strlen(word);
    if (s.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((s.p[i] & ~0x20) != word[i])
            return false;
    return true;
}

static bool is_one_of(struct span s, const char *const *words)
{
    for (; *words; words++)
        if (is_word(s, *words))
            return true;
    return false;
}

/* Position of the key; 0: none. The key of most commands is their first argument. */
static size_t key_position(size_t argc, const struct span *argv)
{
    static const char *const keyless[] = {"PING",    "TIME",    "INFO",    "WAIT",    "ROLE",    "CLIENT",
                                          "CONFIG",  "SCRIPT",  "DBSIZE",  "ACL",     "SCAN",    "AUTH",
                                          "CLUSTER", "COMMAND", "LATENCY", "SLOWLOG", "PUBLISH", NULL};
    static const char *const second[] = {"XGROUP", "XINFO", "OBJECT", "MEMORY", NULL};
    static const char *const third[] = {"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", NULL};
    if (argc < 2 || is_one_of(argv[0], keyless))
        return 0;
    if (is_word(argv[0], "XREAD") || is_word(argv[0], "XREADGROUP")) {
        for (size_t i = 1; i + 1 < argc; i++)
            if (is_word(argv[i], "STREAMS"))
                return i + 1;
        return 0;
    }
    if (is_one_of(argv[0], third))
        return argc > 3 && !span_is(argv[2], "0") ? 3 : 0;
    return is_one_of(argv[0], second) ? (argc > 2 ? 2 : 0) : 1;
}

int slot_of_command(size_t argc, const struct span *argv)
{
    size_t at = key_position(argc, argv);
    return at ? (int)redis_slot(argv[at]) : SLOT_ANY;
}
