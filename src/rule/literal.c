#include "rule/literal.h"

#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rule/literal_set.h"

/* A part of a pattern: either the exact set of strings that it can match (`is_exact`), or strings of which one must
 * occur in whatever it matches (possibly none), and then a second such set, and kinds of characters. Whatever is not
 * understood makes the whole pattern unknown. */
struct part {
    bool is_exact;
    unsigned kinds;
    struct literals set, also;
};

enum { CLASS_MAX = 24, DEPTH_MAX = 20 };

struct reader {
    const uint8_t *p, *end;
    bool is_unknown;
    unsigned depth;
};

static void set_none(struct part *a)
{
    a->is_exact = false;
    a->kinds = 0;
    a->set.n = a->also.n = 0;
}

/* A set has room for many and holds few: parts are made without clearing it, and copied by what is in them. */
static struct part *part_new(void)
{
    struct part *a = xmalloc(sizeof(*a));
    set_none(a);
    return a;
}

static void part_copy(struct part *to, const struct part *from)
{
    to->is_exact = from->is_exact;
    to->kinds = from->kinds;
    literals_copy(&to->set, &from->set);
    literals_copy(&to->also, &from->also);
}

static void set_empty(struct part *a)
{
    set_none(a);
    a->is_exact = true;
    a->set.n = 1;
    a->set.len[0] = 0;
}

/* A sequence being read: `exact` grows while all is exact, `best` is what must have been seen so far. */
struct sequence {
    struct part run;
    struct literals best, second;
    unsigned kinds;
    bool was_cut;
};

/* The kinds that fewer messages hold. */
static unsigned best_kinds(unsigned a, unsigned b)
{
    bool is_first = a && (!b || (a & b) == a);
    return is_first ? a : b;
}

static void sequence_add(struct sequence *s, const struct part *b)
{
    s->kinds = best_kinds(s->kinds, b->kinds);
    if (b->is_exact && s->run.is_exact && literals_product(&s->run.set, &b->set))
        return;
    literals_keep_best(&s->best, &s->second, &s->run.set);
    if (!b->is_exact) { /* an exact part is kept when its run ends */
        literals_keep_best(&s->best, &s->second, &b->set);
        literals_keep_best(&s->best, &s->second, &b->also);
    }
    s->was_cut = true;
    if (b->is_exact)
        part_copy(&s->run, b);
    else
        set_empty(&s->run);
}

static void read_alternatives(struct reader *r, struct part *out);

static uint32_t next_cp(struct reader *r)
{
    uint32_t cp = 0;
    unsigned n = r->p < r->end ? utf8_decode(r->p, (size_t)(r->end - r->p), &cp) : 0;
    if (!n) {
        r->is_unknown = true;
        r->p = r->end;
        return 0;
    }
    r->p += n;
    return cp;
}

static void set_one(struct part *out, uint32_t cp)
{
    set_empty(out);
    out->set.len[0] = 1;
    out->set.cp[0][0] = cp;
}

/* Behind \p or \P: a property, {Han} or one letter. False when it does not end. */
static bool skip_property(struct reader *r)
{
    const uint8_t *close = r->p < r->end && *r->p == '{' ? memchr(r->p, '}', (size_t)(r->end - r->p)) : r->p;
    if (!close || close >= r->end)
        return false;
    r->p = close + 1;
    return true;
}

static void read_escape(struct reader *r, struct part *out)
{
    uint32_t c = next_cp(r);
    if (strchr("bBAzZGK", (int)(c < 128 ? c : 0)) && c)
        set_empty(out);
    else if (c && c < 128 && strchr("dDwWsSvVhHRNX", (int)c))
        set_none(out);
    else if ((c == 'p' || c == 'P') && skip_property(r))
        set_none(out);
    else if (c >= '1' && c <= '9' && (r->p == r->end || *r->p < '0' || *r->p > '9'))
        set_none(out); /* what a group matched before */
    else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        r->is_unknown = true; /* \x, \Q and the like */
    else
        set_one(out, c);
}

static unsigned kind_of(uint8_t c)
{
    return (unsigned)c - '0' < 10 ? LITERAL_DIGIT : (c | 32u) - 'a' < 26 ? LITERAL_LETTER : 0;
}

/* Kinds of a class's characters, between its brackets; 0 when there are others, or it is not simple. */
static unsigned class_kinds(const uint8_t *p, const uint8_t *end)
{
    unsigned kinds = 0;
    for (; p < end; p++) {
        unsigned kind = kind_of(*p);
        if (!kind)
            return 0;
        kinds |= kind;
        if (p + 2 < end && p[1] == '-') {
            if (kind_of(p[2]) != kind || (*p & 32) != (p[2] & 32))
                return 0;
            p += 2;
        }
    }
    return kinds;
}

/* Behind "[". Small classes of plain characters are sets, everything else says nothing. */
static void read_class(struct reader *r, struct part *out)
{
    bool is_plain = true;
    const uint8_t *first = r->p;
    set_none(out);
    out->is_exact = true;
    if (r->p < r->end && *r->p == '^')
        is_plain = false, r->p++;
    for (bool is_first = true; r->p < r->end; is_first = false) {
        uint32_t c = next_cp(r);
        if (c == ']' && !is_first)
            break;
        if (c == '[') {
            if (r->p < r->end && (*r->p == ':' || *r->p == '.' || *r->p == '=')) {
                r->is_unknown = true;
                return;
            }
        } else if (c == '\\') {
            c = next_cp(r);
            if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
                bool is_property = c == 'p' || c == 'P';
                if (is_property ? !skip_property(r) : !strchr("dDwWsSvVhHbnrt", (int)c)) {
                    r->is_unknown = true;
                    return;
                }
                is_plain = false;
            }
        }
        if (r->p < r->end && *r->p == '-')
            is_plain = is_plain && r->p + 1 < r->end && r->p[1] == ']';
        if (out->set.n >= CLASS_MAX)
            is_plain = false;
        if (!is_plain)
            continue;
        out->set.len[out->set.n] = 1;
        out->set.cp[out->set.n++][0] = c;
    }
    if (!is_plain || out->set.n == 0)
        set_none(out);
    out->kinds = r->p > first ? class_kinds(first, r->p - 1) : 0;
}

/* Behind "(". Look-arounds match the empty string. */
static void read_group(struct reader *r, struct part *out)
{
    bool is_around = false;
    if (r->p < r->end && *r->p == '?') {
        const char *rest = (const char *)r->p;
        size_t left = (size_t)(r->end - r->p);
        if (left >= 2 && strchr("=!", rest[1]))
            is_around = true, r->p += 2;
        else if (left >= 3 && rest[1] == '<' && strchr("=!", rest[2]))
            is_around = true, r->p += 3;
        else if (left >= 2 && strchr(":>", rest[1]))
            r->p += 2;
        else if (left >= 3 && (rest[1] == '<' || rest[1] == 'P') && memchr(rest, '>', left) && rest[2] != '=' &&
                 rest[2] != '>')
            r->p = (const uint8_t *)memchr(rest, '>', left) + 1;
        else
            r->is_unknown = true; /* flags, comments, conditions, recursion */
    }
    if (++r->depth > DEPTH_MAX)
        r->is_unknown = true;
    if (r->is_unknown)
        return;
    read_alternatives(r, out);
    r->depth--;
    if (r->p < r->end && *r->p == ')')
        r->p++;
    else
        r->is_unknown = true;
    if (is_around)
        set_empty(out);
}

/* Applies a quantifier behind an item, if one stands there. */
static void read_quantifier(struct reader *r, struct part *out)
{
    for (; r->p < r->end && !r->is_unknown; r->p++) {
        if (*r->p == '*') {
            set_none(out);
        } else if (*r->p == '?') {
            if (out->is_exact && out->set.n < LITERALS_MAX)
                out->set.len[out->set.n++] = 0, out->kinds = 0;
            else
                set_none(out);
        } else if (*r->p == '+') {
            out->is_exact = false; /* what must be seen stays */
        } else if (*r->p == '{' && r->p + 1 < r->end && r->p[1] >= '0' && r->p[1] <= '9') {
            const uint8_t *close = memchr(r->p, '}', (size_t)(r->end - r->p));
            if (!close) {
                r->is_unknown = true;
                return;
            }
            if (strtol((const char *)r->p + 1, NULL, 10) == 0)
                set_none(out);
            out->is_exact = false;
            r->p = close;
        } else {
            return;
        }
        /* a lazy or possessive mark behind a quantifier changes nothing here */
        if (r->p + 1 < r->end && (r->p[1] == '?' || r->p[1] == '+'))
            r->p++;
    }
}

static void read_item(struct reader *r, struct part *out)
{
    uint32_t c = next_cp(r);
    if (c == '\\')
        read_escape(r, out);
    else if (c == '[')
        read_class(r, out);
    else if (c == '(')
        read_group(r, out);
    else if (c == '.')
        set_none(out);
    else if (c == '^' || c == '$')
        set_empty(out);
    else if (c == '{')
        r->is_unknown = true; /* a brace alone, or {,n} of newer versions */
    else
        set_one(out, c);
    if (!r->is_unknown)
        read_quantifier(r, out);
}

static void read_sequence(struct reader *r, struct part *out)
{
    struct sequence *s = xmalloc(sizeof(*s));
    struct part *item = part_new();
    s->best.n = s->second.n = 0;
    s->was_cut = false;
    s->kinds = 0;
    set_empty(&s->run);
    while (r->p < r->end && *r->p != '|' && *r->p != ')' && !r->is_unknown) {
        read_item(r, item);
        if (!r->is_unknown)
            sequence_add(s, item);
    }
    part_copy(out, &s->run);
    out->kinds = s->kinds;
    if (s->was_cut) {
        literals_keep_best(&s->best, &s->second, &s->run.set);
        out->is_exact = false;
        literals_copy(&out->set, &s->best);
        literals_copy(&out->also, &s->second);
    }
    free(item);
    free(s);
}

/* An alternative without a second set has its first one seen at least. */
static void unite_also(struct part *a, const struct part *b)
{
    if (!a->also.n && !b->also.n)
        return;
    if (!a->also.n)
        literals_copy(&a->also, &a->set);
    if (!literals_unite(&a->also, b->also.n ? &b->also : &b->set))
        a->also.n = 0;
}

static void read_alternatives(struct reader *r, struct part *out)
{
    struct part *next = part_new();
    read_sequence(r, out);
    while (!r->is_unknown && r->p < r->end && *r->p == '|') {
        r->p++;
        read_sequence(r, next);
        unite_also(out, next);
        out->kinds = out->kinds && next->kinds ? out->kinds | next->kinds : 0;
        unsigned n = out->set.n + next->set.n;
        out->is_exact = out->is_exact && next->is_exact && n <= LITERALS_MAX;
        if (literals_unite(&out->set, &next->set))
            continue;
        literals_copy(&out->set, &out->also); /* fewer, perhaps */
        out->also.n = 0;
        out->is_exact = false;
    }
    free(next);
}

unsigned literal_extract(const char *pattern, struct literals *out, struct literals *also)
{
    struct reader r = {(const uint8_t *)pattern, (const uint8_t *)pattern + strlen(pattern), false, 0};
    struct part *all = part_new();
    read_alternatives(&r, all);
    bool is_known = !r.is_unknown && r.p == r.end;
    unsigned kinds = is_known ? all->kinds : 0;
    out->n = also->n = 0;
    if (is_known && literals_shortest(&all->set) > 0) {
        literals_copy(out, &all->set);
        if (literals_shortest(&all->also) > 0)
            literals_copy(also, &all->also);
    }
    free(all);
    return kinds;
}
