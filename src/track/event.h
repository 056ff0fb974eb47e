/* What is recorded: one event per message (and few others). Gate fills it, the ring stores it, the pump hands it to
 * Redis (docs/redis.md has the encoding). */
#pragma once

#include "base/span.h"

#define EVENT_KINDS(X)                                                                                                 \
    X(EV_OUTGOING, "out")      /* an agent's message, with its verdict */                                              \
    X(EV_INCOMING, "in")       /* a customer's message */                                                              \
    X(EV_REFUSED, "refused")   /* the backend refused an outgoing message after all: reopens the round */              \
    X(EV_AGENT_ON, "agent_on") /* an agent's session began on this node */                                             \
    X(EV_AGENT_OFF, "agent_off")                                                                                       \
    X(EV_GAP, "gap") /* events were lost: `count` of them */

enum event_kind {
#define X(id, name) id,
    EVENT_KINDS(X)
#undef X
        EVENT_KIND_COUNT
};

/* All spans are bounded by EVENT_FIELD_MAX when encoded: a longer id is cut and ends in "~" and 16 hexadecimal digits
 * of its hash, a longer list of rules loses whole ids at its end, longer words are cut. */
enum {
    EVENT_FIELD_MAX = 200,
    EVENT_WORDS_MAX = 600,
    EVENT_TEXT_MAX = 400,
    EVENT_HELD_TEXT_MAX = 3000, /* a message with more cannot be held: these two are never cut */
    EVENT_HELD_RAW_MAX = 4800,
    EVENT_SAID_MAX = 3000,  /* of a message in the transcript; longer ones are cut and say so */
    EVENT_USUAL_MAX = 4608, /* one that carries neither a held message nor a transcript */
    EVENT_ENCODED_MAX = 13312
};

struct track_event {
    enum event_kind kind;
    int64_t at_ms;     /* wall time of the message: when it passed, or its own time if it is older */
    int64_t passed_ms; /* when it passed; not encoded, for the ring's record. 0: now */
    struct span agent, team, shop;
    struct span conv;     /* conversation id */
    struct span customer; /* customer key: decides the shard */
    struct span mid;      /* backend's or client's message id, may be empty */
    struct span sender;   /* incoming: who wrote */
    uint8_t action;       /* outgoing: enum action of rule/set.h */
    bool is_edit;
    bool is_delivered;  /* outgoing: handed to the backend */
    bool is_ack_only;   /* outgoing: no more than 好的 / 稍等 */
    bool is_live;       /* incoming: false for delayed or replayed */
    bool is_human;      /* outgoing: counts as a human reply */
    struct span rules;  /* ids of the rules that hit, comma between */
    struct span shadow; /* ids of shadow rules that would have hit */
    struct span rules_version;
    struct span text_masked; /* outgoing that a rule hit: around the hit, at most EVENT_TEXT_MAX; empty: not kept */
    struct span text_full;   /* the same as it was sent */
    uint64_t text_hash;      /* keyed by nothing, of the folded text: tells repeats without storing text */
    struct span case_kind;   /* incoming: opens a case */
    uint8_t severity;
    struct span case_rule;
    struct span words;     /* incoming that opens a case: the customer's words, at most EVENT_WORDS_MAX bytes */
    bool confirms;         /* incoming: the customer says that it is solved */
    int64_t commit_due_ms; /* outgoing: promised time, 0: none */
    struct span commit_rule;
    int64_t open_ms; /* calendar_open_ms of the shop at at_ms, and its calendar_id; 0: it has no calendar */
    uint32_t calendar_id;
    uint64_t count; /* gap */
    /* outgoing, held for approval; raw empty: not */
    struct span held_raw;   /* what is sent on approval */
    struct span held_text;  /* what the approver reads */
    struct span held_route; /* profile and socket that understand the bytes */
    struct span held_via;   /* the session that it came from */
    int64_t held_ttl_ms;
    bool held_is_sent_at_end; /* when nobody decides in time */
    struct span held_id;      /* outgoing, delivered: it was held under this id and approved */
    struct span said;         /* for the transcript, masked or not */
    int64_t said_keep_ms;     /* how long it is kept; 0: there is no transcript */
};

/* "out", "in", … as in EVENT_KINDS. */
const char *event_kind_name(enum event_kind kind);

/* The encoding, which is the payload of a ring's record and what the script `apply` gets. Most messages have the plain
 * form: numbers big-endian, texts behind one byte of length (but for who: two).
 *
 *   1 byte 1   1 what: 1 a customer's, 2 replayed, 3 an agent's that was delivered and counts as a human reply, 4
 * another 1 is there an action, a rule, a shadow rule?   2 event_key_hash   2 bytes of the record   conv the record of
 * the conversation's window: 6 at_ms   1 code (1 out, 3 in, + 8 is_ack_only)   6 commit_due_ms 6 open_ms   4
 * calendar_id   key of the message   who: agent, team, shop as MessagePack, 2 bytes of length text_hash (out: 16
 * hexadecimal digits)   commit_rule 1 flags: in 1 is_live; out 1 is_delivered, 2 is_human, 4 is_ack_only   1 action
 * customer   sender rules_version   rules   shadow
 *
 * What has more to say (other kinds, edits, complaints, held messages) is one MessagePack map. Empty spans, zeros and
 * false are left out; numbers are integers, flags are `true`.
 *
 *   k kind's name   at at_ms       agent  team  shop  conv    cust customer   mid  sender   act action
 *   edit is_edit    dlv is_delivered      ackonly is_ack_only live is_live    human is_human
 *   rules           shadow         rv rules_version           th text_hash as 16 hexadecimal digits
 *   txm text_masked txf text_full
 *   ckind case_kind sev severity   crule case_rule            words           conf confirms
 *   due commit_due_ms              prule commit_rule          count
 *   hraw htext hroute hvia httl hsend hid    held_…          text said    tcut it is cut    tkeep said_keep_ms
 *   ob open_ms     oc calendar_id
 *
 * Besides the gate's events there are those of the journal itself, kind "gap", without customer: `count` records were
 * lost. A full ring writes one for all that it refused; records that were damaged or overwritten are replaced, each, by
 * one with count 1, so that the numbers of a shard stay hole-free. */
size_t event_encode(const struct track_event *ev, uint8_t out[EVENT_ENCODED_MAX]);
/* The map, whatever the event. */
size_t event_encode_map(const struct track_event *ev, uint8_t out[EVENT_ENCODED_MAX]);

/* 16-bit hash of the key by which copies of a message are known: "i:" (incoming) or "o:", then the message id, or
 * without one a tab, who wrote, a tab, at_ms, a tab, the digits of the text hash. Part of the schema: rounds.lua has
 * the same. */
uint32_t event_key_hash(struct span key, uint32_t before);
enum { EVENT_KEY_HASH = 7 }; /* `before` of the first piece */

/* The shard of a customer key: hash_stable modulo n. */
unsigned event_shard(struct span customer, unsigned n_shards);
