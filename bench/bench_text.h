/* What is sent: a message template filled with an id and a text from a corpus. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { TEXT_ID_LEN = 14 }; /* "cb" and 12 hexadecimal digits */
#define TEXT_ID_MASK ((UINT64_C(1) << 48) - 1)

struct texts {
    struct buf bytes; /* JSON-escaped, one after the other */
    uint32_t *end;    /* where each ends */
    size_t n;
};
/* One text per line, empty lines left out. */
int texts_load(struct texts *t, const char *path, struct err *e) MUST_CHECK;
void texts_set(struct texts *t, const char *one);
void texts_fini(struct texts *t);
struct span texts_get(const struct texts *t, size_t i);

/* {id} {text} {n} (number of the agent) {c} (number of the conversation, in turn) in any order; everything else is sent
 * as it stands. */
#define TEXT_DEFAULT_MESSAGE "{\"type\":\"message\",\"id\":\"{id}\",\"conversationId\":\"c{n}\",\"text\":\"{text}\"}"
#define TEXT_DEFAULT_LOGIN   "{\"type\":\"auth\",\"token\":\"agent-{n}\"}"
#define TEXT_DEFAULT_TEXT    "您好这款衬衫有黑色和白色两种您看看喜欢哪一种呢" /* 23 characters, 69 bytes */

struct text_fill {
    uint64_t seq;   /* its lowest 48 bits become {id} */
    uint64_t convs; /* {c} counts from 0 to convs - 1 */
    unsigned agent;
    struct span text;
    size_t pad_to; /* the text is repeated until the message has about so many bytes; 0: as it is */
};
void text_build(struct buf *out, const char *template, const struct text_fill *fill);

/* The number of the first id in an answer, at most TEXT_ID_MASK; false: there is none. */
bool text_find_id(struct span payload, uint64_t *seq);
