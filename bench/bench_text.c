#include "bench_text.h"

#include "base/json_out.h"
#include "base/utf8.h"
#include "base/xalloc.h"

enum { CORPUS_MAX_BYTES = 64 << 20, LINE_MAX_BYTES = 65536 };

static void add(struct texts *t, struct span text)
{
    if ((t->n & (t->n + 1)) == 0)
        t->end = xrealloc(t->end, sizeof(*t->end) * 2 * (t->n + 1));
    json_escape(&t->bytes, text);
    t->end[t->n++] = t->bytes.len;
}

int texts_load(struct texts *t, const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return err_sys(e, "%s", path);
    char *line = NULL;
    size_t cap = 0, number = 0;
    int rc = 0;
    for (ssize_t n; rc == 0 && (n = getline(&line, &cap, f)) >= 0;) {
        number++;
        while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        struct span s = span_of(line, (size_t)n);
        if (s.n > LINE_MAX_BYTES || t->bytes.len > CORPUS_MAX_BYTES)
            rc = err_set(e, "%s:%zu: more than %d bytes a line or %d in all", path, number, LINE_MAX_BYTES,
                         CORPUS_MAX_BYTES);
        else if (!utf8_is_valid(s))
            rc = err_set(e, "%s:%zu: not UTF-8", path, number);
        else if (s.n)
            add(t, s);
    }
    free(line);
    fclose(f);
    if (rc == 0 && !t->n)
        rc = err_set(e, "%s: no text in it", path);
    return rc;
}

void texts_set(struct texts *t, const char *one)
{
    add(t, span_str(one));
}

void texts_fini(struct texts *t)
{
    buf_fini(&t->bytes);
    free(t->end);
    *t = (struct texts){0};
}

struct span texts_get(const struct texts *t, size_t i)
{
    i %= t->n;
    uint32_t from = i ? t->end[i - 1] : 0;
    return span_of(t->bytes.data + t->bytes.start + from, t->end[i] - from);
}

static void put_id(struct buf *out, uint64_t seq)
{
    char *p = (char *)buf_reserve(out, TEXT_ID_LEN);
    *p++ = 'c';
    *p++ = 'b';
    for (int shift = 44; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[seq >> shift & 15];
    buf_commit(out, TEXT_ID_LEN);
}

static void put_text(struct buf *out, const struct text_fill *fill, size_t template_len)
{
    size_t have = template_len;
    do {
        buf_append_span(out, fill->text);
        have += fill->text.n;
    } while (have < fill->pad_to);
}

void text_build(struct buf *out, const char *template, const struct text_fill *fill)
{
    size_t len = strlen(template);
    for (const char *at = template; *at;) {
        const char *brace = strchr(at, '{');
        if (!brace) {
            buf_append_str(out, at);
            return;
        }
        buf_append(out, at, (size_t)(brace - at));
        at = brace;
        if (strncmp(at, "{id}", 4) == 0) {
            put_id(out, fill->seq);
            at += 4;
        } else if (strncmp(at, "{text}", 6) == 0) {
            put_text(out, fill, len);
            at += 6;
        } else if (strncmp(at, "{n}", 3) == 0) {
            buf_printf(out, "%u", fill->agent);
            at += 3;
        } else if (strncmp(at, "{c}", 3) == 0) {
            buf_printf(out, "%llu", (unsigned long long)(fill->convs ? fill->seq % fill->convs : 0));
            at += 3;
        } else {
            buf_append(out, at++, 1);
        }
    }
}

bool text_find_id(struct span payload, uint64_t *seq)
{
    const uint8_t *end = payload.p + payload.n, *at = payload.p;
    while (payload.n && (at = memmem(at, (size_t)(end - at), "\"cb", 3))) {
        uint64_t v = 0;
        int i = 0;
        at += 3;
        for (; i < 12 && at + i < end; i++) {
            uint8_t c = at[i];
            unsigned digit = c >= '0' && c <= '9' ? c - 0u - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16u;
            if (digit > 15)
                break;
            v = v << 4 | digit;
        }
        if (i == 12 && at + 12 < end && at[12] == '"') {
            *seq = v;
            return true;
        }
    }
    return false;
}
