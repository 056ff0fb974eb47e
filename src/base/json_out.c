#include "base/json_out.h"

#include "base/utf8.h"

static void sep(struct json_out *j)
{
    if (j->need_comma)
        buf_append(j->buf, ",", 1);
    j->need_comma = true;
}

static void open_with(struct json_out *j, char c)
{
    sep(j);
    buf_append(j->buf, &c, 1);
    j->need_comma = false;
}

static void close_with(struct json_out *j, char c)
{
    buf_append(j->buf, &c, 1);
    j->need_comma = true;
}

void json_obj(struct json_out *j)
{
    open_with(j, '{');
}

void json_obj_end(struct json_out *j)
{
    close_with(j, '}');
}

void json_arr(struct json_out *j)
{
    open_with(j, '[');
}

void json_arr_end(struct json_out *j)
{
    close_with(j, ']');
}

void json_key(struct json_out *j, const char *key)
{
    json_str(j, key);
    buf_append(j->buf, ":", 1);
    j->need_comma = false;
}

void json_escape(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.n;) {
        uint8_t c = s.p[i];
        uint32_t cp;
        unsigned n = utf8_decode(s.p + i, s.n - i, &cp);
        if (!n) {
            buf_append(out, "\xef\xbf\xbd", 3);
            i++;
            continue;
        }
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_append(out, "\\n", 2);
        else if (c == '\r')
            buf_append(out, "\\r", 2);
        else if (c == '\t')
            buf_append(out, "\\t", 2);
        else if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_append(out, s.p + i, n);
        i += n;
    }
}

void json_span(struct json_out *j, struct span s)
{
    sep(j);
    buf_append(j->buf, "\"", 1);
    json_escape(j->buf, s);
    buf_append(j->buf, "\"", 1);
}

void json_str(struct json_out *j, const char *s)
{
    json_span(j, span_str(s));
}

void json_int(struct json_out *j, int64_t v)
{
    sep(j);
    buf_printf(j->buf, "%lld", (long long)v);
}

void json_dbl(struct json_out *j, double v)
{
    sep(j);
    buf_printf(j->buf, "%.6g", v);
}

void json_bool(struct json_out *j, bool v)
{
    sep(j);
    buf_append_str(j->buf, v ? "true" : "false");
}

void json_null(struct json_out *j)
{
    sep(j);
    buf_append_str(j->buf, "null");
}

void json_raw(struct json_out *j, struct span s)
{
    sep(j);
    buf_append_span(j->buf, s);
}
