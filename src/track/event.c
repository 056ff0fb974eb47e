#include "track/event.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "track/event_plain.h"

enum { HASH_TAIL = 17 }; /* "~" and 16 digits */

const char *event_kind_name(enum event_kind kind)
{
    static const char *const names[] = {
#define X(id, name) name,
        EVENT_KINDS(X)
#undef X
    };
    return names[kind];
}

unsigned event_shard(struct span customer, unsigned n_shards)
{
    return (unsigned)(hash_stable(customer) % n_shards);
}

/* MessagePack (msgpack.org, spec 2.0): just what an event needs. Sizes are bounded by the callers, see the assertion at
 * the end. */
struct writer {
    uint8_t *at;
    unsigned n_pairs;
};

static void put_be(struct writer *w, uint64_t v, unsigned bytes)
{
    while (bytes)
        *w->at++ = (uint8_t)(v >> (8 * --bytes));
}

static void put_str_head(struct writer *w, size_t n)
{
    if (n < 32) {
        *w->at++ = (uint8_t)(0xa0 | n);
    } else if (n < 256) {
        *w->at++ = 0xd9;
        *w->at++ = (uint8_t)n;
    } else {
        *w->at++ = 0xda;
        put_be(w, n, 2);
    }
}

static void put_bytes(struct writer *w, const void *p, size_t n)
{
    memcpy(w->at, p, n);
    w->at += n;
}

static void put_key(struct writer *w, const char *key)
{
    size_t n = strlen(key);
    put_str_head(w, n);
    put_bytes(w, key, n);
    w->n_pairs++;
}

static void put_uint(struct writer *w, uint64_t v)
{
    if (v < 128) {
        *w->at++ = (uint8_t)v;
    } else if (v <= UINT32_MAX) {
        *w->at++ = 0xce;
        put_be(w, v, 4);
    } else {
        *w->at++ = 0xcf;
        put_be(w, v, 8);
    }
}

static void pair_int(struct writer *w, const char *key, int64_t v)
{
    if (!v)
        return;
    put_key(w, key);
    if (v > 0) {
        put_uint(w, (uint64_t)v);
    } else {
        *w->at++ = 0xd3;
        put_be(w, (uint64_t)v, 8);
    }
}

static void pair_flag(struct writer *w, const char *key, bool v)
{
    if (!v)
        return;
    put_key(w, key);
    *w->at++ = 0xc3;
}

static void pair_str(struct writer *w, const char *key, struct span s)
{
    if (!s.n)
        return;
    put_key(w, key);
    put_str_head(w, s.n);
    put_bytes(w, s.p, s.n);
}

/* Eight digits at once: each half byte into a byte of its own, then what is above 9 moved on to the letters. */
static void write_hex8(uint32_t v, uint8_t out[8])
{
    uint64_t x = (uint64_t)(v >> 16) << 32 | (v & 0xffff);
    x = (x | x << 8) & 0x00ff00ff00ff00ffu;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fu;
    uint64_t is_letter = (x + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
    x = event_be64(x + 0x3030303030303030u + is_letter * ('a' - '9' - 1));
    memcpy(out, &x, sizeof(x));
}

void event_write_hex(uint64_t v, uint8_t out[16])
{
    write_hex8((uint32_t)(v >> 32), out);
    write_hex8((uint32_t)v, out + 8);
}

/* Not inside a UTF-8 sequence (bytes that are no UTF-8 may be cut anywhere). */
static size_t cut_at(struct span s, size_t max)
{
    size_t n = max;
    while (n > max - 3 && (s.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static void pair_text(struct writer *w, const char *key, struct span s, size_t max)
{
    pair_str(w, key, s.n > max ? span_of(s.p, cut_at(s, max)) : s);
}

struct span event_cut_id(struct span s, uint8_t cut[EVENT_FIELD_MAX])
{
    size_t n = cut_at(s, EVENT_FIELD_MAX - HASH_TAIL);
    memcpy(cut, s.p, n);
    cut[n++] = '~';
    event_write_hex(hash_stable(s), cut + n);
    return span_of(cut, n + 16);
}

static void pair_id(struct writer *w, const char *key, struct span s)
{
    uint8_t cut[EVENT_FIELD_MAX];
    pair_str(w, key, event_bounded_id(s, cut));
}

struct span event_bounded_list(struct span s)
{
    if (s.n > EVENT_FIELD_MAX) {
        size_t n = EVENT_FIELD_MAX;
        while (n && s.p[n] != ',')
            n--;
        s.n = n;
    }
    return s;
}

static void pair_list(struct writer *w, const char *key, struct span s)
{
    pair_str(w, key, event_bounded_list(s));
}

static void pair_hash(struct writer *w, const char *key, uint64_t v)
{
    uint8_t hex[16];
    event_write_hex(v, hex);
    pair_str(w, key, span_of(hex, v ? sizeof(hex) : 0));
}

static void put_held(struct writer *w, const struct track_event *ev)
{
    pair_str(w, "hraw", ev->held_raw);
    pair_str(w, "htext", ev->held_text);
    pair_id(w, "hroute", ev->held_route);
    pair_id(w, "hvia", ev->held_via);
    pair_int(w, "httl", ev->held_ttl_ms);
    pair_flag(w, "hsend", ev->held_is_sent_at_end);
}

static void put_said(struct writer *w, struct span said)
{
    bool is_cut = said.n > EVENT_SAID_MAX;
    pair_str(w, "text", is_cut ? span_of(said.p, cut_at(said, EVENT_SAID_MAX)) : said);
    pair_flag(w, "tcut", is_cut);
}

size_t event_encode_map(const struct track_event *ev, uint8_t out[EVENT_ENCODED_MAX])
{
    _Static_assert(EVENT_SAID_MAX <= EVENT_HELD_TEXT_MAX, "one or the other");
    _Static_assert(16 * (EVENT_FIELD_MAX + 10) + EVENT_WORDS_MAX + 2 * (EVENT_TEXT_MAX + 10) + EVENT_HELD_TEXT_MAX +
                           EVENT_HELD_RAW_MAX + 3 * 9 + 20 * 18 <
                       EVENT_ENCODED_MAX,
                   "fields must fit");
    struct writer w = {.at = out + 3};
    pair_str(&w, "k", span_str(event_kind_name(ev->kind)));
    pair_int(&w, "at", ev->at_ms);
    pair_id(&w, "agent", ev->agent);
    pair_id(&w, "team", ev->team);
    pair_id(&w, "shop", ev->shop);
    pair_id(&w, "conv", ev->conv);
    pair_id(&w, "cust", ev->customer);
    pair_id(&w, "mid", ev->mid);
    pair_id(&w, "sender", ev->sender);
    pair_int(&w, "act", ev->action);
    pair_flag(&w, "edit", ev->is_edit);
    pair_flag(&w, "dlv", ev->is_delivered);
    pair_flag(&w, "ackonly", ev->is_ack_only);
    pair_flag(&w, "live", ev->is_live);
    pair_flag(&w, "human", ev->is_human);
    pair_list(&w, "rules", ev->rules);
    pair_list(&w, "shadow", ev->shadow);
    pair_id(&w, "rv", ev->rules_version);
    pair_hash(&w, "th", ev->text_hash);
    pair_id(&w, "ckind", ev->case_kind);
    pair_int(&w, "sev", ev->severity);
    pair_id(&w, "crule", ev->case_rule);
    pair_text(&w, "txm", ev->text_masked, EVENT_TEXT_MAX);
    pair_text(&w, "txf", ev->text_full, EVENT_TEXT_MAX);
    pair_text(&w, "words", ev->words, EVENT_WORDS_MAX);
    pair_flag(&w, "conf", ev->confirms);
    pair_int(&w, "due", ev->commit_due_ms);
    pair_id(&w, "prule", ev->commit_rule);
    pair_int(&w, "ob", ev->open_ms);
    pair_int(&w, "oc", ev->calendar_id);
    pair_int(&w, "count", ev->count > INT64_MAX ? INT64_MAX : (int64_t)ev->count);
    if (ev->held_raw.n && ev->held_raw.n <= EVENT_HELD_RAW_MAX && ev->held_text.n <= EVENT_HELD_TEXT_MAX)
        put_held(&w, ev);
    else if (ev->said_keep_ms)
        put_said(&w, ev->said);
    pair_int(&w, "tkeep", ev->said_keep_ms);
    pair_id(&w, "hid", ev->held_id);
    out[0] = 0xde; /* map 16 */
    out[1] = 0;
    out[2] = (uint8_t)w.n_pairs;
    return (size_t)(w.at - out);
}

size_t event_encode(const struct track_event *ev, uint8_t out[EVENT_ENCODED_MAX])
{
    return event_is_plain(ev) ? event_encode_plain(ev, out) : event_encode_map(ev, out);
}
