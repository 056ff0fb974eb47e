#include "track/webhook_body.h"

#include <inttypes.h>

#include "base/json_out.h"
#include "base/utf8.h"
#include "net/hmac.h"
#include "proto/json.h"
#include "track/reminder.h"

enum { LINE_MAX_BYTES = 220 }; /* of a list, so that all of it stays below the 2,048 bytes that WeCom takes */

size_t webhook_most_events(enum webhook_kind kind)
{
    return kind == WEBHOOK_GENERIC ? 1 : WEBHOOK_DIGEST_MAX;
}

struct span webhook_field(const struct webhook_event *ev, const char *name)
{
    for (size_t i = 0; i + 1 < ev->n_fields; i += 2)
        if (span_is(ev->field[i], name))
            return ev->field[i + 1];
    return span_str("");
}

static int64_t number(const struct webhook_event *ev, const char *name)
{
    uint64_t n;
    return span_u64(webhook_field(ev, name), &n) ? (int64_t)MIN_OF(n, (uint64_t)INT64_MAX) : 0;
}

/* --- for people --- */

static void append_who(const struct webhook_event *ev, struct buf *out)
{
    static const struct {
        const char *field, *label;
    } part[] = {{"agent", "客服"}, {"team", "小组"}, {"shop", "店铺"}};
    char name[REMINDER_NAME_MAX];
    bool is_first = true;
    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        reminder_name(webhook_field(ev, part[i].field), name);
        if (name[0])
            buf_printf(out, "%s%s%s", is_first ? "（" : "，", part[i].label, name);
        is_first = is_first && !name[0];
    }
    buf_append_str(out, is_first ? "" : "）");
}

static void append_case(const struct webhook_event *ev, struct buf *out)
{
    static const char *const state[][2] = {
        {"open", "新投诉"},        {"reopened", "投诉重新打开"}, {"acknowledged", "投诉已受理"},
        {"waiting", "投诉等待中"}, {"solved", "投诉已解决"},     {"closed", "投诉已关闭"}};
    char id[REMINDER_NAME_MAX], customer[REMINDER_NAME_MAX];
    const char *what = "投诉";
    for (size_t i = 0; i < ARRAY_LEN(state); i++)
        if (span_is(webhook_field(ev, "state"), state[i][0]))
            what = state[i][1];
    reminder_name(webhook_field(ev, "case"), id);
    reminder_name(webhook_field(ev, "cust"), customer);
    struct span kinds = webhook_field(ev, "kinds");
    buf_printf(out, "%s%s：客户%s，类型 %.*s，严重程度 %" PRId64, what, id, customer, (int)MIN_OF(kinds.n, 200),
               (const char *)kinds.p, ev->severity);
}

static void append_reminder(const struct webhook_event *ev, int64_t now_ms, struct buf *out)
{
    static const char prefix[] = "提醒：";
    char text[REMINDER_TEXT_MAX], name[REMINDER_NAME_MAX], time[REMINDER_DURATION_MAX];
    struct span kind = webhook_field(ev, "kind");
    bool is_for_agent = span_is(webhook_field(ev, "to"), "agent");
    reminder_name(webhook_field(ev, "cust"), name);
    reminder_duration(now_ms - number(ev, "since"), time);
    reminder_text(kind, webhook_field(ev, "cust"), webhook_field(ev, "ref"), number(ev, "since"), now_ms, text);
    if (is_for_agent)
        buf_append_str(out, text);
    else if (span_is(kind, "unanswered"))
        buf_printf(out, "客户%s 已等待 %s，仍未得到回复", name, time);
    else if (span_is(kind, "commitment"))
        buf_printf(out, "答应客户%s 的时间已到，尚未兑现", name);
    else
        buf_append_str(out, text + sizeof(prefix) - 1);
}

static void append_line(const struct webhook_event *ev, int64_t now_ms, struct buf *out)
{
    if (span_is(ev->kind, "case"))
        append_case(ev, out);
    else
        append_reminder(ev, now_ms, out);
    append_who(ev, out);
}

void webhook_text(const struct webhook_event *ev, size_t n, int64_t now_ms, struct buf *out)
{
    bool is_urgent = false;
    for (size_t i = 0; i < n; i++)
        is_urgent = is_urgent || ev[i].is_urgent;
    buf_append_str(out, is_urgent ? "【chatgate 紧急】" : "【chatgate】");
    if (n == 1) {
        append_line(ev, now_ms, out);
        return;
    }
    buf_printf(out, "%zu 条：", n);
    for (size_t i = 0; i < n; i++) {
        struct buf line = {0};
        append_line(&ev[i], now_ms, &line);
        struct span s = buf_span(&line);
        size_t fit = utf8_valid_prefix(span_of(s.p, MIN_OF(s.n, (size_t)LINE_MAX_BYTES)));
        buf_printf(out, "\n%zu. %.*s%s", i + 1, (int)fit, (const char *)s.p, fit < s.n ? "…" : "");
        buf_fini(&line);
    }
}

/* --- for programs --- */

static void write_generic(const struct webhook_event *ev, struct buf *out)
{
    static const struct {
        const char *field, *key;
        bool is_number;
    } known[] = {{"kind", "kind", false},         {"step", "step", true},      {"to", "to", false},
                 {"case", "case", false},         {"from", "from", false},     {"state", "state", false},
                 {"kinds", "kinds", false},       {"who", "who", false},       {"why", "why", false},
                 {"agent", "agent", false},       {"team", "team", false},     {"shop", "shop", false},
                 {"conv", "conversation", false}, {"cust", "customer", false}, {"since", "since_ms", true},
                 {"ref", "ref", false},           {"item", "reminder", false}};
    struct json_out j = {.buf = out};
    json_obj(&j);
    json_key(&j, "id"), json_span(&j, ev->id);
    json_key(&j, "event"), json_span(&j, ev->kind);
    json_key(&j, "at_ms"), json_int(&j, ev->at_ms);
    json_key(&j, "severity"), json_int(&j, ev->severity);
    json_key(&j, "urgent"), json_bool(&j, ev->is_urgent);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        bool is_there = false;
        for (size_t k = 0; k + 1 < ev->n_fields; k += 2)
            is_there = is_there || span_is(ev->field[k], known[i].field);
        if (!is_there)
            continue;
        json_key(&j, known[i].key);
        if (known[i].is_number)
            json_int(&j, number(ev, known[i].field));
        else
            json_span(&j, webhook_field(ev, known[i].field));
    }
    json_obj_end(&j);
}

/* {"msgtype":"text","text":{"content":…}}; of DingTalk and WeCom */
static void write_text_robot(const struct webhook_event *ev, size_t n, int64_t now_ms, struct buf *out)
{
    struct buf text = {0};
    struct json_out j = {.buf = out};
    webhook_text(ev, n, now_ms, &text);
    json_obj(&j);
    json_key(&j, "msgtype"), json_str(&j, "text");
    json_key(&j, "text");
    json_obj(&j);
    json_key(&j, "content"), json_span(&j, buf_span(&text));
    json_obj_end(&j);
    json_obj_end(&j);
    buf_fini(&text);
}

static void write_feishu(const struct webhook_event *ev, size_t n_events, struct span secret, int64_t now_ms,
                         struct buf *out)
{
    struct buf text = {0};
    struct json_out j = {.buf = out};
    json_obj(&j);
    if (secret.n) { /* the key is "seconds\nsecret", the text empty */
        char seconds[24], key[600], sign[BASE64_LEN(HMAC_BYTES)];
        uint8_t mac[HMAC_BYTES];
        snprintf(seconds, sizeof(seconds), "%" PRId64, now_ms / 1000);
        int n = snprintf(key, sizeof(key), "%s\n%.*s", seconds, (int)MIN_OF(secret.n, 512), (const char *)secret.p);
        hmac_sha256(span_of(key, (size_t)n), span_str(""), mac);
        base64_encode(mac, sizeof(mac), sign);
        json_key(&j, "timestamp"), json_str(&j, seconds);
        json_key(&j, "sign"), json_str(&j, sign);
    }
    webhook_text(ev, n_events, now_ms, &text);
    json_key(&j, "msg_type"), json_str(&j, "text");
    json_key(&j, "content");
    json_obj(&j);
    json_key(&j, "text"), json_span(&j, buf_span(&text));
    json_obj_end(&j);
    json_obj_end(&j);
    buf_fini(&text);
}

static void append_encoded(char *out, size_t cap, const char *s)
{
    size_t n = strlen(out);
    for (; *s && n + 4 < cap; s++) {
        bool is_plain = (*s >= '0' && *s <= '9') || ((*s | 0x20) >= 'a' && (*s | 0x20) <= 'z');
        n += (size_t)snprintf(out + n, cap - n, is_plain ? "%c" : "%%%02X", (unsigned char)*s);
    }
}

/* The text is "milliseconds\nsecret", the key the secret; both go into the URL. */
static void sign_dingtalk(struct span secret, int64_t now_ms, struct webhook_message *out)
{
    char text[600], sign[BASE64_LEN(HMAC_BYTES)];
    uint8_t mac[HMAC_BYTES];
    int n =
        snprintf(text, sizeof(text), "%" PRId64 "\n%.*s", now_ms, (int)MIN_OF(secret.n, 512), (const char *)secret.p);
    hmac_sha256(secret, span_of(text, (size_t)n), mac);
    base64_encode(mac, sizeof(mac), sign);
    snprintf(out->query, sizeof(out->query), "&timestamp=%" PRId64 "&sign=", now_ms);
    append_encoded(out->query, sizeof(out->query), sign);
}

/* HMAC-SHA256 of "seconds.body". */
static void sign_generic(struct span secret, int64_t now_ms, struct webhook_message *out)
{
    struct buf text = {0};
    char hex[HMAC_HEX];
    buf_printf(&text, "%" PRId64 ".", now_ms / 1000);
    buf_append_span(&text, buf_span(&out->body));
    hmac_sha256_hex(secret, buf_span(&text), hex);
    buf_printf(&out->headers, "X-Chatgate-Signature: sha256=%s\r\n", hex);
    buf_fini(&text);
}

void webhook_write(enum webhook_kind kind, struct span secret, const struct webhook_event *ev, size_t n,
                   unsigned attempt, int64_t now_ms, struct webhook_message *out)
{
    out->query[0] = 0;
    buf_append_str(&out->headers, "Content-Type: application/json; charset=utf-8\r\n"
                                  "User-Agent: chatgate/" CHATGATE_VERSION "\r\n");
    switch (kind) {
    case WEBHOOK_GENERIC:
        write_generic(ev, &out->body);
        buf_printf(&out->headers,
                   "X-Chatgate-Delivery: %.*s\r\nX-Chatgate-Attempt: %u\r\nX-Chatgate-Timestamp: %" PRId64 "\r\n",
                   (int)ev->id.n, (const char *)ev->id.p, attempt, now_ms / 1000);
        if (secret.n)
            sign_generic(secret, now_ms, out);
        return;
    case WEBHOOK_DINGTALK:
        if (secret.n)
            sign_dingtalk(secret, now_ms, out);
        write_text_robot(ev, n, now_ms, &out->body);
        return;
    case WEBHOOK_WECOM:
        write_text_robot(ev, n, now_ms, &out->body);
        return;
    case WEBHOOK_FEISHU:
        write_feishu(ev, n, secret, now_ms, &out->body);
        return;
    }
}

/* --- the answer --- */

/* The number behind a key of the body's object; false when there is none. */
static bool read_code(struct span body, const char *key, int64_t *code)
{
    struct json_doc doc = {0};
    struct err e;
    bool is_found = false;
    if (json_read(&doc, body, JSON_DUP_LAST, &e) == JSON_OK && doc.node[0].kind == JSON_OBJECT) {
        uint32_t at = json_member(&doc, 0, span_str(key));
        uint64_t n;
        is_found = at && span_u64(json_raw_span(&doc, at), &n);
        *code = is_found ? (int64_t)MIN_OF(n, (uint64_t)INT64_MAX) : 0;
    }
    json_doc_fini(&doc);
    return is_found;
}

enum webhook_outcome webhook_judge(enum webhook_kind kind, int status, struct span body, char why[160])
{
    static const struct {
        const char *key;
        int64_t too_fast;
    } robot[] = {[WEBHOOK_DINGTALK] = {"errcode", 130101},
                 [WEBHOOK_WECOM] = {"errcode", 45009},
                 [WEBHOOK_FEISHU] = {"code", 11232}};
    int64_t code = 0;
    if (status < 200 || status > 299) {
        snprintf(why, 160, "answered %d", status);
        return status == 429 ? WEBHOOK_TOO_FAST : WEBHOOK_FAILED;
    }
    snprintf(why, 160, "answered %d without %s", status, kind == WEBHOOK_GENERIC ? "" : robot[kind].key);
    if (kind == WEBHOOK_GENERIC || (read_code(body, robot[kind].key, &code) && code == 0))
        return WEBHOOK_TAKEN;
    if (code)
        snprintf(why, 160, "answered %s %" PRId64, robot[kind].key, code);
    return code && code == robot[kind].too_fast ? WEBHOOK_TOO_FAST : WEBHOOK_FAILED;
}
