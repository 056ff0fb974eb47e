/* A captured message as a line: always one line of JSON, unmasked with the text that was sent, masked without a long
 * number of it. */
#include "base/utf8.h"
#include "base/xalloc.h"
#include "gate/capture_mask.h"
#include "gate/capture_record.h"
#include "proto/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *why, struct span s)
{
    fprintf(stderr, "%s: %.*s\n", why, (int)s.n, (const char *)s.p);
    abort();
}

/* Five and more digits in a row are of the form that masking gives. */
static void check_numbers(struct span s)
{
    for (size_t from = 0, to; from < s.n; from = to) {
        to = from + 1;
        if (s.p[from] < '0' || s.p[from] > '9')
            continue;
        while (to < s.n && s.p[to] >= '0' && s.p[to] <= '9')
            to++;
        if (to - from < 5)
            continue;
        size_t at =
            from + (s.p[from] == '8' && s.p[from + 1] == '6' ? 2 : s.p[from] == '6'); /* "8 6" is written as well */
        at += s.p[at] == '1';
        at += s.p[at] == '3';
        while (at < to && s.p[at] == '0')
            at++;
        if (at < to)
            fail("a number survives", s);
    }
}

/* The text of a line, which is its last member, into `out`. */
static struct span text_of(struct json_doc *doc, struct span line, uint8_t *out)
{
    struct err e;
    if (!line.n || line.p[line.n - 1] != '\n' || memchr(line.p, '\n', line.n - 1))
        fail("not one line", line);
    if (json_read(doc, span_of(line.p, line.n - 1), 0, &e) != JSON_OK)
        fail(e.text, line);
    uint32_t text = json_member(doc, 0, span_str("text"));
    if (!text)
        fail("no text", line);
    return span_of(out, json_decode(doc, text, out, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct capture_mask *mask;
    static struct json_doc doc;
    static struct buf record, line;
    if (!mask)
        mask = capture_mask_new();
    uint8_t *copy = xmalloc(size), *out = xmalloc(8 * size + 1024);
    size_t n = 0;
    uint32_t cp;
    for (size_t i = 0, step; i < size; i += step) { /* the valid characters of the input; JSON has no NUL */
        step = MAX_OF(utf8_decode(data + i, size - i, &cp), 1u);
        if (utf8_decode(data + i, size - i, &cp) && cp) {
            memcpy(copy + n, data + i, step);
            n += step;
        }
    }
    struct span text = span_of(copy, n);
    struct capture_item item = {.dir = DIR_OUTGOING,
                                .agent = span_of(copy, utf8_valid_prefix(span_of(copy, MIN_OF(n, 40u)))),
                                .text = &text,
                                .n_texts = 1,
                                .rules_version = "0123456789abcdef"};
    buf_reset(&record);
    if (!capture_record_encode(&item, 1, &record))
        fail("not encoded", text);
    buf_reset(&line);
    capture_record_print(buf_span(&record), NULL, &line);
    struct span got = text_of(&doc, buf_span(&line), out);
    if (got.n != n || memcmp(got.p, copy, n) != 0)
        fail("another text", got);
    buf_reset(&line);
    capture_record_print(buf_span(&record), mask, &line);
    check_numbers(text_of(&doc, buf_span(&line), out));
    free(copy);
    free(out);
    return 0;
}
