#include "proto/http_meaning.h"

#include "proto/http_chars.h"

/* The fields that decide how a message is read, counted in one walk. */
struct seen {
    const struct http_header *length, *coding, *host, *upgrade, *key, *version, *expect;
    unsigned n_coding, n_host, n_upgrade, n_key, n_version;
    bool lengths_differ;
};

static void see(struct seen *s, const struct http_header *f)
{
    if (span_is_nocase(f->name, "Content-Length")) {
        if (s->length && !span_eq(s->length->value, f->value))
            s->lengths_differ = true;
        s->length = f;
    } else if (span_is_nocase(f->name, "Transfer-Encoding")) {
        s->coding = f, s->n_coding++;
    } else if (span_is_nocase(f->name, "Host")) {
        s->host = f, s->n_host++;
    } else if (span_is_nocase(f->name, "Upgrade")) {
        s->upgrade = f, s->n_upgrade++;
    } else if (span_is_nocase(f->name, "Expect")) {
        s->expect = f;
    } else if (span_is_nocase(f->name, "Sec-WebSocket-Key")) {
        s->key = f, s->n_key++;
    } else if (span_is_nocase(f->name, "Sec-WebSocket-Version")) {
        s->version = f, s->n_version++;
    }
}

static struct seen see_all(const struct http_head *h)
{
    struct seen s = {0};
    for (size_t i = 0; i < h->n_headers; i++)
        see(&s, &h->header[i]);
    return s;
}

/* Framing as the fields alone say it (RFC 9112 6): one length or one "chunked", never both. */
static int read_framing(struct http_head *h, const struct seen *s, struct err *e)
{
    h->framing = HTTP_NO_BODY;
    if (s->coding) {
        if (s->length)
            return err_set(e, "framing: Content-Length together with Transfer-Encoding");
        if (s->n_coding > 1 || !span_is_nocase(s->coding->value, "chunked"))
            return err_set(e, "framing: Transfer-Encoding is not a single chunked");
        if (h->minor == 0)
            return err_set(e, "framing: Transfer-Encoding in HTTP/1.0");
        h->framing = HTTP_BODY_CHUNKED;
    } else if (s->length) {
        if (s->lengths_differ)
            return err_set(e, "framing: Content-Length values differ");
        if (!span_u64(s->length->value, &h->content_length) || h->content_length > INT64_MAX)
            return err_set(e, "framing: Content-Length is not a number of digits, at most 2^63-1");
        h->framing = h->content_length ? HTTP_BODY_LENGTH : HTTP_NO_BODY;
    }
    return 0;
}

/* A name listed in Connection is taken out on the way: for these that would change what the next reader understands. */
static int check_connection(const struct http_head *h, struct err *e)
{
    static const char *const end_to_end[] = {"Content-Length", "Transfer-Encoding", "Host"};
    for (size_t i = 0; i < ARRAY_LEN(end_to_end); i++)
        if (http_has_token(h, "Connection", end_to_end[i]))
            return err_set(e, "header: Connection lists %s", end_to_end[i]);
    return 0;
}

static bool read_keep_alive(const struct http_head *h)
{
    if (http_has_token(h, "Connection", "close"))
        return false;
    return h->minor == 1 || http_has_token(h, "Connection", "keep-alive");
}

static bool is_host(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool is_alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!is_alnum && (c == 0 || !strchr("-._~%:[]", c)))
            return false;
    }
    return s.n > 0;
}

/* Visible ASCII without what ends, quotes or reorders a target. { } | ^ ` and, behind '?', the backslash are against
 * RFC 3986 but browsers send them as they are (URL standard, query percent-encode set), and they are read in one way
 * only. */
static bool target_bytes_are_fine(struct span t)
{
    bool in_query = false;
    for (size_t i = 0; i < t.n; i++) {
        uint8_t c = t.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '#' || c == '<' || c == '>' || c == '"' || (c == '\\' && !in_query))
            return false;
        in_query |= c == '?';
    }
    return t.n > 0;
}

/* "http://AUTHORITY/…": the authority, else an empty span. */
static struct span absolute_authority(struct span t)
{
    static const char *const scheme[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(scheme); i++) {
        size_t n = strlen(scheme[i]);
        if (t.n > n && span_is_nocase(span_of(t.p, n), scheme[i])) {
            struct span rest = span_from(t, n);
            size_t end = 0;
            while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
                end++;
            return span_of(rest.p, end);
        }
    }
    return span_of("", 0);
}

/* The four forms of RFC 9112 3.2. */
static int check_target(const struct http_head *h, const struct seen *s, struct err *e)
{
    struct span t = h->target;
    if (!target_bytes_are_fine(t))
        return err_set(e, "target: empty or with a byte that may not stand there");
    if (span_is(h->method, "CONNECT"))
        return is_host(t) ? 0 : err_set(e, "target: CONNECT needs host:port");
    if (t.p[0] == '/' || (span_is(t, "*") && span_is(h->method, "OPTIONS")))
        return 0;
    struct span authority = absolute_authority(t);
    if (!authority.n)
        return err_set(e, "target: neither /path nor http://host/path");
    if (!s->host || !span_eq_nocase(authority, s->host->value))
        return err_set(e, "target: authority is not that of Host");
    return 0;
}

static int check_host(const struct http_head *h, const struct seen *s, struct err *e)
{
    if (s->n_host > 1)
        return err_set(e, "header: more than one Host");
    if (!s->host)
        return h->minor == 0 ? 0 : err_set(e, "header: no Host");
    return is_host(s->host->value) ? 0 : err_set(e, "header: Host is not a host name or address");
}

/* Base64 of 16 bytes: 22 digits, the last of which carries two bits, and "==". */
static bool is_ws_key(struct span s)
{
    if (s.n != 24 || s.p[22] != '=' || s.p[23] != '=' || !memchr("AQgw", s.p[21], 4))
        return false;
    for (size_t i = 0; i < 22; i++) {
        uint8_t c = s.p[i], l = c | 0x20;
        if (!((c >= '0' && c <= '9') || (l >= 'a' && l <= 'z') || c == '+' || c == '/'))
            return false;
    }
    return true;
}

/* Upgrade names websocket and nothing else, so that the backend cannot choose a protocol that is not inspected. */
static bool upgrades_to_websocket(const struct http_head *h, const struct seen *s)
{
    return s->n_upgrade == 1 && span_is_nocase(s->upgrade->value, "websocket") &&
           http_has_token(h, "Connection", "upgrade");
}

static void read_upgrade(struct http_head *h, const struct seen *s)
{
    h->wants_upgrade = s->upgrade || span_is(h->method, "CONNECT");
    if (s->key)
        h->ws_key = s->key->value;
    h->wants_websocket = upgrades_to_websocket(h, s) && span_is(h->method, "GET") && h->minor == 1 &&
                         h->framing == HTTP_NO_BODY && h->target.p[0] != '*' && s->n_key == 1 && is_ws_key(h->ws_key) &&
                         s->n_version == 1 && span_is(s->version->value, "13");
}

int http_mean_request(struct http_head *h, int *status, struct err *e)
{
    struct seen s = see_all(h);
    *status = 400;
    if (check_host(h, &s, e) < 0 || check_target(h, &s, e) < 0 || read_framing(h, &s, e) < 0 ||
        check_connection(h, e) < 0)
        return -1;
    if (s.expect && h->minor == 1) {
        if (!span_is_nocase(s.expect->value, "100-continue")) {
            *status = 417;
            return err_set(e, "header: Expect is not 100-continue");
        }
        h->expect_continue = h->framing != HTTP_NO_BODY;
    }
    h->keep_alive = read_keep_alive(h);
    read_upgrade(h, &s);
    return 0;
}

int http_mean_response(struct http_head *h, struct span request_method, struct err *e)
{
    struct seen s = see_all(h);
    if (read_framing(h, &s, e) < 0 || check_connection(h, e) < 0)
        return -1;
    bool never_has_body = h->status < 200 || h->status == 204;
    if (never_has_body && h->framing != HTTP_NO_BODY)
        return err_set(e, "framing: a body with status %d", h->status);
    h->keep_alive = read_keep_alive(h);
    h->is_websocket = h->status == 101 && upgrades_to_websocket(h, &s);
    if (never_has_body)
        return 0;
    bool is_connect = span_is(request_method, "CONNECT") && h->status < 300;
    if (span_is(request_method, "HEAD") || h->status == 304 || is_connect) {
        h->framing = HTTP_NO_BODY;
    } else if (!s.coding && !s.length) {
        h->framing = HTTP_BODY_TO_CLOSE;
        h->keep_alive = false;
    }
    return 0;
}
