/* What needs hiredis: RESP2 as declared in redis_wire.h. The link is in redis_link.c. */
#include "track/redis_wire.h"

#include <hiredis/hiredis.h>

#include "base/xalloc.h"

enum { ARRAY_MAX = 1 << 20 };
#define REPLY_BYTES_MAX ((size_t)64 << 20)

/* ---- replies: hiredis's reader builds our own objects ---- */

static void *place(const redisReadTask *task, struct redis_reply *reply)
{
    if (task->parent)
        ((struct redis_reply *)task->parent->obj)->item[task->idx] = reply;
    return reply;
}

static void *make_string(const redisReadTask *task, char *p, size_t n)
{
    struct redis_reply *r = xcalloc(1, sizeof(*r) + n + 1);
    memcpy(r + 1, p, n);
    r->text = span_of(r + 1, n);
    r->kind = task->type == REDIS_REPLY_ERROR    ? REDIS_ERROR
              : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
                                                 : REDIS_TEXT;
    return place(task, r);
}

/* NULL ends the connection: nothing of ours asks for as much. */
static void *make_array(const redisReadTask *task, int n)
{
    if (n < 0 || n > ARRAY_MAX)
        return NULL;
    struct redis_reply *r = xcalloc(1, sizeof(*r));
    r->kind = REDIS_ARRAY;
    r->n = (size_t)n;
    r->item = xcalloc(r->n + 1, sizeof(struct redis_reply *));
    return place(task, r);
}

static void *make_integer(const redisReadTask *task, long long value)
{
    struct redis_reply *r = xcalloc(1, sizeof(*r));
    r->kind = REDIS_INT;
    r->integer = value;
    return place(task, r);
}

static void *make_nil(const redisReadTask *task)
{
    return place(task, xcalloc(1, sizeof(struct redis_reply)));
}

static void free_reply(void *reply)
{
    redis_reply_free(reply);
}

static redisReplyObjectFunctions reply_functions = {make_string, make_array, make_integer, make_nil, free_reply};

/* The struct is the reader itself. */
static redisReader *reader_of(struct wire *w)
{
    return (redisReader *)w;
}

struct wire *wire_new(void)
{
    redisReader *r = redisReaderCreateWithFunctions(&reply_functions);
    if (!r)
        abort(); /* it fails without memory only */
    return (struct wire *)r;
}

void wire_free(struct wire **w)
{
    if (*w)
        redisReaderFree(reader_of(*w));
    *w = NULL;
}

void wire_feed(struct wire *w, struct span in)
{
    redisReaderFeed(reader_of(w), (const char *)in.p, in.n);
}

int wire_next(struct wire *w, struct redis_reply **reply, struct err *e)
{
    redisReader *r = reader_of(w);
    void *got = NULL;
    if (redisReaderGetReply(r, &got) != REDIS_OK)
        return err_set(e, "no answer that Redis would give: %s", r->errstr);
    *reply = got;
    if (!got && r->len - r->pos > REPLY_BYTES_MAX)
        return err_set(e, "an answer of more than %zu bytes", REPLY_BYTES_MAX);
    return got != NULL;
}

/* ---- commands ---- */

/* "*3\r\n" or "$3\r\n". hiredis's own formatting prints each length with sprintf: half of the pump's time. */
static char *put_length(char *out, char kind, size_t n)
{
    char digits[20];
    size_t len = 0;
    do
        digits[len++] = (char)('0' + n % 10);
    while (n /= 10);
    *out++ = kind;
    while (len)
        *out++ = digits[--len];
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

char *wire_format(size_t argc, const struct span *argv, size_t *bytes)
{
    enum { LENGTH_MAX = 1 + 20 + 2 + 2 }; /* the kind, the digits, two ends of line */
    size_t most = LENGTH_MAX;
    for (size_t i = 0; i < argc; i++)
        most += LENGTH_MAX + argv[i].n;
    char *wire = xmalloc(most), *out = put_length(wire, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        out = put_length(out, '$', argv[i].n);
        if (argv[i].n)
            memcpy(out, argv[i].p, argv[i].n);
        out += argv[i].n;
        *out++ = '\r';
        *out++ = '\n';
    }
    *bytes = (size_t)(out - wire);
    return wire;
}

char *wire_format_script(const char *verb, const char *script, size_t n_keys, const struct span *keys, size_t n_args,
                         const struct span *args, size_t *bytes)
{
    struct span *argv = xcalloc(3 + n_keys + n_args, sizeof(*argv));
    char n_text[24];
    snprintf(n_text, sizeof(n_text), "%zu", n_keys);
    argv[0] = span_str(verb);
    argv[1] = span_str(script);
    argv[2] = span_str(n_text);
    if (n_keys)
        memcpy(argv + 3, keys, n_keys * sizeof(*keys));
    if (n_args)
        memcpy(argv + 3 + n_keys, args, n_args * sizeof(*args));
    char *wire = wire_format(3 + n_keys + n_args, argv, bytes);
    free(argv);
    return wire;
}
