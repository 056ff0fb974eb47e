/* Evidence (docs/evidence.md): the one form in which an entry of a transcript is hashed, by the gateway that seals it
 * and by whoever exports or verifies it; chains; seals. */
#pragma once

#include "base/json_out.h"
#include "net/sign.h"
#include "track/redis.h"

/* An entry as lua/said.lua gives it; the numbers are positions in a row. */
#define SAID_FIELDS(X)                                                                                                 \
    X(SAID_NO, "no", true)                                                                                             \
    X(SAID_AT, "at_ms", true)                                                                                          \
    X(SAID_KIND, "kind", false)                                                                                        \
    X(SAID_AGENT, "agent", false)                                                                                      \
    X(SAID_SENDER, "sender", false)                                                                                    \
    X(SAID_ACTION, "action", false)                                                                                    \
    X(SAID_DELIVERED, "delivered", false)                                                                              \
    X(SAID_EDIT, "edit", false)                                                                                        \
    X(SAID_MESSAGE, "message", false)                                                                                  \
    X(SAID_RULES, "rules", false)                                                                                      \
    X(SAID_TEXT, "text", false)                                                                                        \
    X(SAID_CUT, "cut", false)                                                                                          \
    X(SAID_STORED, "stored_ms", true)                                                                                  \
    X(SAID_HELD, "held", false)

enum said_field {
#define X(id, name, is_number) id,
    SAID_FIELDS(X)
#undef X
        SAID_FIELD_COUNT
};

/* Appends `{"entry":{…}}`: all fields in this order, empty ones left out, no white space. Its SHA-256 is the entry's
 * hash. */
void evidence_write_entry(struct buf *out, const struct redis_reply *row);

/* The head of a chain behind one more hash: SHA-256 of both as 128 digits. Starts at 64 zeros. */
void evidence_chain(char head[SHA256_HEX], const char *hash);
#define EVIDENCE_EMPTY_HEAD "0000000000000000000000000000000000000000000000000000000000000000"

/* What a seal says; it is signed as the JSON text that evidence_write_seal makes. */
struct evidence_seal {
    unsigned shard;
    uint64_t number;      /* of the shard's seals, without holes */
    const char *previous; /* hash of the seal before */
    struct span conv;
    const char *before;             /* head of the chain before the first of these entries */
    uint64_t from, to;              /* numbers of the first and the last of them */
    const char (*hash)[SHA256_HEX]; /* of each */
    const char *head;               /* behind the last */
    int64_t at_ms;
    const char *node, *key_id;
};
void evidence_write_seal(struct buf *out, const struct evidence_seal *seal);
