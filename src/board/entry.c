#include "board/entry.h"

#include "board/rows.h"

struct span entry_field(const struct redis_reply *row, const char *name)
{
    for (size_t i = 1; i + 1 < row->n; i += 2)
        if (span_is(row_text(row, i), name))
            return row_text(row, i + 1);
    return (struct span){(const uint8_t *)"", 0};
}

int64_t entry_int(const struct redis_reply *row, const char *name)
{
    uint64_t v = 0;
    return span_u64(entry_field(row, name), &v) ? (int64_t)v : 0;
}

/* Somebody with the role of an agent sees their own only. */
bool entry_is_visible(const struct user *u, const struct redis_reply *row)
{
    if (!u->is_token && u->role == ROLE_AGENT && !span_is(entry_field(row, "agent"), u->name))
        return false;
    return user_sees(u, entry_field(row, "team"), entry_field(row, "shop"));
}

static int newest_first(const void *pa, const void *pb)
{
    const struct redis_reply *a = *(const struct redis_reply *const *)pa, *b = *(const struct redis_reply *const *)pb;
    int64_t diff = entry_int(b, "at") - entry_int(a, "at");
    return (diff > 0) - (diff < 0);
}

static bool fits(const void *user, const struct redis_reply *row)
{
    return entry_is_visible(user, row);
}

const struct redis_reply **entries_of(const struct gather *g, const struct user *u, size_t *n)
{
    return rows_of(g, fits, u, newest_first, n);
}
