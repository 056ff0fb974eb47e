/* text_gen UNIHAN_READINGS OUT.c: writes the folding tables. */
#include "text/gen/gen.h"

#include <stdarg.h>
#include <stdlib.h>

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("text_gen: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage: text_gen Unihan_Readings.txt.bz2 OUT.c");
    simplify_init();
    lookalike_init();
    canon_init();
    reading_init(argv[1]);
    FILE *f = fopen(argv[2], "we");
    if (!f)
        die("cannot write %s", argv[2]);
    fputs("/* Written by text_gen from Unicode, Unihan and OpenCC data. */\n#include \"text/table.h\"\n", f);
    emit_tables(f);
    reading_write(f);
    if (fclose(f) != 0)
        die("cannot write %s", argv[2]);
    return 0;
}
