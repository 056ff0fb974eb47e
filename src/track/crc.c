#include "track/crc.h"

#include "base/hash.h"

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, struct span s)
{
    uint64_t c = (uint32_t)~crc;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t v;
        memcpy(&v, s.p + i, 8);
        c = __builtin_ia32_crc32di(c, v);
    }
    for (; i < s.n; i++)
        c = __builtin_ia32_crc32qi((uint32_t)c, s.p[i]);
    return (uint32_t)~c;
}
#endif

uint32_t crc_update(uint32_t crc, struct span s)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return crc_sse42(crc, s);
#endif
    return hash_crc32c(crc, s);
}
