#include "rule/detect.h"

#include "base/utf8.h"

const char *detector_name(enum detector d)
{
    static const char *const names[] = {
#define X(id, name) [id] = name,
        DETECTORS(X)
#undef X
    };
    return names[d];
}

int detector_of(const char *name)
{
    for (int d = 0; d < DETECTOR_COUNT; d++)
        if (strcmp(detector_name((enum detector)d), name) == 0)
            return d;
    return -1;
}

void detect_add(struct detect_list *l, struct detection d)
{
    if (l->n < DETECTIONS_MAX)
        l->d[l->n++] = d;
    else
        l->is_cut = true;
}

uint32_t detect_unit_at(const struct view *v, uint32_t at)
{
    uint32_t lo = 0, hi = v->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (v->from[mid] < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool is_sentence_end(uint32_t cp)
{
    switch (cp) {
    case '\n':
    case '\r':
    case '!':
    case '?':
    case ';':
    case 0x3002: /* ideographic full stop */
    case 0xff61:
    case 0xff0e:
    case 0xff01:
    case 0xff1f:
    case 0xff1b:
    case 0x2026: /* ellipsis */
        return true;
    default:
        return false;
    }
}

bool detect_has_punctuation(struct span text, uint32_t from, uint32_t to, bool *ends_sentence)
{
    bool found = false;
    while (from < to && from < text.n) {
        uint32_t cp = 0;
        unsigned n = utf8_decode(text.p + from, text.n - from, &cp);
        if (!n)
            break;
        from += n;
        if (is_sentence_end(cp)) {
            if (ends_sentence)
                *ends_sentence = true;
            found = true;
        } else if (cp == ',' || cp == ':' || cp == 0xff0c || cp == 0x3001 || cp == 0xff64 || cp == 0xff1a) {
            found = true;
        }
    }
    return found;
}
