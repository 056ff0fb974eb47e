/* docs/configuration.md holds the key table as the program prints it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "conf/conf.h"

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    char *text = xcalloc(1, 1 << 18);
    assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
    fclose(f);
    return text;
}

static void the_page_has_the_table(void **state)
{
    (void)state;
    char *page = read_whole(SOURCE_DIR "/docs/configuration.md");
    char *table = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&table, &n);
    conf_print_keys(f, true);
    fclose(f);
    static const char begin[] = "<!-- keys -->\n", end[] = "<!-- /keys -->";
    const char *from = strstr(page, begin), *to = strstr(page, end);
    assert_non_null(from);
    assert_non_null(to);
    from += sizeof(begin) - 1;
    if ((size_t)(to - from) != n || memcmp(from, table, n) != 0)
        fail_msg("docs/configuration.md: the table is not what `chatgate check --keys-markdown` prints");
    free(table);
    free(page);
}

static void every_row_has_six_columns(void **state)
{
    (void)state;
    char *table = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&table, &n);
    conf_print_keys(f, true);
    fclose(f);
    unsigned bars = 0, rows = 0;
    for (const char *p = table; *p; p++) {
        bars += *p == '|';
        if (*p == '\n') {
            assert_int_equal(bars, 7);
            bars = 0;
            rows++;
        }
    }
    assert_true(rows > 60);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_the_table),
        cmocka_unit_test(every_row_has_six_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
