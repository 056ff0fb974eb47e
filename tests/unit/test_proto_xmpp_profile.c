/* The `xmpp:` section of profiles, the shipped ones and wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/err.h"
#include "proto/profile.h"

static struct profile *load(const char *text, struct err_list *errs)
{
    return profile_load_text("p.yaml", span_str(text), errs);
}

static void check_knobs(const char *text, bool is_websocket, bool strips_sm, bool starttls)
{
    struct err_list errs = {0};
    struct profile *p = load(text, &errs);
    assert_non_null(p);
    const struct profile_xmpp *x = profile_xmpp(p);
    assert_non_null(x);
    assert_int_equal(x->is_websocket, is_websocket);
    assert_int_equal(x->strips_sm, strips_sm);
    assert_int_equal(x->upstream_starttls, starttls);
    profile_unref(&p);
    err_list_fini(&errs);
}

static void check_wrong(const char *text, const char *why)
{
    struct err_list errs = {0};
    assert_null(load(text, &errs));
    bool found = false;
    for (size_t i = 0; i < errs.n; i++)
        found = found || strstr(errs.line[i], why);
    if (!found)
        fail_msg("\"%s\" is not among the errors, the first is %s", why, errs.n ? errs.line[0] : "(none)");
    err_list_fini(&errs);
}

static void test_knobs(void **state)
{
    (void)state;
    check_knobs("profile: x\nxmpp:\n", false, false, false);
    check_knobs("profile: x\nxmpp: {stream_management: swap, upstream_tls: direct}\n", false, false, false);
    check_knobs("profile: x\nxmpp: {stream_management: strip, upstream_tls: starttls}\n", false, true, true);
    check_knobs("profile: x\nws: [{path: /ws, framing: xmpp}]\nxmpp: {stream_management: strip}\n", true, true, false);
    struct err_list errs = {0};
    struct profile *p = load("profile: x\nxmpp:\n", &errs);
    assert_true(profile_xmpp(p)->counts_notices && !profile_xmpp(p)->refuses_by_message);
    profile_unref(&p);
    p = load("profile: x\nxmpp: {notices: none, refusals: message}\n", &errs);
    assert_true(!profile_xmpp(p)->counts_notices && profile_xmpp(p)->refuses_by_message);
    profile_unref(&p);
    p = load("profile: x\ndeny: ['GET /a']\n", &errs);
    assert_non_null(p);
    assert_null(profile_xmpp(p));
    profile_unref(&p);
}

static void test_wrong(void **state)
{
    (void)state;
    check_wrong("profile: x\nxmpp: {stream_management: none}\n", "p.yaml:2:27: stream_management: ");
    check_wrong("profile: x\nxmpp: {upstream_tls: maybe}\n", "direct");
    check_wrong("profile: x\nxmpp: {notices: some}\n", "counted");
    check_wrong("profile: x\nxmpp: {refusals: false}\n", "message");
    check_wrong("profile: x\nxmpp: {swap: true}\n", "unknown key");
    check_wrong("profile: x\nxmpp: yes please\n", "xmpp: ");
    check_wrong("profile: x\nws: [{path: /ws, framing: xmpp}]\n", "needs an `xmpp` section");
    check_wrong("profile: x\nws: [{path: /ws}]\nxmpp: {}\n", "must have framing: xmpp");
    check_wrong("profile: x\nxmpp: {}\nrules: [{id: a, dir: c2s, when: [{eq: [/a, b]}], kind: send, text: [/t]}]\n",
                "has no `rules`");
}

static void test_shipped(void **state)
{
    (void)state;
    static const char *const files[] = {"xmpp", "xmpp-websocket"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[500];
        struct err_list errs = {0};
        snprintf(path, sizeof(path), "%s/conf/profiles/%s.yaml", SOURCE_DIR, files[i]);
        struct profile *p = profile_load_file(path, &errs);
        assert_int_equal(errs.n, 0);
        assert_int_equal(profile_xmpp(p)->is_websocket, i == 1);
        if (i == 1) {
            struct route r = profile_route(p, span_str("POST"), span_str("/http-bind/x"), NULL);
            assert_int_equal(r.kind, ROUTE_DENY);
            r = profile_route(p, span_str("GET"), span_str("/xmpp-websocket"), NULL);
            assert_int_equal(r.kind, ROUTE_WEBSOCKET);
            assert_true(profile_subprotocol_ok(p, r.ws, span_str("xmpp")));
        }
        profile_unref(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knobs),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_shipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
