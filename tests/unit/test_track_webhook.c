/* What webhooks post, how it is signed (docs/reminders.md publishes the vector), what answers mean, where they may go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "conf/conf_url.h"
#include "track/webhook_body.h"
#include "track/webhook_post.h"

#define SECRET "chatgate-test-vector"
#define BODY                                                                                                           \
    "{\"id\":\"3f786850e387550fdab836ed7e6dc881de23001b\",\"event\":\"reminder\",\"at_ms\":1790000000123,"             \
    "\"severity\":2,\"urgent\":true,\"kind\":\"unanswered\",\"step\":1,\"to\":\"supervisor\",\"agent\":\"amy\","       \
    "\"team\":\"red\",\"shop\":\"s1\",\"conversation\":\"c1\",\"customer\":\"客户1\",\"since_ms\":1789999820000,"    \
    "\"ref\":\"\"}"
#define SIGNATURE "a4b02433dbad3ec35d0b0d48afd757f2190bb3caded5c01556f7a11dc7f98694"

static const char *const fields[] = {"kind",  "unanswered",    "step", "1",  "to",   "supervisor", "agent", "amy",
                                     "team",  "red",           "shop", "s1", "conv", "c1",         "cust",  "客户1",
                                     "since", "1789999820000", "ref",  ""};

struct rig {
    struct span field[ARRAY_LEN(fields)];
    struct webhook_event ev;
    struct webhook_message m;
};

static void fill(struct rig *r)
{
    *r = (struct rig){.ev = {.id = span_str("3f786850e387550fdab836ed7e6dc881de23001b"),
                             .kind = span_str("reminder"),
                             .at_ms = 1790000000123,
                             .severity = 2,
                             .is_urgent = true,
                             .n_fields = ARRAY_LEN(fields)}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        r->field[i] = span_str(fields[i]);
    r->ev.field = r->field;
}

static void release(struct rig *r)
{
    buf_fini(&r->m.headers);
    buf_fini(&r->m.body);
}

static void the_published_vector(void **state)
{
    (void)state;
    struct rig r;
    fill(&r);
    webhook_write(WEBHOOK_GENERIC, span_str(SECRET), &r.ev, 1, 3, 1790000001456, &r.m);
    assert_string_equal(buf_cstr(&r.m.body), BODY);
    const char *headers = buf_cstr(&r.m.headers);
    assert_non_null(strstr(headers, "X-Chatgate-Signature: sha256=" SIGNATURE "\r\n"));
    assert_non_null(strstr(headers, "X-Chatgate-Timestamp: 1790000001\r\n"));
    assert_non_null(strstr(headers, "X-Chatgate-Attempt: 3\r\n"));
    assert_non_null(strstr(headers, "X-Chatgate-Delivery: 3f786850e387550fdab836ed7e6dc881de23001b\r\n"));
    release(&r);
    FILE *f = fopen(SOURCE_DIR "/docs/reminders.md", "re");
    assert_non_null(f);
    char *page = calloc(1, 1 << 17);
    assert_true(fread(page, 1, (1 << 17) - 1, f) > 0);
    fclose(f);
    assert_non_null(strstr(page, BODY));
    assert_non_null(strstr(page, SIGNATURE));
    assert_non_null(strstr(page, SECRET));
    free(page);
}

static void robots_sign_their_own_way(void **state)
{
    (void)state;
    struct rig r;
    fill(&r);
    webhook_write(WEBHOOK_DINGTALK, span_str(SECRET), &r.ev, 1, 1, 1790000001456, &r.m);
    assert_string_equal(r.m.query, "&timestamp=1790000001456&sign=wiUHHl0tPAlNU25ycZ53dnXgJKtkTnMXhrtccW7DVQ0%3D");
    assert_string_equal(buf_cstr(&r.m.body),
                        "{\"msgtype\":\"text\",\"text\":{\"content\":\"【chatgate 紧急】客户 客户1 已等待 3 "
                        "分钟，仍未得到回复（客服 amy，小组 red，店铺 s1）\"}}");
    release(&r);
    fill(&r);
    webhook_write(WEBHOOK_FEISHU, span_str(SECRET), &r.ev, 1, 1, 1790000001456, &r.m);
    assert_string_equal(r.m.query, "");
    assert_non_null(strstr(buf_cstr(&r.m.body), "{\"timestamp\":\"1790000001\",\"sign\":"
                                                "\"FnnXtoGNIPJ1TO0RYLP3GWS15YyvbLLmbD93x6/K9IU=\",\"msg_type\":"));
    release(&r);
    fill(&r);
    webhook_write(WEBHOOK_WECOM, span_str(""), &r.ev, 1, 1, 1790000001456, &r.m);
    assert_string_equal(r.m.query, "");
    assert_null(strstr(buf_cstr(&r.m.headers), "Signature"));
    release(&r);
}

/* Ids are what a backend and its customers make them. */
static void hostile_ids(void **state)
{
    (void)state;
    struct rig r;
    static char longest[5000];
    memset(longest, 'x', sizeof(longest) - 1);
    fill(&r);
    r.field[7] = span_of("\"},\r\nX: y\0", 9);
    r.field[15] = span_of("\xff\xfe\x01", 3);
    for (int i = 9; i <= 13; i += 2)
        r.field[i] = span_str(longest);
    webhook_write(WEBHOOK_GENERIC, span_str(SECRET), &r.ev, 1, 1, 1790000001456, &r.m);
    assert_null(strstr(buf_cstr(&r.m.headers), "X: y"));
    assert_non_null(strstr(buf_cstr(&r.m.body), "\"agent\":\"\\\"},\\r\\nX: y"));
    release(&r);
    fill(&r);
    r.field[15] = span_of("\xff\xfe\x01", 3);
    for (int i = 7; i <= 13; i += 2)
        r.field[i] = span_str(longest);
    webhook_write(WEBHOOK_WECOM, span_str(""), &r.ev, 1, 1, 1790000001456, &r.m);
    assert_true(r.m.body.len < 2048); /* the longest text that the robots take */
    assert_non_null(strstr(buf_cstr(&r.m.body), "客户 已等待"));
    release(&r);
}

static void several_are_one_text(void **state)
{
    (void)state;
    struct rig r[WEBHOOK_DIGEST_MAX];
    struct webhook_event ev[WEBHOOK_DIGEST_MAX];
    static char longest[5000];
    for (size_t i = 0; i + 3 < sizeof(longest); i += 3)
        memcpy(longest + i, "\xe5\xae\xa2", 3);
    for (size_t i = 0; i < ARRAY_LEN(r); i++) {
        fill(&r[i]);
        for (int k = 7; k <= 15 && i > 1; k += 2)
            r[i].field[k] = span_str(longest);
        ev[i] = r[i].ev;
        ev[i].is_urgent = i == 1;
    }
    assert_int_equal(webhook_most_events(WEBHOOK_GENERIC), 1);
    webhook_write(WEBHOOK_WECOM, span_str(""), ev, webhook_most_events(WEBHOOK_WECOM), 1, 1790000001456, &r[0].m);
    const char *text = buf_cstr(&r[0].m.body);
    assert_non_null(strstr(text, "\"【chatgate 紧急】8 条：\\n1. 客户 客户1 已等待 3 分钟，仍未得到回复（客服 amy，"));
    assert_non_null(strstr(text, "\\n8. 客户"));
    assert_true(utf8_is_valid(span_str(text)));
    struct buf plain = {0};
    webhook_text(ev, ARRAY_LEN(ev), 1790000001456, &plain);
    assert_true(plain.len < 2048);
    buf_fini(&plain);
    release(&r[0]);
}

static void answers(void **state)
{
    (void)state;
    static const struct {
        enum webhook_kind kind;
        int status;
        const char *body;
        enum webhook_outcome outcome;
    } known[] = {
        {WEBHOOK_GENERIC, 200, "", WEBHOOK_TAKEN},
        {WEBHOOK_GENERIC, 204, "<html>", WEBHOOK_TAKEN},
        {WEBHOOK_GENERIC, 301, "", WEBHOOK_FAILED},
        {WEBHOOK_GENERIC, 429, "", WEBHOOK_TOO_FAST},
        {WEBHOOK_GENERIC, 503, "", WEBHOOK_FAILED},
        {WEBHOOK_DINGTALK, 200, "{\"errcode\":0,\"errmsg\":\"ok\"}", WEBHOOK_TAKEN},
        {WEBHOOK_DINGTALK, 200, "{\"errcode\":130101,\"errmsg\":\"send too fast\"}", WEBHOOK_TOO_FAST},
        {WEBHOOK_DINGTALK, 200, "{\"errcode\":310000}", WEBHOOK_FAILED},
        {WEBHOOK_DINGTALK, 200, "{\"errcode\":-1}", WEBHOOK_FAILED},
        {WEBHOOK_DINGTALK, 200, "", WEBHOOK_FAILED},
        {WEBHOOK_DINGTALK, 500, "{\"errcode\":0}", WEBHOOK_FAILED},
        {WEBHOOK_WECOM, 200, "{\"errcode\":45009}", WEBHOOK_TOO_FAST},
        {WEBHOOK_WECOM, 200, "{\"errcode\":\"0\"}", WEBHOOK_FAILED},
        {WEBHOOK_WECOM, 200, "[{\"errcode\":0}]", WEBHOOK_FAILED},
        {WEBHOOK_FEISHU, 200, "{\"code\":0,\"msg\":\"success\",\"data\":{}}", WEBHOOK_TAKEN},
        {WEBHOOK_FEISHU, 200, "{\"code\":11232}", WEBHOOK_TOO_FAST},
        {WEBHOOK_FEISHU, 200, "{\"code\":19021}", WEBHOOK_FAILED},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char why[160];
        assert_int_equal(webhook_judge(known[i].kind, known[i].status, span_str(known[i].body), why), known[i].outcome);
        assert_true(why[0]);
    }
}

static struct addr address(const char *text)
{
    struct addr a = {0};
    a.any.in.sin_family = AF_INET;
    a.len = sizeof(a.any.in);
    if (inet_pton(AF_INET, text, &a.any.in.sin_addr) == 1)
        return a;
    a.any.in6.sin6_family = AF_INET6;
    a.len = sizeof(a.any.in6);
    assert_int_equal(inet_pton(AF_INET6, text, &a.any.in6.sin6_addr), 1);
    return a;
}

static void only_public_addresses(void **state)
{
    (void)state;
    static const char *const not_public[] = {"127.0.0.1",
                                             "10.1.2.3",
                                             "172.31.255.255",
                                             "192.168.1.1",
                                             "169.254.169.254",
                                             "100.64.0.1",
                                             "0.0.0.0",
                                             "224.0.0.251",
                                             "255.255.255.255",
                                             "::1",
                                             "::",
                                             "fe80::1",
                                             "fd00::1",
                                             "ff02::1",
                                             "::ffff:127.0.0.1",
                                             "::ffff:10.0.0.1",
                                             "64:ff9b::a00:1"};
    static const char *const is_public[] = {"8.8.8.8", "172.32.0.1", "100.128.0.1", "203.119.0.1", "2400:3200::1"};
    for (size_t i = 0; i < ARRAY_LEN(not_public); i++) {
        struct addr a = address(not_public[i]);
        if (webhook_is_public(&a))
            fail_msg("%s", not_public[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(is_public); i++) {
        struct addr a = address(is_public[i]);
        assert_true(webhook_is_public(&a));
    }
}

static void urls(void **state)
{
    (void)state;
    struct conf_url u;
    const char *why;
    assert_int_equal(conf_url_parse("https://oapi.dingtalk.com/robot/send?access_token=x", &u, &why), 0);
    assert_true(u.is_tls && u.port == 443 && !u.has_port);
    assert_string_equal(u.host, "oapi.dingtalk.com");
    assert_string_equal(u.target, "/robot/send?access_token=x");
    assert_int_equal(conf_url_parse("http://[::1]:8080?a", &u, &why), 0);
    assert_true(!u.is_tls && u.port == 8080);
    assert_string_equal(u.host, "::1");
    assert_string_equal(u.target, "/?a");
    static const char *const bad[] = {"",
                                      "https://",
                                      "https:///x",
                                      "https://a b/",
                                      "https://a/\r\nX: y",
                                      "https://u@a/",
                                      "https://a:99999/",
                                      "https://a:/",
                                      "https://a/#x",
                                      "https://[::g]/",
                                      "https://a/\xe4\xb8\xad",
                                      "javascript:1",
                                      "https://-a/"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (conf_url_parse(bad[i], &u, &why) == 0)
            fail_msg("%s", bad[i]);
    char one[] = "hooks.example.com", below[] = ".example.org";
    char *list[] = {one, below};
    assert_true(conf_host_is_allowed("Hooks.Example.com", list, 2));
    assert_true(conf_host_is_allowed("a.b.example.org", list, 2));
    assert_false(conf_host_is_allowed("example.org", list, 2));
    assert_false(conf_host_is_allowed("evilexample.org", list, 2));
    assert_false(conf_host_is_allowed("x.hooks.example.com", list, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vector),
        cmocka_unit_test(robots_sign_their_own_way),
        cmocka_unit_test(hostile_ids),
        cmocka_unit_test(several_are_one_text),
        cmocka_unit_test(answers),
        cmocka_unit_test(only_public_addresses),
        cmocka_unit_test(urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
