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
        if (!duetime_may_begin(v->cp[u]))
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
