/* Feeds a fuzz target its corpus and a fixed number of mutations of it (same seed every time). Lines of the corpus are
 * also put into one another: what only a check digit makes valid is not found by turning bits. */
#include <dirent.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/xalloc.h"

enum { MUTATIONS_PER_FILE = 2000, INPUT_MAX = 65536, LINES_MAX = 4096, LINE_MAX = 200, HANG_S = 60 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint64_t draw(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

static struct line {
    const uint8_t *p;
    size_t n;
} line[LINES_MAX];
static size_t n_lines;

static void keep_lines(const uint8_t *data, size_t n)
{
    for (size_t at = 0, end; at < n && n_lines < LINES_MAX; at = end + 1) {
        const uint8_t *stop = memchr(data + at, '\n', n - at);
        end = stop ? (size_t)(stop - data) : n;
        if (end > at && end - at <= LINE_MAX)
            line[n_lines++] = (struct line){memcpy(xmalloc(end - at), data + at, end - at), end - at};
    }
}

/* A line between two characters. */
static size_t insert_line(uint8_t *d, size_t n, size_t at)
{
    const struct line *l = &line[draw() % n_lines];
    while (at < n && (d[at] & 0xc0) == 0x80)
        at++;
    if (n + l->n > INPUT_MAX)
        return n;
    memmove(d + at + l->n, d + at, n - at);
    memcpy(d + at, l->p, l->n);
    return n + l->n;
}

/* Runs on an exact-size heap copy, so that the address sanitizer sees a read one byte too far. */
static void run_once(const uint8_t *data, size_t n)
{
    uint8_t *copy = xmalloc(n);
    memcpy(copy, data, n);
    alarm(HANG_S); /* an input that takes so long is a failure, by SIGALRM */
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static size_t mutate(uint8_t *d, size_t n)
{
    for (uint64_t k = 1 + draw() % 4; k; k--) {
        size_t at = n ? draw() % n : 0;
        switch (draw() % 6) {
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
        case 5:
            if (n_lines)
                n = insert_line(d, n, at);
            break;
        }
    }
    return n;
}

static size_t read_file(const char *path, uint8_t *data)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        perror(path);
        exit(1);
    }
    size_t n = fread(data, 1, INPUT_MAX, f);
    fclose(f);
    return n;
}

static void run_file(const char *path)
{
    static uint8_t data[INPUT_MAX], work[INPUT_MAX];
    size_t n = read_file(path, data);
    run_once(data, n);
    for (int i = 0; i < MUTATIONS_PER_FILE; i++) {
        memcpy(work, data, n);
        run_once(work, mutate(work, n));
    }
}

static void keep_lines_of(const char *path)
{
    static uint8_t data[INPUT_MAX];
    keep_lines(data, read_file(path, data));
}

/* Calls for every file; returns how many there are. */
static unsigned each_file(const char *dir, void (*use)(const char *path))
{
    struct dirent **names;
    unsigned files = 0;
    int n = scandir(dir, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            char *path = xasprintf("%s/%s", dir, names[i]->d_name);
            use(path);
            free(path);
            files++;
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return files;
}

int main(int argc, char **argv)
{
    const char *dir = argc == 2 ? argv[1] : "(no folder given)";
    unsigned files = each_file(dir, keep_lines_of);
    each_file(dir, run_file);
    if (!files) {
        fprintf(stderr, "no corpus in %s\n", dir);
        return 1;
    }
    printf("%u files, %u inputs\n", files, files * (MUTATIONS_PER_FILE + 1));
    return 0;
}
