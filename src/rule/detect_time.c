/* Times in the plain view. A number is never begun in its middle (48小时 is not 8小时). */
#include "rule/detect.h"
#include "rule/duetime.h"

enum { TIME_CHARS_MAX = 24 };

static bool is_number(uint32_t cp)
{
    return (cp >= '0' && cp <= '9') || cp == 0x5341 || cp == 0x767e || cp == 0x4e00 || cp == 0x4e8c || cp == 0x4e09 ||
           cp == 0x56db || cp == 0x4e94 || cp == 0x516d || cp == 0x4e03 || cp == 0x516b || cp == 0x4e5d ||
           cp == 0x4e24 || cp == 0x51e0;
}

/* Characters that a time can begin with. */
static bool may_begin(uint32_t cp)
{
    static const uint16_t first[] = {0x4eca, 0x660e, 0x5f53, 0x6b21, 0x7b2c, 0x5927, 0x540e, 0x4e0b, 0x4e0a, 0x8fd9,
                                     0x672c, 0x5468, 0x661f, 0x793c, 0x6708, 0x51cc, 0x65e9, 0x4e2d, 0x508d, 0x665a,
                                     0x591c, 0x534a, 0x9a6c, 0x7acb, 0x8bf7, 0x7a0d, 0x5f85, 0x7b49, 0x8fc7, 0x5c3d,
                                     0x56de, 0x6709, 0x5230, 0x6539, 0x542c, 0x8fdf, 0x5373, 0x5e74};
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        if (cp == first[i])
            return true;
    return is_number(cp);
}

/* Copies units from `from` on, up to punctuation; a dash or tilde between two digits becomes 到. */
static uint32_t copy_phrase(const struct detect_text *t, uint32_t from, uint32_t *cp, uint32_t *unit)
{
    const struct view *v = &t->f->view[VIEW_PLAIN];
    uint32_t n = 0;
    for (uint32_t u = from; u < v->n && n + 1 < TIME_CHARS_MAX; u++) {
        if (u > from && v->gap[u]) {
            if (detect_has_punctuation(t->text, v->to[u - 1], v->from[u], NULL)) {
                bool is_colon = v->from[u] == v->to[u - 1] + 1 && t->text.p[v->to[u - 1]] == ':';
                if (!is_colon)
                    break;
                unit[n] = u, cp[n++] = 0x70b9; /* 18:00 as 18点00 */
            } else if (is_number(v->cp[u]) && is_number(v->cp[u - 1])) {
                unit[n] = u, cp[n++] = 0x5230; /* 到 */
            }
        }
        if (n + 1 >= TIME_CHARS_MAX)
            break;
        unit[n] = u;
        cp[n++] = v->cp[u];
    }
    return n;
}

void detect_times(const struct detect_text *t, struct detect_list *out)
{
    const struct view *v = &t->f->view[VIEW_PLAIN];
    uint32_t cp[TIME_CHARS_MAX], unit[TIME_CHARS_MAX];
    for (uint32_t u = 0; u < v->n; u++) {
        if (u > 0 && is_number(v->cp[u]) && is_number(v->cp[u - 1]))
            continue;
        if (!may_begin(v->cp[u]))
            continue;
        uint32_t n = copy_phrase(t, u, cp, unit);
        struct duetime d = duetime_read(cp, n, t->now_ms, t->calendar);
        if (d.kind == DUETIME_NONE)
            continue;
        uint32_t last = unit[d.n - 1];
        enum detector kind = d.kind == DUETIME_DEFINITE ? DETECT_TIME
                             : d.kind == DUETIME_SOON   ? DETECT_SOON
                                                        : DETECT_SOMEDAY;
        detect_add(out, (struct detection){.kind = (uint8_t)kind,
                                           .from = u,
                                           .to = last + 1,
                                           .bfrom = v->from[u],
                                           .bto = v->to[last],
                                           .due_ms = d.due_ms});
        u = last;
    }
}
