/* Paths are compared segment by segment after percent-decoding. What two servers could read as different paths is
 * refused. Denials are compared without regard to case and trailing slash, since many routers do so. */
#include "proto/profile_route.h"

#include "proto/profile_cond.h"

enum { SEGS_MAX = 64, PATH_MAX_BYTES = 8192 };

/* --- compiling --- */

static struct span lower_copy(struct arena *a, struct span s)
{
    char *copy = arena_strdup(a, s);
    for (size_t i = 0; i < s.n; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] + 32);
    return span_of(copy, s.n);
}

static struct span compile_seg(struct arena *a, struct span seg, bool fold)
{
    if (seg.n > 2 && seg.p[0] == '{' && seg.p[seg.n - 1] == '}')
        return span_str("*");
    return fold ? lower_copy(a, seg) : span_of(arena_strdup(a, seg), seg.n);
}

int pattern_compile(const struct ynode *at, bool has_method, struct arena *a, struct pattern *out,
                    struct err_list *errs)
{
    const char *text;
    *out = (struct pattern){0};
    if (yaml_str(at, "route", &text, errs) != 0)
        return -1;
    const char *path = has_method ? strchr(text, ' ') : text;
    if (path && has_method)
        path++;
    if (!path || *path != '/' || (has_method && path - text < 2)) {
        yaml_bad(errs, at, "route: is \"%s\", must be %s", text,
                 has_method ? "\"METHOD /path\" or \"* /path\"" : "\"/path\"");
        return -1;
    }
    if (has_method && strncmp(text, "* ", 2) != 0)
        out->method = arena_strdup(a, span_of(text, (size_t)(path - text) - 1));
    out->seg = arena_alloc(a, SEGS_MAX * sizeof(*out->seg));
    for (const char *p = path; p; p = strchr(p + 1, '/')) {
        struct span seg = span_of(p + 1, strcspn(p + 1, "/"));
        bool is_last = p[1 + seg.n] == '\0';
        if (out->n == SEGS_MAX || (!seg.n && !is_last) || (span_is(seg, "**") && !is_last)) {
            yaml_bad(errs, at, "route %s: empty segments and ** before the end are not allowed, at most %d segments",
                     text, SEGS_MAX);
            return -1;
        }
        out->seg[out->n++] = compile_seg(a, seg, has_method);
    }
    return 0;
}

/* --- deciding --- */

struct path {
    struct span seg[SEGS_MAX]; /* decoded; the last may be empty: a trailing slash */
    uint32_t n;
    uint8_t text[PATH_MAX_BYTES];
};

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One decoded byte at raw[*i], moving on; -1 when it is refused. */
static int decode_byte(struct span raw, size_t *i)
{
    int c = raw.p[(*i)++];
    if (c == '%') {
        int high = *i + 1 < raw.n ? hex_value(raw.p[*i]) : -1, low = high < 0 ? -1 : hex_value(raw.p[*i + 1]);
        if (low < 0)
            return -1;
        *i += 2;
        c = high << 4 | low;
        if (c == '/')
            return -1;
    } else if (c == '/') {
        return c;
    }
    return c <= 0x20 || c == 0x7f || c == '\\' || c == ';' || c == '#' ? (c == 0x20 ? c : -1) : c;
}

static bool seg_is_good(struct span seg, bool is_last)
{
    return !span_is(seg, ".") && !span_is(seg, "..") && (seg.n || is_last);
}

static bool add_seg(struct path *out, const uint8_t *from, const uint8_t *to, bool is_last)
{
    struct span seg = span_of(from, (size_t)(to - from));
    if (out->n == SEGS_MAX || !seg_is_good(seg, is_last))
        return false;
    out->seg[out->n++] = seg;
    return true;
}

static bool split_path(struct span raw, struct path *out)
{
    uint8_t *seg = out->text, *end = out->text;
    out->n = 0;
    if (!raw.n || raw.p[0] != '/' || raw.n > PATH_MAX_BYTES)
        return false;
    for (size_t i = 1; i < raw.n;) {
        bool is_slash = raw.p[i] == '/';
        int c = decode_byte(raw, &i);
        if (c < 0)
            return false;
        if (!is_slash) {
            *end++ = (uint8_t)c;
            continue;
        }
        if (!add_seg(out, seg, end, false))
            return false;
        seg = end;
    }
    return add_seg(out, seg, end, true);
}

static bool seg_matches(struct span pattern, struct span seg, bool fold)
{
    uint8_t low[PATH_MAX_BYTES];
    if (fold) {
        for (size_t i = 0; i < seg.n; i++)
            low[i] = seg.p[i] >= 'A' && seg.p[i] <= 'Z' ? (uint8_t)(seg.p[i] + 32) : seg.p[i];
        seg.p = low;
    }
    return glob_match(pattern, seg);
}

static bool path_matches(const struct pattern *pt, const struct span *seg, uint32_t n, bool fold)
{
    if (fold && n > 1 && !seg[n - 1].n)
        n--;
    uint32_t k = pt->n;
    if (fold && k > 1 && !pt->seg[k - 1].n)
        k--;
    bool is_open = k && span_is(pt->seg[k - 1], "**");
    k -= is_open;
    if (is_open ? n < k : n != k)
        return false;
    for (uint32_t i = 0; i < k; i++)
        if (!seg_matches(pt->seg[i], seg[i], fold))
            return false;
    return true;
}

static bool is_denied(const struct profile *p, struct span method, const struct path *path)
{
    for (uint32_t i = 0; i < p->n_deny; i++) {
        const struct pattern *pt = &p->deny[i];
        if ((!pt->method || span_is_nocase(method, pt->method)) && path_matches(pt, path->seg, path->n, true))
            return true;
    }
    return false;
}

/* A server that strips ".json" knows the route under both names. */
static bool is_denied_stripped(const struct profile *p, struct span method, struct path *path)
{
    struct span *last = &path->seg[path->n - 1];
    if (!last->n && path->n > 1)
        last--;
    for (uint32_t i = 0; i < p->n_suffixes; i++) {
        struct span suffix = p->suffix[i], whole = *last;
        if (whole.n <= suffix.n || !span_eq_nocase(span_from(whole, whole.n - suffix.n), suffix))
            continue;
        last->n -= suffix.n;
        bool denied = is_denied(p, method, path);
        *last = whole;
        if (denied)
            return true;
    }
    return false;
}

/* How often a query parameter is given, and its last value, undecoded. */
static unsigned query_value(struct span query, struct span name, struct span *out)
{
    unsigned found = 0;
    while (query.n) {
        const uint8_t *amp = memchr(query.p, '&', query.n);
        struct span pair = span_of(query.p, amp ? (size_t)(amp - query.p) : query.n);
        const uint8_t *eq = memchr(pair.p, '=', pair.n);
        struct span key = span_of(pair.p, eq ? (size_t)(eq - pair.p) : pair.n);
        if (span_eq(key, name)) {
            *out = eq ? span_from(pair, key.n + 1) : span_of(pair.p, 0);
            found++;
        }
        query = span_from(query, pair.n + 1);
    }
    return found;
}

static bool query_fits(const struct socket *ws, struct span query)
{
    for (uint32_t i = 0; i < ws->n_needs; i++) {
        struct span value;
        if (query_value(query, ws->need[i].name, &value) != 1 || !span_eq(value, ws->need[i].value))
            return false;
    }
    return true;
}

static struct route ws_route(const struct profile *p, const struct path *path, struct span query)
{
    for (uint32_t i = 0; i < p->n_sockets; i++) {
        const struct socket *ws = &p->socket[i];
        if (!path_matches(&ws->path, path->seg, path->n, false))
            continue;
        if (!query_fits(ws, query))
            return (struct route){.kind = ROUTE_DENY};
        return (struct route){.kind = ROUTE_WEBSOCKET, .ws = (int)i, .ws_opcode = ws->opcode};
    }
    return (struct route){.kind = ROUTE_PASS};
}

/* "http://host/path" to "/path"; a missing path is "/" (RFC 9112 section 3.2.2). */
static void split_target(struct span target, struct span *path, struct span *query)
{
    bool is_absolute = span_starts(target, span_str("http://")) || span_starts(target, span_str("https://"));
    size_t from = is_absolute ? (target.p[4] == ':' ? 7 : 8) : 0, host_end = from;
    while (is_absolute && host_end < target.n && !memchr("/?#", target.p[host_end], 3))
        host_end++;
    target = span_from(target, host_end);
    const uint8_t *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
    *path = mark ? span_of(target.p, (size_t)(mark - target.p)) : target;
    *query = span_from(target, path->n + 1);
    if (is_absolute && !path->n)
        *path = span_str("/");
}

struct route profile_route(const struct profile *p, struct span method, struct span target, const char *method_override)
{
    struct path path;
    struct span value, raw, query;
    if (span_is(method, "OPTIONS") && span_is(target, "*"))
        return (struct route){.kind = ROUTE_PASS};
    split_target(target, &raw, &query);
    if (!split_path(raw, &path))
        return (struct route){.kind = ROUTE_BAD};
    if (p->refuse_override && (method_override || query_value(query, span_str("_method"), &value)))
        return (struct route){.kind = ROUTE_BAD};
    if (is_denied(p, method, &path) || is_denied_stripped(p, method, &path))
        return (struct route){.kind = ROUTE_DENY};
    return ws_route(p, &path, query);
}

bool profile_subprotocol_ok(const struct profile *p, int ws, struct span subprotocol)
{
    const struct socket *s = &p->socket[ws];
    if (!subprotocol.n)
        return true;
    for (uint32_t i = 0; i < s->n_subprotocols; i++)
        if (span_eq(s->subprotocol[i], subprotocol))
            return true;
    return false;
}
