/* The compiled form of a profile and the working state of one read. Private to profile*.c.
 *
 *   payload ─ envelope ─▶ layer 0 (root document of a unit)
 *                            └ string node "…" ─ !json ─▶ layer 1 (document inside that string)
 *
 * A place is a value in a layer. Offsets in a layer go outward through every string that holds it, so an edit anywhere
 * becomes an edit of the payload. */
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "proto/json.h"
#include "proto/profile.h"

enum {
    LAYERS_MAX = 40,
    CAPS_MAX = 12, /* names that `get` can capture, over all rules of a profile */
    STEPS_MAX = 24,
    ACTIONS_MAX = 4,
    SENT_MAX = 8, /* sends per connection that await their answer; kept small, every session that wrote holds them */
    ID_MAX = 64,  /* longest id that is remembered */
};

/* --- selectors --- */

enum step_kind { STEP_KEY, STEP_ANY, STEP_DEEP, STEP_JSON };
struct step {
    enum step_kind kind;
    bool is_index; /* the key is a number as well */
    uint32_t index;
    struct span key;
    uint32_t mark; /* of the key (json_key.h) */
};
struct selector {
    const char *text;
    bool is_packet_type; /* sio:type */
    bool is_packet_ack;  /* sio:ack */
    bool is_key;         /* one key of the root, as most are */
    bool is_path;        /* keys and !json only: it finds one value at most */
    bool into_object;    /* another selector of the same list reaches into an object, or array, found here */
    bool into_array;
    uint32_t n;
    struct step *step;
};
struct selectors {
    uint32_t n;
    struct selector *sel;
};

struct layer {
    struct json_doc doc;
    const struct layer *outer; /* NULL: doc.src is bytes of the payload */
    uint32_t outer_node;       /* the string that holds this document */
    uint32_t base;             /* offset of doc.src in the outer source, when nothing had to be unescaped */
    bool is_decoded;           /* else base counts */
    uint32_t *map;             /* of a decoded layer, made when an edit needs it */
    enum json_result result;
};
struct place {
    struct layer *layer; /* NULL: nowhere */
    uint32_t node, parent;
};

/* --- conditions --- */

struct literal {
    enum json_kind kind;
    struct span text;
    double number;
};
enum cond_op {
    COND_EQ,
    COND_IN,
    COND_LT,
    COND_GE,
    COND_HAS,
    COND_ABSENT,
    COND_GLOB,
    COND_TYPE,
    COND_SAME,
    COND_NOT,
    COND_ANY,
    COND_ALL,
};
struct cond {
    enum cond_op op;
    bool is_text; /* eq or in, one key of the root, all literals are strings */
    struct selector sel;
    uint32_t n_lit, n_sub;
    struct literal *lit;
    struct cond *sub;
};
struct conds {
    bool is_set;
    uint32_t n;
    struct cond *cond;
};

/* --- templates --- */

enum var {
    VAR_REASON,
    VAR_RULE,
    VAR_NOTICE,
    VAR_UUID,
    VAR_NOW_MS,
    VAR_NOW_RFC3339,
    VAR_UID,
    VAR_CAPTURE, /* + index of the captured name */
};
enum piece_kind { PIECE_TEXT, PIECE_VALUE, PIECE_IN_STRING, PIECE_TEMPLATE };
struct piece {
    enum piece_kind kind;
    bool is_optional; /* null, or nothing inside a string, when absent */
    uint8_t var;
    struct span text;
    const struct template *tpl;
};
struct template
{
    const char *name;
    uint32_t n;
    struct piece *piece;
};

/* --- rules --- */

enum rule_kind { RULE_SEND, RULE_EDIT, RULE_INCOMING, RULE_OPAQUE, RULE_IGNORE, RULE_ACK, RULE_NACK };
enum cap { CAP_CONV, CAP_MID, CAP_CORR, CAP_SENDER, CAP_TS, CAP_CUSTOMER, CAP_OWN };

struct capture {
    uint8_t name;
    struct selectors from; /* the first that exists */
};
enum action_how { ACTION_SEND, ACTION_ACK, ACTION_EVENT };
struct action {
    enum action_how how;
    int8_t if_ack; /* 1: only with an ack id, 0: only without, -1: always */
    const struct template *tpl;
};
struct refusal {
    const char *name;
    uint32_t n;
    struct action action[ACTIONS_MAX];
};
struct profile_rule {
    const char *id;
    enum profile_dir dir;
    enum rule_kind kind;
    struct conds when, edit, opaque; /* when: all hold; edit: all; opaque: any */
    struct selectors text, drop;
    uint32_t n_get;
    struct capture *get;
    const struct refusal *refuse;
    struct conds role[3]; /* by enum unit_role */
    enum unit_role role_else;
    int64_t max_age_ms; /* 0: any age is live */
    struct conds live;
};

/* --- sockets and routes --- */

enum framing { FRAMING_PLAIN, FRAMING_SOCKJS, FRAMING_SOCKETIO, FRAMING_XMPP };
struct pattern {
    const char *method; /* NULL: any */
    uint32_t n;
    struct span *seg;
};
struct query_need {
    struct span name, value;
};
struct socket {
    struct pattern path;
    enum framing framing;
    uint8_t opcode;
    uint32_t n_subprotocols, n_ignore, n_needs;
    struct span *subprotocol, *ignore;
    struct query_need *need;
};

enum notice_via { NOTICE_NONE, NOTICE_INLINE, NOTICE_REFUSAL_ONLY };

struct profile {
    struct arena arena;
    atomic_uint refs;
    const char *name;
    unsigned json_flags;
    bool refuse_override;
    bool unknown_by_policy; /* default: policy */
    uint32_t n_suffixes, n_sockets, n_deny, n_templates, n_refusals, n_rules, n_caps;
    struct span *suffix;
    struct socket *socket;
    struct pattern *deny;
    struct template *tpl;
    struct refusal *refusal;
    struct profile_rule *rule;
    const char *cap[CAPS_MAX];
    const struct refusal *fallback; /* for what no rule claims */
    struct selectors customer;
    struct {
        struct conds ask, ok;
        struct selectors ask_corr, corr, uid, name;
    } identity;
    struct {
        enum notice_via via;
        struct action action;
        struct conds needs_sub;
    } notice;
    bool has_answers; /* some rule is ack or nack: sends are remembered */
    bool is_xmpp;
    struct profile_xmpp xmpp;
};

/* --- one read --- */

struct packet {
    uint8_t type;
    bool has_ack;
    struct span ns, ack;
};
struct unit_state {
    const struct profile_rule *rule;
    struct layer *root;
    struct packet packet;
    uint32_t elem; /* sockjs: the string of the envelope that holds the unit; 0: the whole message does */
    uint32_t n_texts;
    struct place text[UNIT_TEXTS_MAX];
    struct place cap[CAPS_MAX];
};
struct profile_scratch {
    struct arena arena; /* decoded strings, maps, splices; until the next read */
    uint32_t n_layers, n_units;
    struct layer layer[LAYERS_MAX];
    struct layer *envelope; /* sockjs: the array of strings */
    bool saw_utf8;          /* a document that was read, and is UTF-8 so, is the whole payload */
    bool is_overflow;       /* more than UNITS_MAX units */
    struct unit_state state[UNITS_MAX];
    struct packet packet;
    struct layer *ack;        /* socketio: the acknowledgement's number as a document */
    enum json_result trouble; /* the worst that an inner document showed */
    const struct profile *profile;
    struct profile_conn *conn;
    struct buf tmp, wrapped;
};

/* What is remembered of a send until the backend answers it. */
struct sent {
    uint8_t corr_len, mid_len, conv_len;
    uint8_t corr[ID_MAX], mid[ID_MAX], conv[ID_MAX];
};
struct conn_ext {
    struct sent *sent; /* SENT_MAX of them, the oldest is overwritten */
    uint32_t next_sent;
    uint8_t ns[ID_MAX], ns_len; /* socketio: the namespace that messages use */
    bool is_connected;          /* socketio: a namespace was accepted */
    bool has_sub;
    bool is_conv_number; /* conversation ids are JSON numbers here */
};
