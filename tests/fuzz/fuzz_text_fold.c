/* Folding of what is valid in the input, with all views. */
#include "../unit/test_text_invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A heap copy of the exact size: a read past it is seen. */
static void check(struct fold_scratch *scratch, struct span text)
{
    uint8_t *copy = xmalloc(text.n);
    memcpy(copy, text.p, text.n);
    const char *wrong = check_folding(scratch, span_of(copy, text.n));
    free(copy);
    if (wrong) {
        fprintf(stderr, "%s\n", wrong);
        abort();
    }
}

/* The valid characters of the input, or mutations would leave little behind the first bad byte. */
static size_t keep_valid(const uint8_t *data, size_t size, uint8_t *out)
{
    size_t n = 0;
    uint32_t cp;
    for (size_t i = 0, len; i < size; i += len) {
        len = utf8_decode(data + i, size - i, &cp);
        memcpy(out + n, data + i, len);
        n += len;
        len = len ? len : 1;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fold_scratch *scratch;
    static uint8_t valid[FOLD_TEXT_MAX];
    if (!scratch)
        scratch = fold_scratch_new();
    size = MIN_OF(size, (size_t)FOLD_TEXT_MAX);
    check(scratch, span_of(data, utf8_valid_prefix(span_of(data, size))));
    check(scratch, span_of(valid, keep_valid(data, size, valid)));
    return 0;
}
