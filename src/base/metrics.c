#include "base/metrics.h"

#include "base/utf8.h"

static void put_escaped(struct buf *out, struct span s, bool is_label)
{
    for (size_t i = 0; i < s.n;) {
        uint32_t cp;
        unsigned n = utf8_decode(s.p + i, s.n - i, &cp);
        if (!n)
            buf_append_str(out, "\xef\xbf\xbd");
        else if (cp == '\\')
            buf_append_str(out, "\\\\");
        else if (cp == '\n')
            buf_append_str(out, "\\n");
        else if (cp == '"' && is_label)
            buf_append_str(out, "\\\"");
        else
            buf_append(out, s.p + i, n);
        i += n ? n : 1;
    }
}

/* At most METRICS_LABEL_MAX bytes, cut between characters. */
static struct span cut(struct span s)
{
    if (s.n <= METRICS_LABEL_MAX)
        return s;
    size_t n = METRICS_LABEL_MAX;
    while (n > METRICS_LABEL_MAX - 4 && (s.p[n] & 0xc0) == 0x80)
        n--;
    return span_of(s.p, n);
}

static void put_number(struct buf *out, double v)
{
    if (v != v)
        buf_append_str(out, "NaN");
    else if (v > 1.7e308 || v < -1.7e308)
        buf_append_str(out, v > 0 ? "+Inf" : "-Inf");
    else if (v < 9007199254740992.0 && v > -9007199254740992.0 && (double)(int64_t)v == v)
        buf_printf(out, "%lld", (long long)v);
    else
        buf_printf(out, "%.12g", v);
}

/* Name, suffix and labels; `le` (NULL: none) is a histogram's bound. */
static void put_series(struct buf *out, const char *name, const char *suffix, const struct metrics_label *labels,
                       size_t n_labels, const double *le)
{
    buf_printf(out, "chatgate_%s%s", name, suffix);
    if (!n_labels && !le)
        return;
    buf_append_str(out, "{");
    for (size_t i = 0; i < n_labels; i++) {
        buf_printf(out, "%s%s=\"", i ? "," : "", labels[i].name);
        put_escaped(out, cut(labels[i].value), true);
        buf_append_str(out, "\"");
    }
    if (le) {
        buf_append_str(out, n_labels ? ",le=\"" : "le=\"");
        put_number(out, *le);
        buf_append_str(out, "\"");
    }
    buf_append_str(out, "}");
}

void metrics_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP chatgate_%s ", name);
    put_escaped(out, span_str(help), false);
    buf_printf(out, "\n# TYPE chatgate_%s %s\n", name, type);
}

void metrics_value(struct buf *out, const char *name, const struct metrics_label *labels, size_t n_labels, double value)
{
    put_series(out, name, "", labels, n_labels, NULL);
    buf_append_str(out, " ");
    put_number(out, value);
    buf_append_str(out, "\n");
}

void metrics_histogram(struct buf *out, const char *name, const struct metrics_label *labels, size_t n_labels,
                       const struct hist *h, const uint64_t *bound, size_t n_bounds, double scale)
{
    uint64_t below = 0;
    unsigned bucket = 0;
    double le;
    for (size_t i = 0; i < n_bounds; i++) {
        for (; bucket < HIST_BUCKETS && hist_upper(bucket) <= bound[i]; bucket++)
            below += h->bucket[bucket];
        le = (double)bound[i] * scale;
        put_series(out, name, "_bucket", labels, n_labels, &le);
        buf_printf(out, " %llu\n", (unsigned long long)below);
    }
    le = __builtin_inf();
    put_series(out, name, "_bucket", labels, n_labels, &le);
    buf_printf(out, " %llu\n", (unsigned long long)h->count);
    put_series(out, name, "_sum", labels, n_labels, NULL);
    buf_append_str(out, " ");
    put_number(out, (double)h->sum * scale);
    buf_append_str(out, "\n");
    put_series(out, name, "_count", labels, n_labels, NULL);
    buf_printf(out, " %llu\n", (unsigned long long)h->count);
}
