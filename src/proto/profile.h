/* Backend profiles (docs/profiles.md): YAML that says where messages sit in a backend's units, how a refusal looks
 * natively, how a notice is delivered and how the agent is known. A compiled profile is immutable and
 * reference-counted.
 *
 *   one WebSocket message ─ envelope (plain | sockjs | socketio) ─▶ 0..n units ─ rules ─▶ kind, texts, ids
 *                                                  caller judges each unit ─▶ profile_emit: as it came | spliced |
 * nothing
 *
 * No event loop. All state between calls is in profile_conn (per session) and profile_scratch (per thread). */
#pragma once

#include "base/buf.h"
#include "base/cause.h"
#include "conf/yaml.h"

struct profile;
struct profile_rule;

struct profile *profile_load_file(const char *path, struct err_list *errs);
/* As above from memory; `name` stands for the file in errors. */
struct profile *profile_load_text(const char *name, struct span text, struct err_list *errs);
struct profile *profile_ref(struct profile *p);
void profile_unref(struct profile **p);
const char *profile_name(const struct profile *p);

/* Only of a profile with an `xmpp:` section: the codec is built in, these are its knobs. */
struct profile_xmpp {
    bool is_websocket;   /* it has sockets of framing xmpp: for HTTP listeners; else the listener takes XMPP streams */
    bool strips_sm;      /* stream management is not offered */
    bool counts_notices; /* under stream management notices are shown, and counted */
    bool refuses_by_message; /* a refusal is a message of the same kind, not an error */
    bool upstream_starttls;  /* TLS towards the server begins with STARTTLS, not at once */
};
/* NULL: not XMPP. */
const struct profile_xmpp *profile_xmpp(const struct profile *p);

/* --- HTTP routes --- */

enum route_kind {
    ROUTE_PASS,      /* relay untouched */
    ROUTE_WEBSOCKET, /* a chat socket of this profile, when the request asks for an upgrade; `ws` tells which */
    ROUTE_DENY,      /* refused with 403 */
    ROUTE_BAD,       /* a target that cannot be understood in one way only: 400 */
};
struct route {
    enum route_kind kind;
    int ws;            /* index for profile_conn_init */
    uint8_t ws_opcode; /* 1 text or 2 binary: what carries messages here */
};
/* Decides by method and target as they came (percent-encoded). `method_override` lets overrides be refused: NULL or the
 * value of X-HTTP-Method-Override. A chat socket whose query is not what the profile requires is ROUTE_DENY. An upgrade
 * on any other route than ROUTE_WEBSOCKET is for the caller to refuse. */
struct route profile_route(const struct profile *p, struct span method, struct span target,
                           const char *method_override);
/* May the backend answer with this subprotocol on this socket? Empty: none was chosen. */
bool profile_subprotocol_ok(const struct profile *p, int ws, struct span subprotocol);

/* --- a WebSocket session --- */

/* Per session: identity and what must be remembered to refuse and to notify. */
struct profile_conn {
    const struct profile *profile;
    int ws;
    struct buf uid, name; /* the agent, once known; uid.len == 0 before */
    struct buf ask_corr;  /* awaited login answer's correlation id */
    bool asked;
    bool notice_ready; /* the client has what a notice needs (its subscription, say) */
    void *ext;         /* profile.c's own */
};
void profile_conn_init(struct profile_conn *c, const struct profile *p, int ws, struct span query);
void profile_conn_fini(struct profile_conn *c);

enum unit_kind { UNIT_NONE, UNIT_SEND, UNIT_EDIT, UNIT_INCOMING, UNIT_OPAQUE };
enum unit_role { ROLE_CUSTOMER, ROLE_SELF, ROLE_AGENT };

enum { UNIT_TEXTS_MAX = 32, UNITS_MAX = 16 };

/* One message-carrying unit. Spans live in the scratch until the next profile_read with it. */
struct unit {
    enum unit_kind kind;
    const struct profile_rule *rule;
    bool has_cause; /* could not be read properly: `cause` says why, the texts are incomplete */
    enum cause cause;
    struct span text[UNIT_TEXTS_MAX]; /* decoded UTF-8, in the order of the profile's selectors */
    size_t n_texts;
    struct span conv, customer, mid, sender; /* decoded ids, empty when absent; customer falls back to conv */
    int64_t ts_ms;                           /* sending time that the unit names, 0: none */
    enum unit_role role;                     /* incoming only */
    bool is_live;                            /* incoming only: false for history */
    bool is_ack, is_nack;                    /* s2c answer to an earlier send: `mid` says which */
    uint32_t id;                             /* position in the message, for emit and refuse */
};

struct profile_scratch;
struct profile_scratch *profile_scratch_new(void);
void profile_scratch_free(struct profile_scratch **s);

enum profile_dir { C2S, S2C };

/* Reads one whole WebSocket message (unmasked payload, of any bytes). Fills units (kind SEND, EDIT, INCOMING,
 * OPAQUE; and NONE with is_ack or is_nack set for answers to earlier sends; others are left out) and learns identity
 * into the conn. Returns the number of units; a payload that the profile cannot read gives one unit of kind UNIT_OPAQUE
 * with a cause (so does an s2c payload: that one is to be passed and counted). `now_ms` for the age of messages; 0: the
 * clock is asked when a message's age counts. `payload` must stay until profile_emit and profile_refuse are done. */
size_t profile_read(struct profile_scratch *s, struct profile_conn *c, enum profile_dir dir, struct span payload,
                    int64_t now_ms, struct unit units[UNITS_MAX]);

/* Has the last profile_read found its whole payload to be UTF-8? False: it has not looked at all of it. */
bool profile_saw_utf8(const struct profile_scratch *s);

/* A replacement inside one text of a unit: bytes [from, to) of the decoded text. Sorted and disjoint per text. */
struct text_edit {
    uint16_t text;
    uint32_t from, to;
    struct span with;
};
struct unit_fate {
    bool drop; /* refused: nothing of it goes on */
    const struct text_edit *edit;
    size_t n_edits;
};
enum emit { EMIT_AS_IS, EMIT_NOTHING, EMIT_BYTES, EMIT_FAILED };
/* After profile_read of the same payload with the same scratch: what goes on. fates[i] belongs to units[i]. AS_IS: the
 * bytes that came; NOTHING: every unit was dropped and nothing else was in the message; BYTES: `out` holds the new
 * payload, all bytes outside the edited values unchanged; FAILED: cannot be spliced (the caller refuses all units).
 * Companion fields named by `rewrite.drop` of the rule are removed and counted in *n_dropped. */
enum emit profile_emit(struct profile_scratch *s, struct span payload, const struct unit *units, size_t n,
                       const struct unit_fate *fates, struct buf *out, unsigned *n_dropped);

/* Words for refusals and notices. */
struct profile_words {
    struct span reason; /* what the agent reads */
    struct span rule;   /* rule id, may be empty */
};
/* Payloads to send to the client, each one WebSocket message, appended to `out` one after the other with their lengths
 * in `len` (at most 4). Returns their number; 0: this profile has no native refusal for that unit. Uses the spans of
 * the last profile_read. */
size_t profile_refuse(struct profile_scratch *s, const struct profile_conn *c, const struct unit *u,
                      const struct profile_words *w, int64_t now_ms, struct buf *out, size_t len[4]);
/* As above, an unsolicited notice (warning, reminder) in a conversation. 0: cannot be shown inline (now). */
size_t profile_notice(const struct profile_conn *c, struct span conv, struct span text, int64_t now_ms, struct buf *out,
                      size_t len[4]);
