#include "track/shop_zones.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/hash.h"
#include "base/xalloc.h"

struct shop_zone {
    struct day_zone day;
    struct buf shops; /* "\tSHOP\tSHOP\t" */
};

/* ---- from the directory ---- */

static void forget(struct shop_zones *z)
{
    size_t pos = 0;
    struct span name;
    for (void *v; map_next(&z->by_name, &pos, &name, &v);) {
        struct shop_zone *one = v;
        day_zone_fini(&one->day);
        buf_fini(&one->shops);
        free(one);
    }
    map_fini(&z->by_name);
    z->by_name = (struct map){0};
    z->from_ms = z->to_ms = 0;
}

static void on_shop(void *ctx, struct span shop, const char *zone)
{
    struct shop_zones *z = ctx;
    struct shop_zone *one = map_get(&z->by_name, span_str(zone));
    if (memchr(shop.p, '\t', shop.n) || memchr(shop.p, '\n', shop.n))
        return; /* counts as any other: the text could not name it */
    if (!one) {
        one = xcalloc(1, sizeof(*one));
        day_zone_set(&one->day, zone);
        buf_append_str(&one->shops, "\t");
        map_put(&z->by_name, span_str(one->day.name), one);
    }
    buf_append_span(&one->shops, shop);
    buf_append_str(&one->shops, "\t");
}

void shop_zones_set(struct shop_zones *z, const struct directory *d)
{
    forget(z);
    if (d)
        directory_each_own_zone(d, on_shop, z);
}

void shop_zones_fini(struct shop_zones *z)
{
    forget(z);
    buf_fini(&z->text);
}

/* ---- the text ---- */

/* "OFFSET_MS [BEFORE_MS SINCE_MS]" of a zone's text. */
static const char *offsets(const char *text)
{
    const char *space = strchr(text, ' ');
    return space ? space + 1 : "";
}

static bool has_quarters(const char *text)
{
    long long now = 0, before = 0;
    return sscanf(offsets(text), "%lld %lld", &now, &before) >= 1 && (now % HOUR_MS || before % HOUR_MS);
}

static int by_zone(const void *a, const void *b)
{
    return strcmp((*(struct shop_zone *const *)a)->day.name, (*(struct shop_zone *const *)b)->day.name);
}

static void write_text(struct shop_zones *z, const char *main, int64_t now_ms, struct buf *out)
{
    struct shop_zone **list = xcalloc(z->by_name.len + 1, sizeof(struct shop_zone *));
    size_t n = 0, pos = 0;
    struct span name;
    for (void *v; map_next(&z->by_name, &pos, &name, &v);)
        list[n++] = v;
    qsort(list, n, sizeof(struct shop_zone *), by_zone);
    z->has_quarters = has_quarters(main);
    z->to_ms = now_ms + HOUR_MS;
    for (size_t i = 0; i < n; i++) {
        const char *text = day_zone_text(&list[i]->day, now_ms);
        z->to_ms = MIN_OF(z->to_ms, list[i]->day.to_ms);
        if (strcmp(offsets(text), offsets(main)) == 0)
            continue;
        z->has_quarters |= has_quarters(text);
        buf_printf(out, "%s%.*s\n", text, (int)list[i]->shops.len, (const char *)buf_span(&list[i]->shops).p);
    }
    free(list);
    if (!out->len)
        buf_append_str(out, "-");
}

struct span shop_zones_text(struct shop_zones *z, const char *main, int64_t now_ms)
{
    if (now_ms >= z->from_ms && now_ms < z->to_ms && strcmp(main, z->main) == 0)
        return buf_span(&z->text);
    struct buf text = {0};
    z->from_ms = now_ms;
    snprintf(z->main, sizeof(z->main), "%s", main);
    write_text(z, main, now_ms, &text);
    if (!span_eq(buf_span(&text), buf_span(&z->text)))
        z->version++;
    buf_fini(&z->text);
    z->text = text;
    return buf_span(&z->text);
}

unsigned shop_zones_parts(const struct shop_zones *z)
{
    return z->has_quarters ? 4 : 1;
}

struct sum {
    const char *main;
    uint64_t sum; /* in whatever order the shops come */
};

static void on_sum(void *ctx, struct span shop, const char *zone)
{
    struct sum *s = ctx;
    struct buf text = {0};
    if (strcmp(zone, s->main) == 0)
        return;
    buf_printf(&text, "%s\t%.*s", zone, (int)shop.n, (const char *)shop.p);
    s->sum += hash_stable(buf_span(&text));
    buf_fini(&text);
}

const char *shop_zones_counting(const struct conf_tracking *t, const struct directory *d,
                                char out[SHOP_ZONES_COUNTING_MAX])
{
    struct sum s = {t->zone ? t->zone : "UTC", 0};
    measure_counting(t, out);
    if (d)
        directory_each_own_zone(d, on_sum, &s);
    size_t n = strlen(out);
    if (s.sum)
        snprintf(out + n, SHOP_ZONES_COUNTING_MAX - n, " shops=%016" PRIx64, s.sum);
    return out;
}

/* ---- for readers ---- */

static bool names_shop(struct span shops, struct span shop)
{
    while (shops.n) {
        const uint8_t *tab = memchr(shops.p, '\t', shops.n);
        size_t n = tab ? (size_t)(tab - shops.p) : shops.n;
        if (n == shop.n && memcmp(shops.p, shop.p, n) == 0)
            return true;
        shops = span_from(shops, MIN_OF(n + 1, shops.n));
    }
    return false;
}

struct span shop_zones_find(struct span text, struct span shop)
{
    while (shop.n && text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        struct span line = end ? span_of(text.p, (size_t)(end - text.p)) : text;
        const uint8_t *tab = memchr(line.p, '\t', line.n);
        if (tab && names_shop(span_from(line, (size_t)(tab - line.p) + 1), shop))
            return span_of(line.p, (size_t)(tab - line.p));
        text = span_from(text, MIN_OF(line.n + 1, text.n));
    }
    return span_of("", 0);
}
