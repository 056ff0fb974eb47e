/* Looking at replies; making them is the link's (redis.c). */
#include "base/xalloc.h"
#include "track/redis.h"

bool redis_is_error(const struct redis_reply *reply)
{
    return reply->kind == REDIS_ERROR;
}

bool redis_is_array(const struct redis_reply *reply)
{
    return !redis_is_error(reply) && reply->kind == REDIS_ARRAY;
}

bool redis_has_code(const struct redis_reply *reply, const char *code)
{
    size_t n = strlen(code);
    return reply->kind == REDIS_ERROR && span_starts(reply->text, span_str(code)) &&
           (reply->text.n == n || reply->text.p[n] == ' ');
}

const struct redis_reply *redis_item(const struct redis_reply *array, size_t at)
{
    static const struct redis_reply nil = {.kind = REDIS_NIL, .text = {(const uint8_t *)"", 0}};
    return array->kind == REDIS_ARRAY && at < array->n && array->item[at] ? array->item[at] : &nil;
}

bool redis_get_int(const struct redis_reply *reply, int64_t *out)
{
    if (reply->kind == REDIS_INT) {
        *out = reply->integer;
        return true;
    }
    if (reply->kind != REDIS_TEXT && reply->kind != REDIS_STATUS)
        return false;
    bool is_negative = reply->text.n && reply->text.p[0] == '-';
    uint64_t v;
    if (!span_u64(span_from(reply->text, is_negative), &v) || v > INT64_MAX)
        return false;
    *out = is_negative ? -(int64_t)v : (int64_t)v;
    return true;
}

const char *redis_kind_name(enum redis_kind kind)
{
    static const char *const names[] = {
#define X(id, name) name,
        REDIS_KINDS(X)
#undef X
    };
    return names[kind];
}

const char *redis_text(const struct redis_reply *reply, char out[160])
{
    size_t n = MIN_OF(reply->text.n, 159);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = reply->text.p[i];
        out[i] = c < ' ' || c > '~' ? '?' : c == '"' ? '\'' : (char)c;
    }
    out[n] = 0;
    return out;
}

void redis_reply_free(struct redis_reply *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        redis_reply_free(r->item[i]);
    free(r->item);
    free(r);
}

struct redis_reply *redis_reply_copy(const struct redis_reply *reply)
{
    struct redis_reply *r = xcalloc(1, sizeof(*r) + reply->text.n + 1);
    *r = *reply;
    if (reply->text.n)
        memcpy(r + 1, reply->text.p, reply->text.n);
    r->text = span_of(r + 1, reply->text.n);
    r->item = reply->n ? xcalloc(reply->n, sizeof(struct redis_reply *)) : NULL;
    for (size_t i = 0; i < reply->n; i++)
        r->item[i] = redis_reply_copy(reply->item[i]);
    return r;
}

struct span redis_info_field(struct span info, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < info.n;) {
        const uint8_t *end = memchr(info.p + i, '\n', info.n - i);
        struct span line = span_of(info.p + i, end ? (size_t)(end - info.p) - i : info.n - i);
        i += line.n + 1;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n > n && line.p[n] == ':' && memcmp(line.p, name, n) == 0)
            return span_from(line, n + 1);
    }
    return span_of("", 0);
}

struct redis_options redis_options_from(const struct conf_redis *c)
{
    return (struct redis_options){
        .host = c->addr.path ? c->addr.path : c->addr.host,
        .port = c->addr.port,
        .sentinel = c->sentinel.addr,
        .n_sentinels = c->sentinel.n,
        .master_name = c->sentinel.master,
        .sentinel_username = c->sentinel.username,
        .sentinel_password_file = c->sentinel.password_file,
        .cluster = c->cluster.addr,
        .n_cluster = c->cluster.n,
        .username = c->username,
        .password_file = c->password_file,
        .timeout_ms = c->timeout_ms,
        .server_name = c->tls.server_name,
    };
}

struct redis_options redis_options_of(const struct conf *conf)
{
    return redis_options_from(&conf->redis);
}
