#include "rule/mark.h"

#include "base/utf8.h"

bool words_is_plain_mark(uint32_t cp)
{
    if (cp >= 0xff01 && cp <= 0xff5e)
        cp -= 0xfee0; /* full width */
    if (cp < 0x80)
        return cp != 0 && strchr(" .,-_'\":;!?()[]{}/\\|~\n\t\r", (int)cp) != NULL;
    return cp == 0x3000 || (cp >= 0x2010 && cp <= 0x2027) || (cp >= 0x3001 && cp <= 0x3017) || cp == 0xb7 ||
           cp == 0xff61;
}

void reading_note_common(struct ruleset *set)
{
    static const char common[] =
        "的一是不了在人有我他这个们来上大为和到说时要就出会可也你对能而那得于着自之过后里用所么去如都同"
        "当没还好些她但因只从想与把又已将两由问很并向被什等或给位次先几认更别才再做未您请吗呢吧啊哦";
    for (size_t i = 0; i + 3 < sizeof(common); i += 3) {
        uint32_t cp = 0;
        (void)utf8_decode((const uint8_t *)common + i, 3, &cp);
        set->common[cp / 64] |= (uint64_t)1 << (cp % 64);
    }
}
