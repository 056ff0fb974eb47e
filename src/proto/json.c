/* One pass over the bytes, an explicit stack of open containers, no recursion. */
#include "proto/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/hash.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "proto/json_key.h"

enum { SRC_MAX = 1 << 30, WINDOW = 64 };

/* An object or array that is not closed yet. Its keys so far set bits by what tells them apart; a key whose bit was set
 * may have been there before, and only then (or where readers may fold or unescape) all are compared. */
struct open {
    uint32_t node, n; /* members or items so far */
    bool is_object, may_repeat;
    uint64_t seen;
};

/* Functions that read on are given the place where they begin and return the place behind; 0, which is never behind
 * anything: failed. */
struct reader {
    const uint8_t *p;
    size_t n;
    size_t window;          /* where the 64 bytes begin that were looked at last */
    uint64_t stop;          /* those of them that do not stand in a string as they are */
    struct open *top;       /* the innermost container; open[0], the document, is none */
    struct json_node *node; /* doc's */
    uint32_t n_nodes, cap;
    struct json_doc *doc;
    size_t at;        /* where it failed */
    size_t wide_from; /* the first byte seen that is not ASCII */
    enum json_result result;
    struct err *e;
    struct open open[JSON_DEPTH_MAX + 1];
    uint8_t copy[WINDOW]; /* of a document that is shorter */
};

static NOINLINE size_t fail(struct reader *r, size_t at, enum json_result result, const char *what)
{
    r->at = at;
    r->result = result;
    err_set(r->e, "%s at byte %zu", what, at);
    return 0;
}

static inline uint8_t byte_at(const struct reader *r, size_t at)
{
    return at < r->n ? r->p[at] : 0;
}

/* Passes over white space; the byte behind it, 0 at the end. */
ALWAYS_INLINE uint8_t next_byte(const struct reader *r, size_t *at)
{
    for (; *at < r->n; ++*at) {
        uint8_t c = r->p[*at];
        if (c > ' ' || (c != ' ' && c != '\n' && c != '\r' && c != '\t'))
            return c;
    }
    return 0;
}

static NOINLINE bool grow(struct reader *r, size_t at)
{
    struct json_doc *d = r->doc;
    if (r->cap == JSON_NODES_MAX) {
        fail(r, at, JSON_TOO_COMPLEX, "too many values");
        return false;
    }
    d->cap = d->cap ? MIN_OF(d->cap * 2, (uint32_t)JSON_NODES_MAX) : 64;
    d->node = xrealloc(d->node, d->cap * sizeof(*d->node));
    r->node = d->node;
    r->cap = d->cap;
    return true;
}

ALWAYS_INLINE bool has_room(struct reader *r, size_t at)
{
    return r->n_nodes < r->cap || grow(r, at);
}

/* Needs room. `n` is 0 or, of a key, its mark. */
ALWAYS_INLINE void add_node(struct reader *r, struct json_node node, size_t from, size_t to, uint32_t n)
{
    node.from = (uint32_t)from;
    node.to = (uint32_t)to;
    node.n = n;
    struct json_node *new = &r->node[r->n_nodes++];
    node.next = r->n_nodes;
    *new = node;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
static int hex4(const struct reader *r, size_t at)
{
    int v = 0;
    if (r->n - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(r->p[at + (size_t)i]);
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* `at` is behind "\u". */
static size_t read_unicode(struct reader *r, size_t at)
{
    int cp = hex4(r, at);
    if (cp < 0)
        return fail(r, at, JSON_INVALID, "\\u without four hexadecimal digits");
    if (cp == 0)
        return fail(r, at, JSON_AMBIGUOUS, "\\u0000");
    if (cp >= 0xdc00 && cp < 0xe000)
        return fail(r, at, JSON_AMBIGUOUS, "a lone surrogate");
    at += 4;
    if (cp < 0xd800 || cp >= 0xdc00)
        return at;
    if (r->n - at < 6 || r->p[at] != '\\' || r->p[at + 1] != 'u')
        return fail(r, at, JSON_AMBIGUOUS, "a lone surrogate");
    int low = hex4(r, at + 2);
    if (low < 0xdc00 || low >= 0xe000)
        return fail(r, at, JSON_AMBIGUOUS, "a lone surrogate");
    return at + 6;
}

/* `at` is at the backslash. */
static size_t read_escape(struct reader *r, size_t at)
{
    uint8_t c = byte_at(r, at + 1);
    if (c == 'u')
        return read_unicode(r, at + 2);
    if (!c || !strchr("\"\\/bfnrt", c))
        return fail(r, at, JSON_INVALID, "an unknown escape");
    return at + 2;
}

/* --- strings --- */

#ifdef __SSE2__
ALWAYS_INLINE uint64_t load_16(const uint8_t *p, uint64_t *stop)
{
    __m128i w = _mm_loadu_si128((const __m128i *)p);
    __m128i is = _mm_or_si128(_mm_cmpeq_epi8(w, _mm_set1_epi8('"')), _mm_cmpeq_epi8(w, _mm_set1_epi8('\\')));
    is = _mm_or_si128(is, _mm_cmpeq_epi8(_mm_min_epu8(w, _mm_set1_epi8(0x1f)), w)); /* control characters */
    *stop = (unsigned)_mm_movemask_epi8(is);
    return (unsigned)_mm_movemask_epi8(w);
}

ALWAYS_INLINE uint64_t load_bits(const uint8_t *p, uint64_t *stop)
{
    uint64_t s[4], wide = load_16(p, &s[0]);
    wide |= load_16(p + 16, &s[1]) << 16;
    wide |= load_16(p + 32, &s[2]) << 32;
    wide |= load_16(p + 48, &s[3]) << 48;
    *stop = s[0] | s[1] << 16 | s[2] << 32 | s[3] << 48;
    return wide;
}
#else
ALWAYS_INLINE uint64_t load_bits(const uint8_t *p, uint64_t *stop)
{
    uint64_t wide = 0;
    *stop = 0;
    for (unsigned i = 0; i < WINDOW; i++) {
        *stop |= (uint64_t)(p[i] == '"' || p[i] == '\\' || p[i] < 0x20) << i;
        wide |= (uint64_t)(p[i] >> 7) << i;
    }
    return wide;
}
#endif

/* Looks at 64 bytes, `at` and what it can of the following among them. A short document stands in a copy, and behind it
 * bytes that end a string. */
static void load_window(struct reader *r, size_t at)
{
    r->window = r->n < WINDOW ? 0 : MIN_OF(at, r->n - WINDOW);
    uint64_t wide = load_bits(r->p + r->window, &r->stop);
    if (wide)
        r->wide_from = MIN_OF(r->wide_from, r->window + (size_t)__builtin_ctzll(wide));
}

static NOINLINE size_t skip_far(struct reader *r, size_t at)
{
    while (at < r->n) {
        load_window(r, at);
        uint64_t stop = r->stop >> (at - r->window);
        if (stop)
            return at + (size_t)__builtin_ctzll(stop);
        at = r->window + WINDOW;
    }
    return r->n;
}

/* The first byte from `at` on that does not stand in a string as it is, or the end. Whether the others are UTF-8 is
 * looked at once, when the document was read. */
ALWAYS_INLINE size_t skip_plain(struct reader *r, size_t at)
{
    size_t off = at - r->window;
    uint64_t stop = off < WINDOW ? r->stop >> off : 0;
    return stop ? at + (size_t)__builtin_ctzll(stop) : skip_far(r, at);
}

/* What begins with `at`, a byte that ends no string, up to the closing quote. */
static NOINLINE size_t read_odd_string(struct reader *r, size_t at)
{
    while (byte_at(r, at) != '"') {
        if (at >= r->n)
            return fail(r, at, JSON_INVALID, "a string without its end");
        if (r->p[at] != '\\')
            return fail(r, at, JSON_INVALID, "a control character in a string");
        if (!(at = read_escape(r, at)))
            return 0;
        at = skip_plain(r, at);
    }
    return at + 1;
}

/* Keys of the root are noted by their slots as well. */
ALWAYS_INLINE uint32_t note_key(struct reader *r, size_t from, size_t to)
{
    struct open *top = r->top;
    uint32_t mark = json_key_mark(span_of(r->p + from + 1, to - from - 2));
    unsigned slot = json_key_slot(mark);
    if (top->seen >> slot & 1)
        top->may_repeat = true;
    top->seen |= 1ull << slot;
    if (top == r->open + 1)
        r->doc->key_at[slot] = (uint16_t)r->n_nodes;
    return mark;
}

/* `from` is at the quote. */
ALWAYS_INLINE size_t read_string(struct reader *r, size_t from, bool is_key)
{
    if (!has_room(r, from))
        return 0;
    size_t at = skip_plain(r, from + 1);
    if (byte_at(r, at) == '"') {
        uint32_t mark = is_key ? note_key(r, from, at + 1) : 0;
        add_node(r, (struct json_node){.kind = JSON_STRING, .is_key = is_key}, from, at + 1, mark);
        return at + 1;
    }
    if (!(at = read_odd_string(r, at)))
        return 0;
    if (is_key)
        r->top->may_repeat = true;
    add_node(r, (struct json_node){.kind = JSON_STRING, .is_key = is_key, .has_escape = 1}, from, at, 0);
    return at;
}

/* --- other scalars --- */

static size_t skip_digits(const struct reader *r, size_t at)
{
    while (at < r->n && r->p[at] >= '0' && r->p[at] <= '9')
        at++;
    return at;
}

static size_t read_number(struct reader *r, size_t from)
{
    size_t digits = from + (r->p[from] == '-'), at = skip_digits(r, digits);
    if (!has_room(r, from))
        return 0;
    if (at == digits || (r->p[digits] == '0' && at > digits + 1))
        return fail(r, from, JSON_INVALID, "not a number");
    if (byte_at(r, at) == '.') {
        digits = ++at;
        if ((at = skip_digits(r, at)) == digits)
            return fail(r, from, JSON_INVALID, "a number without digits behind its point");
    }
    if ((byte_at(r, at) | 0x20) == 'e') {
        at++;
        if (byte_at(r, at) == '+' || byte_at(r, at) == '-')
            at++;
        digits = at;
        if ((at = skip_digits(r, at)) == digits)
            return fail(r, from, JSON_INVALID, "a number without digits in its exponent");
    }
    add_node(r, (struct json_node){.kind = JSON_NUMBER}, from, at, 0);
    return at;
}

static size_t read_word(struct reader *r, size_t at, const char *word, size_t len, enum json_kind kind)
{
    if (r->n - at < len || memcmp(r->p + at, word, len) != 0)
        return fail(r, at, JSON_INVALID, "an unknown word");
    if (!has_room(r, at))
        return 0;
    add_node(r, (struct json_node){.kind = (uint8_t)kind}, at, at + len, 0);
    return at + len;
}

/* What is neither a string nor a container. */
static NOINLINE size_t read_other(struct reader *r, size_t at)
{
    uint8_t c = byte_at(r, at);
    switch (c) {
    case 't':
        return read_word(r, at, "true", 4, JSON_TRUE);
    case 'f':
        return read_word(r, at, "false", 5, JSON_FALSE);
    case 'n':
        return read_word(r, at, "null", 4, JSON_NULL);
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return read_number(r, at);
        return fail(r, at, JSON_INVALID, "a value is missing");
    }
}

/* --- containers --- */

/* Up to the value behind it. */
ALWAYS_INLINE size_t read_key(struct reader *r, size_t at)
{
    if (next_byte(r, &at) != '"')
        return fail(r, at, JSON_INVALID, "a key is missing");
    if (!(at = read_string(r, at, true)))
        return 0;
    if (next_byte(r, &at) != ':')
        return fail(r, at, JSON_INVALID, "a colon is missing");
    return at + 1;
}

/* `at` is at the closing bracket. */
static size_t close_container(struct reader *r, size_t at)
{
    const struct open *o = r->top--;
    struct json_node *node = &r->node[o->node];
    node->to = (uint32_t)++at;
    node->next = r->n_nodes;
    node->n = o->n;
    if (o->may_repeat && !(r->doc->flags & JSON_DUP_LAST) && json_has_equal_keys(r->doc, o->node))
        return fail(r, at, JSON_AMBIGUOUS, "two equal keys in the object that ends");
    return at;
}

/* Behind a whole value: closing brackets, then a comma or the end of the document. */
ALWAYS_INLINE size_t after_value(struct reader *r, size_t at)
{
    while (r->top > r->open) {
        bool is_object = r->top->is_object;
        r->top->n++;
        uint8_t c = next_byte(r, &at);
        if (c == ',')
            return at + 1;
        if (c != (is_object ? '}' : ']'))
            return fail(r, at, JSON_INVALID, is_object ? "',' or '}' is missing" : "',' or ']' is missing");
        if (!(at = close_container(r, at)))
            return 0;
    }
    return at;
}

/* `at` is at the opening bracket. An empty container is closed at once (*is_whole). */
static NOINLINE size_t open_container(struct reader *r, size_t at, bool *is_whole)
{
    bool is_object = r->p[at] == '{';
    if (r->top == &r->open[JSON_DEPTH_MAX])
        return fail(r, at, JSON_TOO_COMPLEX, "nested too deeply");
    if (!has_room(r, at))
        return 0;
    add_node(r, (struct json_node){.kind = is_object ? JSON_OBJECT : JSON_ARRAY}, at, at, 0);
    /* keys that are one to a reader without regard to case are not told apart by their bytes */
    bool may_repeat = is_object && (r->doc->flags & JSON_KEYS_CASEFOLD);
    *++r->top = (struct open){.node = r->n_nodes - 1, .is_object = is_object, .may_repeat = may_repeat};
    at++;
    *is_whole = next_byte(r, &at) == (is_object ? '}' : ']');
    return *is_whole ? close_container(r, at) : at;
}

/* The place behind the value; 0: not JSON. */
static size_t read_value(struct reader *r)
{
    size_t at = 0;
    do {
        bool is_whole = true;
        if (r->top->is_object && !(at = read_key(r, at)))
            return 0;
        uint8_t c = next_byte(r, &at);
        if (c == '"')
            at = read_string(r, at, false);
        else if (c == '{' || c == '[')
            at = open_container(r, at, &is_whole);
        else
            at = read_other(r, at);
        if (at && is_whole)
            at = after_value(r, at);
    } while (at && r->top > r->open);
    return at;
}

static void use_copy(struct reader *r)
{
    memset(r->copy, 0, WINDOW);
    if (r->n)
        memcpy(r->copy, r->p, r->n);
    r->p = r->copy;
}

static void read_document(struct reader *r)
{
    if (r->n < WINDOW)
        use_copy(r);
    size_t at = read_value(r);
    const struct open *root = r->open + 1;
    if (!at)
        return;
    if (r->node->kind == JSON_OBJECT) {
        r->doc->is_indexed = !root->may_repeat;
        r->doc->has_key = root->seen;
    }
    next_byte(r, &at);
    r->at = at;
    if (at < r->n && !(r->doc->flags & JSON_TRAILING_OK))
        fail(r, at, JSON_AMBIGUOUS, "bytes behind the value");
}

/* Of what was read, only strings can hold other than ASCII. */
static void check_utf8(struct reader *r)
{
    if (r->wide_from >= r->at)
        return;
    size_t valid = r->wide_from + utf8_valid_prefix(span_of(r->p + r->wide_from, r->at - r->wide_from));
    if (valid < r->at) /* that came first */
        fail(r, valid, JSON_INVALID, "bytes that are not UTF-8");
}

enum json_result json_read(struct json_doc *doc, struct span src, unsigned flags, struct err *e)
{
    struct reader r; /* `open` and `copy` are not cleared */
    r.p = src.p;
    r.n = src.n;
    r.window = SIZE_MAX / 2; /* none yet: no place is so near behind it */
    r.top = r.open;
    r.top->is_object = false;
    r.node = doc->node;
    r.n_nodes = 0;
    r.cap = doc->cap;
    r.doc = doc;
    r.at = 0;
    r.wide_from = SIZE_MAX;
    r.result = JSON_OK;
    r.e = e;
    doc->src = src;
    doc->flags = flags;
    doc->is_indexed = false;
    if (src.n > SRC_MAX)
        fail(&r, 0, JSON_TOO_COMPLEX, "longer than 1 GiB");
    else if (src.n >= 3 && memcmp(src.p, "\xef\xbb\xbf", 3) == 0)
        fail(&r, 0, JSON_AMBIGUOUS, "a byte order mark");
    else
        read_document(&r);
    check_utf8(&r);
    doc->n = r.n_nodes;
    return r.result;
}

void json_doc_fini(struct json_doc *doc)
{
    free(doc->node);
    free(doc->slot);
    *doc = (struct json_doc){0};
}
