/* Feeds a fuzz target its corpus and a fixed number of mutations of it (same seed every time). */
#include <dirent.h>

#include "base/attr.h"
#include "base/xalloc.h"

enum { MUTATIONS_PER_FILE = 2000, INPUT_MAX = 65536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint64_t draw(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

/* Runs on an exact-size heap copy, so that the address sanitizer sees a read one byte too far. */
static void run_once(const uint8_t *data, size_t n)
{
    uint8_t *copy = xmalloc(n);
    memcpy(copy, data, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static size_t mutate(uint8_t *d, size_t n)
{
    for (uint64_t k = 1 + draw() % 4; k; k--) {
        size_t at = n ? draw() % n : 0;
        switch (draw() % 5) {
        case 0: /* flip a bit */
            if (n)
                d[at] ^= (uint8_t)(1u << draw() % 8);
            break;
        case 1: /* any byte */
            if (n)
                d[at] = (uint8_t)draw();
            break;
        case 2: /* cut */
            n = at;
            break;
        case 3: /* double a piece */
            if (n && n + (n - at) <= INPUT_MAX) {
                memmove(d + n, d + at, n - at);
                n += n - at;
            }
            break;
        case 4: /* take a byte out */
            if (n) {
                memmove(d + at, d + at + 1, n - at - 1);
                n--;
            }
            break;
        }
    }
    return n;
}

static void run_file(const char *path)
{
    static uint8_t data[INPUT_MAX], work[INPUT_MAX];
    FILE *f = fopen(path, "re");
    if (!f) {
        perror(path);
        exit(1);
    }
    size_t n = fread(data, 1, sizeof(data), f);
    fclose(f);
    run_once(data, n);
    for (int i = 0; i < MUTATIONS_PER_FILE; i++) {
        memcpy(work, data, n);
        run_once(work, mutate(work, n));
    }
}

int main(int argc, char **argv)
{
    unsigned files = 0;
    struct dirent **names;
    int n = argc == 2 ? scandir(argv[1], &names, NULL, alphasort) : -1;
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            char *path = xasprintf("%s/%s", argv[1], names[i]->d_name);
            run_file(path);
            free(path);
            files++;
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    if (!files) {
        fprintf(stderr, "no corpus in %s\n", argc == 2 ? argv[1] : "(no folder given)");
        return 1;
    }
    printf("%u files, %u inputs\n", files, files * (MUTATIONS_PER_FILE + 1));
    return 0;
}
