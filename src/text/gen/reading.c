#include "text/gen/gen.h"

#include <bzlib.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

enum { LINE_MAX_BYTES = 4096, SOURCES = 4 };

/* The first that gives a reading wins. kMandarin is the usual reading; the others know rarer characters. */
static const char *const sources[SOURCES] = {"kMandarin", "kTGHZ2013", "kHanyuPinlu", "kXHC1983"};

static char name[FOLD_SYLLABLES_MAX][FOLD_SYLLABLE_LEN + 1];
static uint32_t name_n = 1; /* number 0 is no syllable */
static uint16_t syllable[FOLD_CODE_POINTS];
static uint8_t rank[FOLD_CODE_POINTS]; /* which source gave it, from 1 */

static uint32_t number_of(const char *s)
{
    for (uint32_t i = 1; i < name_n; i++)
        if (strcmp(name[i], s) == 0)
            return i;
    if (name_n == FOLD_SYLLABLES_MAX)
        die("more than %d syllables", FOLD_SYLLABLES_MAX);
    snprintf(name[name_n], sizeof(name[0]), "%s", s);
    return name_n++;
}

/* "lǜ" is "lv": letters only, ü as v. False when it is no syllable of a to z. */
static bool toneless(const char *s, size_t len, char out[FOLD_SYLLABLE_LEN + 1])
{
    UErrorCode err = U_ZERO_ERROR;
    const UNormalizer2 *nfd = unorm2_getNFDInstance(&err);
    size_t n = 0;
    for (int32_t i = 0; i < (int32_t)len;) {
        UChar32 c;
        UChar in[2], dec[16];
        int32_t in_n = 0;
        U8_NEXT((const uint8_t *)s, i, (int32_t)len, c);
        if (c < 0)
            return false;
        U16_APPEND_UNSAFE(in, in_n, c);
        int32_t k = unorm2_normalize(nfd, in, in_n, dec, 16, &err);
        for (int32_t j = 0; j < k; j++) {
            if (dec[j] == 0x308 && n && out[n - 1] == 'u')
                out[n - 1] = 'v';
            else if (dec[j] >= 'a' && dec[j] <= 'z' && n < FOLD_SYLLABLE_LEN)
                out[n++] = (char)dec[j];
            else if (!prop_is_mark(dec[j]))
                return false;
        }
    }
    out[n] = 0;
    return n > 0;
}

/* The first reading of a field's value: "wēi", "3089.160:wēi,wéi", "wēi(123)". */
static void take(uint32_t cp, uint8_t source, char *value)
{
    char s[FOLD_SYLLABLE_LEN + 1];
    if (rank[cp] && rank[cp] <= source)
        return;
    char *colon = strchr(value, ':');
    if (colon)
        value = colon + 1;
    if (!toneless(value, strcspn(value, ",( \r\n"), s))
        return;
    syllable[cp] = (uint16_t)number_of(s);
    rank[cp] = source;
}

static void take_line(char *line)
{
    char *end;
    if (strncmp(line, "U+", 2) != 0)
        return;
    unsigned long cp = strtoul(line + 2, &end, 16);
    if (*end != '\t' || cp >= FOLD_CODE_POINTS)
        return;
    char *field = end + 1, *value = strchr(field, '\t');
    if (!value)
        return;
    *value++ = 0;
    for (uint8_t i = 0; i < SOURCES; i++)
        if (strcmp(field, sources[i]) == 0)
            take((uint32_t)cp, (uint8_t)(i + 1), value);
}

void reading_init(const char *path)
{
    BZFILE *bz = BZ2_bzopen(path, "rb");
    if (!bz)
        die("cannot read %s (Debian: unicode-data)", path);
    static char line[LINE_MAX_BYTES], chunk[65536];
    size_t len = 0;
    int got;
    while ((got = BZ2_bzread(bz, chunk, sizeof(chunk))) > 0) {
        for (int i = 0; i < got; i++) {
            if (chunk[i] != '\n') {
                if (len < sizeof(line) - 1)
                    line[len++] = chunk[i];
                continue;
            }
            line[len] = 0;
            len = 0;
            take_line(line);
        }
    }
    BZ2_bzclose(bz);
    if (got < 0)
        die("%s is damaged (Debian: unicode-data)", path);
    if (name_n < 380)
        die("%s: only %u syllables found", path, name_n - 1);
    syllable[0x3007] = syllable[0x96f6]; /* 〇, no ideograph to Unihan, is read as 零 */
}

uint32_t reading_of(uint32_t cp)
{
    return syllable[cp];
}

static uint32_t spell_key[FOLD_SPELL_SLOTS];
static uint16_t spell_number[FOLD_SPELL_SLOTS];

static void add_spelling(const char *s, uint32_t number)
{
    uint32_t key = 0;
    for (; *s; s++)
        key = fold_spell_add(key, (uint8_t)*s);
    uint32_t slot = fold_spell_slot(key);
    while (spell_key[slot] && spell_key[slot] != key)
        slot = (slot + 1) % FOLD_SPELL_SLOTS;
    spell_key[slot] = key;
    spell_number[slot] = (uint16_t)number;
}

/* hm, n, ng: readings of interjections, but no spelling that somebody means as pinyin. */
static bool has_vowel(const char *s)
{
    return strpbrk(s, "aeiouv") != NULL;
}

void reading_write(FILE *f)
{
    for (uint32_t i = 1; i < name_n; i++)
        if (has_vowel(name[i]))
            add_spelling(name[i], i);
    add_spelling("lue", number_of("lve"));
    add_spelling("nue", number_of("nve"));
    fprintf(f, "const uint32_t fold_syllable_n = %u;\nconst char fold_syllable[][FOLD_SYLLABLE_LEN + 1] = {\n", name_n);
    for (uint32_t i = 0; i < name_n; i++)
        fprintf(f, "\"%s\",\n", name[i]);
    fputs("};\nconst uint32_t fold_spell_key[FOLD_SPELL_SLOTS] = {\n", f);
    for (uint32_t i = 0; i < FOLD_SPELL_SLOTS; i++)
        fprintf(f, "%u,%s", spell_key[i], i % 16 == 15 ? "\n" : "");
    fputs("};\nconst uint16_t fold_spell_syllable[FOLD_SPELL_SLOTS] = {\n", f);
    for (uint32_t i = 0; i < FOLD_SPELL_SLOTS; i++)
        fprintf(f, "%u,%s", spell_number[i], i % 16 == 15 ? "\n" : "");
    fputs("};\n", f);
}
