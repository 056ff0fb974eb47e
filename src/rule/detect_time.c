/* Times in the plain view. A number is never begun in its middle (48小时 is not 8小时). */
#include "rule/detect.h"
#include "rule/duetime.h"

static bool is_number(uint32_t cp)
{
    return (cp >= '0' && cp <= '9') || cp == 0x5341 || cp == 0x767e || cp == 0x4e00 || cp == 0x4e8c || cp == 0x4e09 ||
           cp == 0x56db || cp == 0x4e94 || cp == 0x516d || cp == 0x4e03 || cp == 0x516b || cp == 0x4e5d ||
           cp == 0x4e24 || cp == 0x51e0;
}

static bool is_letter(uint32_t cp)
{
    return cp >= 'a' && cp <= 'z';
}

/* Whether a word goes on from unit u - 1 to u: English has blanks between its words, and a time is whole words. */
static bool is_inside_word(const struct view *v, uint32_t u)
{
    return u > 0 && u < v->n && !v->gap[u] && is_letter(v->cp[u]) && is_letter(v->cp[u - 1]);
}

/* 每周三 comes back, 上周三 is over. */
static bool is_of_others(const struct view *v, uint32_t u)
{
    uint32_t before = u > 0 ? v->cp[u - 1] : 0, cp = v->cp[u];
    bool is_week = cp == u'周' || cp == u'星' || cp == u'礼';
    return before == u'每' || (before == u'上' && is_week);
}

/* Copies units from `from` on, up to punctuation; between two numbers a slash becomes 月, a dash or tilde 到. */
static uint32_t copy_phrase(const struct detect_text *t, uint32_t from, uint32_t *cp, uint32_t *unit)
{
    const struct view *v = &t->f->view[VIEW_PLAIN];
    uint32_t n = 0;
    for (uint32_t u = from; u < v->n && n + 1 < DUETIME_CHARS_MAX; u++) {
        if (u > from && v->gap[u]) {
            if (detect_has_punctuation(t->text, v->to[u - 1], v->from[u], NULL)) {
                bool is_colon = v->from[u] == v->to[u - 1] + 1 && t->text.p[v->to[u - 1]] == ':';
                if (!is_colon)
                    break;
                unit[n] = u, cp[n++] = 0x70b9; /* 18:00 as 18点00 */
            } else if (is_number(v->cp[u]) && is_number(v->cp[u - 1])) {
                bool is_slash = v->from[u] == v->to[u - 1] + 1 && t->text.p[v->to[u - 1]] == '/';
                unit[n] = u, cp[n++] = is_slash ? u'月' : u'到';
            }
        }
        if (n + 1 >= DUETIME_CHARS_MAX)
            break;
        unit[n] = u;
        cp[n++] = v->cp[u];
    }
    return n;
}

void detect_times(const struct detect_text *t, struct detect_list *out)
{
    const struct view *v = &t->f->view[VIEW_PLAIN];
    uint32_t cp[DUETIME_CHARS_MAX], unit[DUETIME_CHARS_MAX];
    for (uint32_t u = 0; u < v->n; u++) {
        if (u > 0 && is_number(v->cp[u]) && is_number(v->cp[u - 1]))
            continue;
        if (!duetime_may_begin(v->cp[u]) || is_inside_word(v, u))
            continue;
        uint32_t n = copy_phrase(t, u, cp, unit);
        struct duetime d = duetime_read(cp, n, t->now_ms, t->calendar);
        if (d.kind == DUETIME_NONE || is_inside_word(v, unit[d.n - 1] + 1))
            continue;
        uint32_t last = unit[d.n - 1];
        if (is_of_others(v, u)) {
            u = last;
            continue;
        }
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
