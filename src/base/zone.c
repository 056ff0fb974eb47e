#include "base/zone.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/civil.h"
#include "base/xalloc.h"

enum { FILE_MAX = 128 * 1024, TYPES_MAX = 256, LAST_YEAR = 2100, OFFSET_MAX_S = 26 * 3600, HEAD = 44 };

/* Some files begin with a change "at the big bang". */
#define FIRST_S (-((int64_t)1 << 40))

static const char folder[] = "/usr/share/zoneinfo/";

/* change[i] says what holds from at_s on; change[0] lies before all time. */
struct zone {
    struct change {
        int64_t at_s, offset_s;
    } * change;
    size_t n, cap;
};

static void add_change(struct zone *z, int64_t at_s, int64_t offset_s)
{
    if (z->n && z->change[z->n - 1].offset_s == offset_s)
        return;
    if (z->n == z->cap) {
        z->cap = z->cap ? 2 * z->cap : 64;
        z->change = xrealloc(z->change, z->cap * sizeof(*z->change));
    }
    z->change[z->n++] = (struct change){at_s, offset_s};
}

/* ---- the file ---- */

struct reader {
    const uint8_t *p;
    size_t n;
};

static int64_t read_be(const uint8_t *p, unsigned bytes)
{
    uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

struct head {
    size_t isut, isstd, leap, time, type, chars;
};

static bool read_head(struct reader *r, struct head *h)
{
    if (r->n < HEAD || memcmp(r->p, "TZif", 4) != 0)
        return false;
    size_t *field[] = {&h->isut, &h->isstd, &h->leap, &h->time, &h->type, &h->chars};
    for (size_t i = 0; i < ARRAY_LEN(field); i++) {
        int64_t v = read_be(r->p + 20 + 4 * i, 4);
        if (v < 0 || v > FILE_MAX)
            return false;
        *field[i] = (size_t)v;
    }
    r->p += HEAD, r->n -= HEAD;
    return h->type > 0 && h->type <= TYPES_MAX;
}

static size_t block_bytes(const struct head *h, size_t time_bytes)
{
    return h->time * (time_bytes + 1) + h->type * 6 + h->chars + h->leap * (time_bytes + 4) + h->isstd + h->isut;
}

static bool read_block(struct zone *z, const struct reader *r, const struct head *h)
{
    const uint8_t *index = r->p + h->time * 8, *type = index + h->time;
    int64_t offset[TYPES_MAX], before = INT64_MIN;
    for (size_t i = 0; i < h->type; i++) {
        offset[i] = read_be(type + 6 * i, 4);
        if (offset[i] < -OFFSET_MAX_S || offset[i] > OFFSET_MAX_S)
            return false;
    }
    add_change(z, INT64_MIN, offset[0]);
    for (size_t i = 0; i < h->time; i++) {
        int64_t at = read_be(r->p + 8 * i, 8);
        if (index[i] >= h->type || at <= before || at > INT64_MAX / 1000)
            return false;
        before = at;
        add_change(z, MAX_OF(at, FIRST_S), offset[index[i]]);
    }
    return true;
}

/* ---- the rule behind the last change (POSIX TZ): std offset [dst [offset] , Mm.w.d[/time] , Mm.w.d[/time]] ---- */

static bool take(struct reader *r, char c)
{
    if (!r->n || *r->p != c)
        return false;
    r->p++, r->n--;
    return true;
}

static bool take_name(struct reader *r)
{
    size_t n = 0;
    if (take(r, '<')) {
        while (r->n && *r->p != '>')
            r->p++, r->n--;
        return take(r, '>');
    }
    for (; r->n && ((*r->p | 0x20) >= 'a' && (*r->p | 0x20) <= 'z'); n++)
        r->p++, r->n--;
    return n >= 3;
}

static bool take_number(struct reader *r, int64_t max, int64_t *out)
{
    size_t n = 0;
    for (*out = 0; r->n && *r->p >= '0' && *r->p <= '9' && n < 4; n++) {
        *out = *out * 10 + (*r->p - '0');
        r->p++, r->n--;
    }
    return n > 0 && *out <= max;
}

/* [+-]hh[:mm[:ss]] in seconds */
static bool take_time(struct reader *r, int64_t *out)
{
    int64_t h, m = 0, s = 0, sign = take(r, '-') ? -1 : (take(r, '+'), 1);
    if (!take_number(r, 167, &h) || (take(r, ':') && !take_number(r, 59, &m)) ||
        (take(r, ':') && !take_number(r, 59, &s)))
        return false;
    *out = sign * (h * 3600 + m * 60 + s);
    return true;
}

struct rule {
    int64_t month, week, weekday, time_s;
};

static bool take_rule(struct reader *r, struct rule *out)
{
    out->time_s = 2 * 3600;
    return take(r, ',') && take(r, 'M') && take_number(r, 12, &out->month) && out->month > 0 && take(r, '.') &&
           take_number(r, 5, &out->week) && out->week > 0 && take(r, '.') && take_number(r, 6, &out->weekday) &&
           (!take(r, '/') || take_time(r, &out->time_s));
}

/* Local seconds of the rule in that year; week 5 is the last one. */
static int64_t rule_at(const struct rule *u, int64_t year)
{
    int64_t first = civil_day(year, (unsigned)u->month, 1),
            next = u->month == 12 ? civil_day(year + 1, 1, 1) : civil_day(year, (unsigned)u->month + 1, 1);
    int64_t day = first + (u->weekday - (int64_t)(civil_weekday(first) + 1) % 7 + 7) % 7 + (u->week - 1) * 7;
    while (day >= next)
        day -= 7;
    return day * 86400 + u->time_s;
}

static void apply_rule(struct zone *z, struct reader r)
{
    struct rule on, off;
    int64_t std, dst, last = z->change[z->n - 1].at_s;
    if (!take_name(&r) || !take_time(&r, &std) || !take_name(&r))
        return; /* no summer time: the last change holds */
    std = -std, dst = std + 3600;
    if (r.n && *r.p != ',') {
        if (!take_time(&r, &dst))
            return;
        dst = -dst;
    }
    if (!take_rule(&r, &on) || !take_rule(&r, &off))
        return;
    int64_t year = MAX_OF(last, 0) / 31556952 + 1969;
    for (; year <= LAST_YEAR; year++) {
        struct change a = {rule_at(&on, year) - std, dst}, b = {rule_at(&off, year) - dst, std};
        struct change first = a.at_s < b.at_s ? a : b, second = a.at_s < b.at_s ? b : a;
        if (first.at_s > last)
            add_change(z, first.at_s, first.offset_s);
        if (second.at_s > last)
            add_change(z, second.at_s, second.offset_s);
    }
}

static bool parse_file(struct zone *z, struct reader r)
{
    struct head h;
    if (!read_head(&r, &h) || block_bytes(&h, 4) > r.n)
        return false;
    r = (struct reader){r.p + block_bytes(&h, 4), r.n - block_bytes(&h, 4)};
    if (!read_head(&r, &h) || block_bytes(&h, 8) > r.n || !read_block(z, &r, &h))
        return false;
    r = (struct reader){r.p + block_bytes(&h, 8), r.n - block_bytes(&h, 8)};
    if (take(&r, '\n'))
        apply_rule(z, r);
    return true;
}

static bool read_fixed(struct zone *z, const char *name)
{
    struct reader r = {(const uint8_t *)name, strlen(name)};
    int64_t s;
    if (strcmp(name, "UTC") == 0) {
        add_change(z, INT64_MIN, 0);
        return true;
    }
    if ((name[0] != '+' && name[0] != '-') || !take_time(&r, &s) || r.n || s > OFFSET_MAX_S || s < -OFFSET_MAX_S)
        return false;
    add_change(z, INT64_MIN, s);
    return true;
}

static bool is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    size_t n = strlen(name);
    return n > 0 && n < 64 && strspn(name, allowed) == n && name[0] != '/';
}

static int read_named(struct zone *z, const char *name, struct err *e)
{
    char path[sizeof(folder) + 64];
    if (!is_name(name))
        return err_set(e, "\"%.60s\" is no name of a time zone, must be as Asia/Shanghai, UTC or +08:00", name);
    snprintf(path, sizeof(path), "%s%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_sys(e, "time zone %s: cannot open %s", name, path);
    uint8_t *bytes = xmalloc(FILE_MAX + 1);
    size_t n = fread(bytes, 1, FILE_MAX + 1, f);
    bool is_fine = n <= FILE_MAX && parse_file(z, (struct reader){bytes, n});
    fclose(f);
    free(bytes);
    return is_fine ? 0 : err_set(e, "time zone %s: %s is no time zone file (TZif 2 or newer)", name, path);
}

int zone_new(const char *name, struct zone **out, struct err *e)
{
    struct zone *z = xcalloc(1, sizeof(*z));
    *out = z;
    if (read_fixed(z, name) || read_named(z, name, e) == 0)
        return 0;
    zone_free(out);
    return -1;
}

void zone_free(struct zone **z)
{
    if (*z)
        free((*z)->change);
    free(*z);
    *z = NULL;
}

/* ---- questions ---- */

static size_t find(const struct zone *z, int64_t utc_ms)
{
    int64_t s = civil_floor(utc_ms, 1000);
    size_t low = 0, high = z->n;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        *(z->change[mid].at_s <= s ? &low : &high) = mid;
    }
    return low;
}

int64_t zone_offset_ms(const struct zone *z, int64_t utc_ms)
{
    return z->change[find(z, utc_ms)].offset_s * 1000;
}

int64_t zone_next_change_ms(const struct zone *z, int64_t utc_ms)
{
    size_t i = find(z, utc_ms) + 1;
    return i < z->n ? z->change[i].at_s * 1000 : INT64_MAX;
}

int64_t zone_utc_ms(const struct zone *z, int64_t local_ms)
{
    int64_t from = local_ms - OFFSET_MAX_S * (int64_t)1000;
    for (;;) {
        int64_t utc = local_ms - zone_offset_ms(z, from), end = zone_next_change_ms(z, from);
        if (utc < end)
            return MAX_OF(utc, from); /* less: the clock leapt over it at `from` */
        from = end;
    }
}
