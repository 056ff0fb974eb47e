/* Numbers, addresses and times in a folded text. */
#pragma once

#include "text/fold.h"

/* X(id, name) */
#define DETECTORS(X)                                                                                                   \
    X(DETECT_PHONE, "phone")                                                                                           \
    X(DETECT_LANDLINE, "landline")                                                                                     \
    X(DETECT_SERVICE_NUMBER, "service_number")                                                                         \
    X(DETECT_WECHAT_ID, "wechat_id")                                                                                   \
    X(DETECT_QQ, "qq")                                                                                                 \
    X(DETECT_NUMBER, "number")                                                                                         \
    X(DETECT_BANK_CARD, "bank_card")                                                                                   \
    X(DETECT_ID_CARD, "id_card")                                                                                       \
    X(DETECT_EMAIL, "email")                                                                                           \
    X(DETECT_URL, "url")                                                                                               \
    X(DETECT_SHARE_CODE, "share_code")                                                                                 \
    X(DETECT_MONEY, "money")                                                                                           \
    X(DETECT_TIME, "time")                                                                                             \
    X(DETECT_SOON, "soon")                                                                                             \
    X(DETECT_SOMEDAY, "someday")

enum detector {
#define X(id, name) id,
    DETECTORS(X)
#undef X
        DETECTOR_COUNT
};
const char *detector_name(enum detector d);
/* The detector of a name, or -1. */
int detector_of(const char *name);

enum { DETECTIONS_MAX = 64 };

/* Units [from, to) of the plain view, bytes [bfrom, bto) of the text. */
struct detection {
    uint8_t kind;
    uint32_t from, to, bfrom, bto;
    uint32_t host, host_len; /* url: the host's bytes in the line */
    int64_t due_ms;          /* time, soon: 0 when there is none */
};

struct detect_list {
    struct detection d[DETECTIONS_MAX];
    size_t n;
    bool is_cut; /* there were more */
};

/* What to look at: the plain view always; digit view for numbers, line for addresses and ids. */
struct detect_text {
    struct span text;
    const struct folded *f;
    int64_t now_ms;
    const struct calendar *calendar; /* of the shop, or NULL */
};

void detect_add(struct detect_list *l, struct detection d);
/* Digits: phone, landline, service_number, qq, number, bank_card, id_card, money. */
void detect_numbers(const struct detect_text *t, struct detect_list *out);
/* email, url, share_code, wechat_id. */
void detect_addresses(const struct detect_text *t, struct detect_list *out);
/* time, soon, someday. */
void detect_times(const struct detect_text *t, struct detect_list *out);

enum {
    DETECT_IS_NUMBER = 1 << DETECT_PHONE | 1 << DETECT_LANDLINE | 1 << DETECT_SERVICE_NUMBER | 1 << DETECT_QQ |
                       1 << DETECT_NUMBER | 1 << DETECT_BANK_CARD | 1 << DETECT_ID_CARD | 1 << DETECT_MONEY,
    DETECT_IS_ADDRESS = 1 << DETECT_EMAIL | 1 << DETECT_URL | 1 << DETECT_SHARE_CODE | 1 << DETECT_WECHAT_ID,
    DETECT_IS_TIME = 1 << DETECT_TIME | 1 << DETECT_SOON | 1 << DETECT_SOMEDAY
};

/* The first unit of the view that begins at byte `at` or behind it. */
uint32_t detect_unit_at(const struct view *v, uint32_t at);
/* The same; `hint` is likely the answer. */
static inline uint32_t detect_unit_near(const struct view *v, uint32_t at, uint32_t hint)
{
    bool is_it = hint < v->n && v->from[hint] == at && (hint == 0 || v->from[hint - 1] < at);
    return is_it ? hint : detect_unit_at(v, at);
}
/* Whether clause punctuation or a line break stands in bytes [from, to) of the text; whether it ends a sentence. */
bool detect_has_punctuation(struct span text, uint32_t from, uint32_t to, bool *ends_sentence);
