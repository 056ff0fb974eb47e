/* One pass over the bytes, an explicit stack of open containers, no recursion. */
#include "proto/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/hash.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "proto/json_key.h"

enum { SRC_MAX = 1 << 30 };

struct reader {
    struct json_doc *doc;
    const uint8_t *p;
    uint32_t at, n;
    uint32_t open[JSON_DEPTH_MAX]; /* containers around the place we are at */
    uint32_t depth;
    enum json_result result;
    struct err *e;
};

static bool fail(struct reader *r, enum json_result result, const char *what)
{
    r->result = result;
    err_set(r->e, "%s at byte %u", what, r->at);
    return false;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->n) {
        uint8_t c = r->p[r->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return;
        r->at++;
    }
}

static struct json_node *add_node(struct reader *r, enum json_kind kind)
{
    struct json_doc *d = r->doc;
    if (d->n == JSON_NODES_MAX) {
        fail(r, JSON_TOO_COMPLEX, "too many values");
        return NULL;
    }
    if (d->n == d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : 64;
        d->cap = cap > JSON_NODES_MAX ? JSON_NODES_MAX : cap;
        d->node = xrealloc(d->node, d->cap * sizeof(*d->node));
    }
    struct json_node *node = &d->node[d->n++];
    *node = (struct json_node){.kind = (uint8_t)kind, .from = r->at, .next = d->n};
    return node;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits at r->at, or -1. */
static int hex4(const struct reader *r, uint32_t at)
{
    int v = 0;
    if (r->n - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(r->p[at + (uint32_t)i]);
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* r->at is behind "\u". */
static bool read_unicode(struct reader *r)
{
    int cp = hex4(r, r->at);
    if (cp < 0)
        return fail(r, JSON_INVALID, "\\u without four hexadecimal digits");
    if (cp == 0)
        return fail(r, JSON_AMBIGUOUS, "\\u0000");
    if (cp >= 0xdc00 && cp < 0xe000)
        return fail(r, JSON_AMBIGUOUS, "a lone surrogate");
    r->at += 4;
    if (cp < 0xd800 || cp >= 0xdc00)
        return true;
    if (r->n - r->at < 6 || r->p[r->at] != '\\' || r->p[r->at + 1] != 'u')
        return fail(r, JSON_AMBIGUOUS, "a lone surrogate");
    int low = hex4(r, r->at + 2);
    if (low < 0xdc00 || low >= 0xe000)
        return fail(r, JSON_AMBIGUOUS, "a lone surrogate");
    r->at += 6;
    return true;
}

/* r->at is at the backslash. */
static bool read_escape(struct reader *r)
{
    uint8_t c = r->at + 1 < r->n ? r->p[r->at + 1] : 0;
    if (c == 'u') {
        r->at += 2;
        return read_unicode(r);
    }
    if (!c || !strchr("\"\\/bfnrt", c))
        return fail(r, JSON_INVALID, "an unknown escape");
    r->at += 2;
    return true;
}

/* How many of the next bytes stand in a string as they are: all (STEP), or those before the first that does not. */
#ifdef __SSE2__
enum { STEP = 16 };

static inline unsigned plain_bytes(const uint8_t *p)
{
    __m128i w = _mm_loadu_si128((const __m128i *)p);
    __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(w, _mm_set1_epi8('"')), _mm_cmpeq_epi8(w, _mm_set1_epi8('\\')));
    stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(w, _mm_set1_epi8(0x1f)), w)); /* control characters */
    unsigned bits = (unsigned)_mm_movemask_epi8(stop);
    return bits ? (unsigned)__builtin_ctz(bits) : STEP;
}
#else
enum { STEP = 8 };

static inline unsigned plain_bytes(const uint8_t *p)
{
    for (unsigned i = 0; i < STEP; i++)
        if (p[i] == '"' || p[i] == '\\' || p[i] < 0x20)
            return i;
    return STEP;
}
#endif

/* Passes over what a string may hold as it is; may stop early, never late. Whether it is UTF-8 is looked at once for
 * the whole source. */
static inline void skip_plain(struct reader *r)
{
    while (r->n - r->at >= STEP) {
        unsigned n = plain_bytes(r->p + r->at);
        r->at += n;
        if (n < STEP)
            return;
    }
}

static bool read_string(struct reader *r, bool is_key)
{
    struct json_node *node = add_node(r, JSON_STRING);
    if (!node)
        return false;
    node->is_key = is_key;
    r->at++;
    for (;;) {
        skip_plain(r);
        if (r->at >= r->n)
            return fail(r, JSON_INVALID, "a string without its end");
        uint8_t c = r->p[r->at];
        if (c == '"')
            break;
        if (c == '\\') {
            node->has_escape = 1;
            if (!read_escape(r))
                return false;
        } else if (c < 0x20) {
            return fail(r, JSON_INVALID, "a control character in a string");
        } else {
            r->at++;
        }
    }
    node->to = ++r->at;
    if (is_key && !node->has_escape)
        node->n = json_key_mark(span_of(r->p + node->from + 1, node->to - node->from - 2));
    return true;
}

static uint32_t skip_digits(const struct reader *r, uint32_t at)
{
    while (at < r->n && r->p[at] >= '0' && r->p[at] <= '9')
        at++;
    return at;
}

static bool read_number(struct reader *r)
{
    struct json_node *node = add_node(r, JSON_NUMBER);
    if (!node)
        return false;
    uint32_t at = r->at + (r->p[r->at] == '-'), digits = at;
    at = skip_digits(r, at);
    if (at == digits || (r->p[digits] == '0' && at > digits + 1))
        return fail(r, JSON_INVALID, "not a number");
    if (at < r->n && r->p[at] == '.') {
        digits = ++at;
        if ((at = skip_digits(r, at)) == digits)
            return fail(r, JSON_INVALID, "a number without digits behind its point");
    }
    if (at < r->n && (r->p[at] | 0x20) == 'e') {
        at++;
        if (at < r->n && (r->p[at] == '+' || r->p[at] == '-'))
            at++;
        digits = at;
        if ((at = skip_digits(r, at)) == digits)
            return fail(r, JSON_INVALID, "a number without digits in its exponent");
    }
    node->to = r->at = at;
    return true;
}

static bool read_word(struct reader *r, const char *word, uint32_t len, enum json_kind kind)
{
    if (r->n - r->at < len || memcmp(r->p + r->at, word, len) != 0)
        return fail(r, JSON_INVALID, "an unknown word");
    struct json_node *node = add_node(r, kind);
    if (!node)
        return false;
    node->to = r->at += len;
    return true;
}

static bool read_scalar(struct reader *r)
{
    uint8_t c = r->p[r->at];
    switch (c) {
    case '"':
        return read_string(r, false);
    case 't':
        return read_word(r, "true", 4, JSON_TRUE);
    case 'f':
        return read_word(r, "false", 5, JSON_FALSE);
    case 'n':
        return read_word(r, "null", 4, JSON_NULL);
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return read_number(r);
        return fail(r, JSON_INVALID, "a value is missing");
    }
}

static bool read_key(struct reader *r)
{
    skip_space(r);
    if (r->at >= r->n || r->p[r->at] != '"')
        return fail(r, JSON_INVALID, "a key is missing");
    if (!read_string(r, true))
        return false;
    skip_space(r);
    if (r->at >= r->n || r->p[r->at] != ':')
        return fail(r, JSON_INVALID, "a colon is missing");
    r->at++;
    return true;
}

static bool close_container(struct reader *r)
{
    struct json_doc *d = r->doc;
    uint32_t i = r->open[--r->depth];
    r->at++;
    d->node[i].to = r->at;
    d->node[i].next = d->n;
    if (d->node[i].kind == JSON_ARRAY || d->node[i].n < 2 || (d->flags & JSON_DUP_LAST))
        return true;
    if (json_has_equal_keys(d, i))
        return fail(r, JSON_AMBIGUOUS, "two equal keys in the object that ends");
    return true;
}

enum next { NEXT_VALUE, NEXT_END, NEXT_FAIL };

/* Behind a whole value: commas and closing brackets up to the next value or the end of the document. */
static enum next after_value(struct reader *r)
{
    while (r->depth) {
        struct json_node *top = &r->doc->node[r->open[r->depth - 1]];
        bool is_object = top->kind == JSON_OBJECT;
        top->n++;
        skip_space(r);
        uint8_t c = r->at < r->n ? r->p[r->at] : 0;
        if (c == ',') {
            r->at++;
            return !is_object || read_key(r) ? NEXT_VALUE : NEXT_FAIL;
        }
        if (c != (is_object ? '}' : ']')) {
            fail(r, JSON_INVALID, is_object ? "',' or '}' is missing" : "',' or ']' is missing");
            return NEXT_FAIL;
        }
        if (!close_container(r))
            return NEXT_FAIL;
    }
    return NEXT_END;
}

/* At '{' or '['. An empty container is a whole value, else the first item (behind its key) is awaited. */
static enum next open_container(struct reader *r)
{
    bool is_object = r->p[r->at] == '{';
    if (r->depth == JSON_DEPTH_MAX) {
        fail(r, JSON_TOO_COMPLEX, "nested too deeply");
        return NEXT_FAIL;
    }
    if (!add_node(r, is_object ? JSON_OBJECT : JSON_ARRAY))
        return NEXT_FAIL;
    r->open[r->depth++] = r->doc->n - 1;
    r->at++;
    skip_space(r);
    if (r->at < r->n && r->p[r->at] == (is_object ? '}' : ']'))
        return close_container(r) ? after_value(r) : NEXT_FAIL;
    return !is_object || read_key(r) ? NEXT_VALUE : NEXT_FAIL;
}

static enum next read_value(struct reader *r)
{
    skip_space(r);
    if (r->at >= r->n) {
        fail(r, JSON_INVALID, "a value is missing");
        return NEXT_FAIL;
    }
    if (r->p[r->at] == '{' || r->p[r->at] == '[')
        return open_container(r);
    return read_scalar(r) ? after_value(r) : NEXT_FAIL;
}

static void read_document(struct reader *r)
{
    enum next next;
    do
        next = read_value(r);
    while (next == NEXT_VALUE);
    if (next == NEXT_FAIL)
        return;
    skip_space(r);
    if (r->at < r->n && !(r->doc->flags & JSON_TRAILING_OK))
        fail(r, JSON_AMBIGUOUS, "bytes behind the value");
}

enum json_result json_read(struct json_doc *doc, struct span src, unsigned flags, struct err *e)
{
    struct reader r = {.doc = doc, .p = src.p, .n = (uint32_t)src.n, .result = JSON_OK, .e = e};
    doc->src = src;
    doc->n = 0;
    doc->flags = flags;
    if (src.n > SRC_MAX) {
        fail(&r, JSON_TOO_COMPLEX, "longer than 1 GiB");
        return r.result;
    }
    if (src.n >= 3 && memcmp(src.p, "\xef\xbb\xbf", 3) == 0) {
        fail(&r, JSON_AMBIGUOUS, "a byte order mark");
        return r.result;
    }
    read_document(&r);
    size_t valid = utf8_valid_prefix(span_of(src.p, r.at));
    if (valid < r.at) { /* that came first */
        r.at = (uint32_t)valid;
        fail(&r, JSON_INVALID, "bytes that are not UTF-8");
    }
    return r.result;
}

void json_doc_fini(struct json_doc *doc)
{
    free(doc->node);
    free(doc->slot);
    *doc = (struct json_doc){0};
}
