/* A second JSON reader, byte by byte and by recursion, to compare the gateway's with: the same results, the same places
 * of failure, the same nodes. Slow, and with equal keys found by comparing each with each. */
#pragma once

#include "base/buf.h"
#include "base/utf8.h"
#include "proto/json.h"

enum { PLAIN_KEYS_MAX = 200 }; /* objects with more are not looked at for equal keys */

struct plain {
    struct span src;
    unsigned flags;
    struct json_node node[JSON_NODES_MAX];
    uint32_t n, at, depth;
    enum json_result result;
    uint32_t failed_at;
    bool is_unsure; /* an object was too large for us */
};

static inline bool plain_fail(struct plain *p, enum json_result result, uint32_t at)
{
    p->result = result;
    p->failed_at = at;
    return false;
}

static inline int plain_byte(const struct plain *p)
{
    return p->at < p->src.n ? p->src.p[p->at] : -1;
}

static inline void plain_space(struct plain *p)
{
    while (plain_byte(p) == ' ' || plain_byte(p) == '\t' || plain_byte(p) == '\r' || plain_byte(p) == '\n')
        p->at++;
}

static inline struct json_node *plain_add(struct plain *p, enum json_kind kind)
{
    if (p->n == JSON_NODES_MAX) {
        plain_fail(p, JSON_TOO_COMPLEX, p->at);
        return NULL;
    }
    struct json_node *node = &p->node[p->n++];
    *node = (struct json_node){.kind = (uint8_t)kind, .from = p->at, .next = p->n};
    return node;
}

/* Four hexadecimal digits; -1: they are none. */
static inline int plain_hex4(const struct plain *p, uint32_t at)
{
    char digits[5] = "";
    if (p->src.n - at < 4)
        return -1;
    memcpy(digits, p->src.p + at, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? (int)strtol(digits, NULL, 16) : -1;
}

static inline bool plain_unicode(struct plain *p, uint32_t *cp)
{
    int high = plain_hex4(p, p->at), low;
    if (high < 0)
        return plain_fail(p, JSON_INVALID, p->at);
    if (high == 0 || (high & 0xfc00) == 0xdc00)
        return plain_fail(p, JSON_AMBIGUOUS, p->at);
    p->at += 4;
    *cp = (uint32_t)high;
    if ((high & 0xfc00) != 0xd800)
        return true;
    if (p->src.n - p->at < 6 || memcmp(p->src.p + p->at, "\\u", 2) != 0 || (low = plain_hex4(p, p->at + 2)) < 0 ||
        (low & 0xfc00) != 0xdc00)
        return plain_fail(p, JSON_AMBIGUOUS, p->at);
    *cp = 0x10000 + (((uint32_t)high & 0x3ff) << 10) + ((uint32_t)low & 0x3ff);
    p->at += 6;
    return true;
}

/* One character of a string, unescaped. */
static inline bool plain_char(struct plain *p, uint32_t *cp, bool *is_escaped)
{
    int c = plain_byte(p);
    *is_escaped = c == '\\';
    if (c < 0x20)
        return plain_fail(p, JSON_INVALID, p->at);
    if (c != '\\') {
        unsigned n = utf8_decode(p->src.p + p->at, p->src.n - p->at, cp);
        p->at += n;
        return n ? true : plain_fail(p, JSON_INVALID, p->at);
    }
    p->at++;
    c = plain_byte(p);
    if (c == 'u') {
        p->at++;
        return plain_unicode(p, cp);
    }
    switch (c) {
    case 'b':
        *cp = '\b';
        break;
    case 'f':
        *cp = '\f';
        break;
    case 'n':
        *cp = '\n';
        break;
    case 'r':
        *cp = '\r';
        break;
    case 't':
        *cp = '\t';
        break;
    case '"':
    case '\\':
    case '/':
        *cp = (uint32_t)c;
        break;
    default:
        return plain_fail(p, JSON_INVALID, p->at - 1);
    }
    p->at++;
    return true;
}

static inline uint32_t plain_fold(const struct plain *p, uint32_t cp)
{
    if (!(p->flags & JSON_KEYS_CASEFOLD))
        return cp;
    return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp == 0x17f ? 's' : cp == 0x212a ? 'k' : cp;
}

/* `out`, when not NULL, gets the text, folded. */
static inline bool plain_string(struct plain *p, bool is_key, struct buf *out)
{
    struct json_node *node = plain_add(p, JSON_STRING);
    if (!node)
        return false;
    node->is_key = is_key;
    p->at++;
    while (plain_byte(p) != '"') {
        uint32_t cp = 0;
        bool is_escaped;
        uint8_t bytes[4];
        if (!plain_char(p, &cp, &is_escaped))
            return false;
        node->has_escape |= is_escaped;
        if (out)
            buf_append(out, bytes, utf8_encode(plain_fold(p, cp), bytes));
    }
    node->to = ++p->at;
    return true;
}

static inline uint32_t plain_digits(const struct plain *p, uint32_t at)
{
    while (at < p->src.n && p->src.p[at] >= '0' && p->src.p[at] <= '9')
        at++;
    return at;
}

static inline bool plain_number(struct plain *p)
{
    struct json_node *node = plain_add(p, JSON_NUMBER);
    uint32_t at = p->at + (plain_byte(p) == '-'), from = at;
    if (!node)
        return false;
    at = plain_digits(p, at);
    bool is_good = at > from && (p->src.p[from] != '0' || at == from + 1);
    if (is_good && at < p->src.n && p->src.p[at] == '.') {
        from = ++at;
        is_good = (at = plain_digits(p, at)) > from;
    }
    if (is_good && at < p->src.n && (p->src.p[at] == 'e' || p->src.p[at] == 'E')) {
        at++;
        at += at < p->src.n && (p->src.p[at] == '+' || p->src.p[at] == '-');
        from = at;
        is_good = (at = plain_digits(p, at)) > from;
    }
    if (!is_good)
        return plain_fail(p, JSON_INVALID, p->at);
    node->to = p->at = at;
    return true;
}

static inline bool plain_word(struct plain *p, const char *word, enum json_kind kind)
{
    size_t len = strlen(word);
    if (p->src.n - p->at < len || memcmp(p->src.p + p->at, word, len) != 0)
        return plain_fail(p, JSON_INVALID, p->at);
    struct json_node *node = plain_add(p, kind);
    if (!node)
        return false;
    node->to = p->at += (uint32_t)len;
    return true;
}

static inline bool plain_value(struct plain *p);

static inline bool plain_has_equal(const struct buf *key, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 1; k < n; k++)
            if (span_eq(buf_span(&key[i]), buf_span(&key[k])))
                return true;
    return false;
}

static inline bool plain_members(struct plain *p, struct json_node *top, struct buf key[PLAIN_KEYS_MAX])
{
    bool is_object = top->kind == JSON_OBJECT;
    const int end = is_object ? '}' : ']';
    p->at++;
    plain_space(p);
    if (plain_byte(p) == end)
        return true;
    for (;;) {
        if (is_object) {
            plain_space(p);
            if (plain_byte(p) != '"')
                return plain_fail(p, JSON_INVALID, p->at);
            p->is_unsure |= top->n >= PLAIN_KEYS_MAX;
            if (!plain_string(p, true, top->n < PLAIN_KEYS_MAX ? &key[top->n] : NULL))
                return false;
            plain_space(p);
            if (plain_byte(p) != ':')
                return plain_fail(p, JSON_INVALID, p->at);
            p->at++;
        }
        if (!plain_value(p))
            return false;
        top->n++;
        plain_space(p);
        if (plain_byte(p) == end)
            return true;
        if (plain_byte(p) != ',')
            return plain_fail(p, JSON_INVALID, p->at);
        p->at++;
    }
}

static inline bool plain_container(struct plain *p)
{
    struct buf key[PLAIN_KEYS_MAX] = {0};
    if (p->depth == JSON_DEPTH_MAX)
        return plain_fail(p, JSON_TOO_COMPLEX, p->at);
    struct json_node *top = plain_add(p, plain_byte(p) == '{' ? JSON_OBJECT : JSON_ARRAY);
    if (!top)
        return false;
    p->depth++;
    bool ok = plain_members(p, top, key);
    p->depth--;
    if (ok) {
        top->to = ++p->at;
        top->next = p->n;
        uint32_t n_keys = top->kind == JSON_OBJECT ? MIN_OF(top->n, (uint32_t)PLAIN_KEYS_MAX) : 0;
        if (!(p->flags & JSON_DUP_LAST) && plain_has_equal(key, n_keys))
            ok = plain_fail(p, JSON_AMBIGUOUS, p->at);
    }
    for (uint32_t i = 0; i < PLAIN_KEYS_MAX; i++)
        buf_fini(&key[i]);
    return ok;
}

static inline bool plain_value(struct plain *p)
{
    plain_space(p);
    int c = plain_byte(p);
    if (c == '{' || c == '[')
        return plain_container(p);
    if (c == '"')
        return plain_string(p, false, NULL);
    if (c == 't')
        return plain_word(p, "true", JSON_TRUE);
    if (c == 'f')
        return plain_word(p, "false", JSON_FALSE);
    if (c == 'n')
        return plain_word(p, "null", JSON_NULL);
    return c == '-' || (c >= '0' && c <= '9') ? plain_number(p) : plain_fail(p, JSON_INVALID, p->at);
}

static inline void plain_read(struct plain *p, struct span src, unsigned flags)
{
    p->src = src;
    p->flags = flags;
    p->n = p->at = p->depth = p->failed_at = 0;
    p->result = JSON_OK;
    p->is_unsure = false;
    if (src.n >= 3 && memcmp(src.p, "\xef\xbb\xbf", 3) == 0)
        plain_fail(p, JSON_AMBIGUOUS, 0);
    else if (plain_value(p)) {
        plain_space(p);
        if (p->at < src.n && !(flags & JSON_TRAILING_OK))
            plain_fail(p, JSON_AMBIGUOUS, p->at);
    }
}

/* Whether the gateway's reader says the same of the document; `e` is what it said. */
static inline bool plain_agrees(const struct plain *p, const struct json_doc *d, enum json_result r,
                                const struct err *e)
{
    const char *place = strstr(e->text, " at byte ");
    if (p->is_unsure)
        return true;
    if (r != p->result)
        return false;
    if (r != JSON_OK)
        return place && strtoul(place + strlen(" at byte "), NULL, 10) == p->failed_at;
    bool ok = d->n == p->n;
    for (uint32_t i = 0; ok && i < d->n; i++) {
        const struct json_node *a = &d->node[i], *b = &p->node[i];
        ok = a->kind == b->kind && a->is_key == b->is_key && a->has_escape == b->has_escape && a->from == b->from &&
             a->to == b->to && a->next == b->next && (a->is_key || a->n == b->n);
    }
    return ok;
}
