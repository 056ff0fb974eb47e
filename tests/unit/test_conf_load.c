/* Loading a configuration: defaults, every error at once with its place, what needs a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "conf/conf.h"
#include "conf/conf_table.h"
#include "conf/yaml.h"

static char *folder; /* of the group: profiles/plain.yaml, and whatever a test writes */

static char *write_file(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    char template[] = "/tmp/chatgate-conf-XXXXXX";
    folder = xstrdup(mkdtemp(template));
    char *profiles = xasprintf("%s/profiles", folder);
    mkdir(profiles, 0755);
    free(profiles);
    free(write_file("profiles/plain.yaml", "profile: plain\n"));
    char *rules = xasprintf("%s/rules", folder); /* the sample names the default */
    mkdir(rules, 0755);
    free(rules);
    free(write_file("p", ""));
    free(write_file("cert.pem", "x"));
    free(write_file("key.pem", "x"));
    setenv("CHATGATE_DATA", folder, 1);
    return 0;
}

static int on_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    nftw(folder, on_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(folder);
    return 0;
}

#define MINIMAL                                                                                                        \
    "listeners:\n  - {address: 127.0.0.1:8080, profile: plain, upstream: im}\n"                                        \
    "upstreams:\n  - {name: im, servers: [127.0.0.1:9000]}\n"

static struct conf *load_ok(const char *text)
{
    struct conf *c;
    struct err_list errs = {0};
    char *path = write_file("c.yaml", text);
    if (conf_load(path, &c, &errs))
        fail_msg("%s", errs.line[0]);
    free(path);
    return c;
}

/* Loads a text that is wrong; the lines must begin with `want` (place and key), in that order, and be no more. */
static void expect_errors(const char *text, const char *const *want)
{
    struct conf *c;
    struct err_list errs = {0};
    char *path = write_file("c.yaml", text);
    assert_int_equal(conf_load(path, &c, &errs), -1);
    assert_null(c);
    for (size_t i = 0; i < errs.n || want[i]; i++) {
        if (i >= errs.n)
            fail_msg("not reported: %s", want[i]);
        assert_int_equal(strncmp(errs.line[i], path, strlen(path)), 0);
        const char *line = errs.line[i] + strlen(path) + 1;
        if (!want[i] || strncmp(line, want[i], strlen(want[i])) != 0)
            fail_msg("expected %s, got %s", want[i] ? want[i] : "nothing more", line);
    }
    err_list_fini(&errs);
    free(path);
}

static void five_lines_are_enough(void **state)
{
    (void)state;
    struct conf *c = load_ok(MINIMAL);
    char *want = xasprintf("%s/profiles", folder);
    assert_string_equal(c->profiles_dir, want);
    free(want);
    assert_int_equal(c->n_listeners, 1);
    assert_string_equal(c->listener[0].name, "127.0.0.1:8080");
    assert_string_equal(c->listener[0].addr.host, "127.0.0.1");
    assert_int_equal(c->listener[0].addr.port, 8080);
    assert_true(c->listener[0].forwarded_headers);
    assert_false(c->listener[0].tls.is_on);
    assert_int_equal(c->upstream[0].n_servers, 1);
    assert_true(c->upstream[0].tls.verify);
    assert_int_equal(c->upstream[0].health_interval_ms, 5000);
    assert_int_equal(c->limits.connections, 10000);
    assert_int_equal(c->limits.message_bytes, 256 << 10);
    assert_int_equal(c->timeouts.connect_ms, 5000);
    assert_int_equal(c->timeouts.drain_ms, 20000);
    assert_true(c->redis.is_on);
    assert_int_equal(c->redis.addr.port, 6379);
    assert_int_equal(c->redis.shards, 16);
    assert_string_equal(c->ring.dir, "/var/lib/chatgate");
    assert_int_equal(c->ring.size_bytes, 64 << 20);
    assert_int_equal(c->reminders.n_unanswered, 2);
    assert_int_equal(c->reminders.unanswered[1].after_ms, 180000);
    assert_true(c->reminders.unanswered[1].to_supervisor);
    assert_false(c->reminders.unanswered[0].to_supervisor);
    assert_null(c->admin.text);
    assert_string_equal(c->control, "/run/chatgate/control.sock");
    assert_int_equal(c->log_level, LOG_INFO);
    assert_string_equal(c->rules.preset, "standard");
    assert_int_equal(c->rules.n_packs, 1);
    assert_true(strlen(c->node) > 0);
#define X(id, name, policy_default, help) assert_int_equal(c->policy[id], policy_default);
    CAUSES(X)
#undef X
    conf_free(&c);
    assert_null(c);
}

static void values_are_read(void **state)
{
    (void)state;
    struct conf *c = load_ok("log_level: debug\nunknown_agent: refuse\nadmin: \"[::1]:9464\"\n"
                             "listeners:\n  - name: web\n    address: unix:run/web.sock\n    profile: plain\n"
                             "    upstream: im\n    tls: {certificate: cert.pem, key: key.pem}\n"
                             "    proxy_protocol_from: [10.0.0.0/8, \"2001:db8::/32\", 192.0.2.1]\n"
                             "  - {name: chat, address: systemd, profile: plain, upstream: im}\n"
                             "upstreams:\n  - {name: im, servers: [a.example:1, \"[::1]:2\"], tls: {enabled: true}}\n"
                             "policy: {binary: pass, ring_full: block}\n"
                             "redis: {address: /run/redis.sock}\nreminders: {unanswered: []}\n"
                             "rules: {packs: [p, /tmp], allow_domains: [example.com]}\n");
    const struct conf_listener *l = &c->listener[0];
    char *want = xasprintf("%s/run/web.sock", folder);
    assert_string_equal(l->addr.path, want);
    assert_null(l->addr.host);
    free(want);
    assert_true(l->tls.is_on);
    assert_string_equal(c->admin.host, "::1");
    assert_int_equal(l->n_proxy_protocol_from, 3);
    assert_int_equal(l->proxy_protocol_from[0].bits, 104);
    assert_int_equal(l->proxy_protocol_from[0].addr[12], 10);
    assert_int_equal(l->proxy_protocol_from[1].bits, 32);
    assert_int_equal(l->proxy_protocol_from[2].bits, 128);
    assert_string_equal(c->listener[1].addr.text, "systemd");
    assert_null(c->listener[1].addr.path);
    assert_string_equal(c->upstream[0].server[1].host, "::1");
    assert_true(c->upstream[0].tls.is_on);
    assert_true(c->refuse_unknown_agents);
    assert_int_equal(c->policy[CAUSE_BINARY], POLICY_PASS);
    assert_int_equal(c->policy[CAUSE_RING_FULL], POLICY_BLOCK);
    assert_string_equal(c->redis.addr.path, "/run/redis.sock");
    assert_int_equal(c->reminders.n_unanswered, 0);
    assert_string_equal(c->rules.packs[1], "/tmp");
    assert_string_equal(c->rules.allow_domains[0], "example.com");
    conf_free(&c);
}

static void all_errors_come_at_once(void **state)
{
    (void)state;
    expect_errors("log_level: loud\n"
                  "limts: {}\n"
                  "listeners:\n"
                  "  - {address: \"127.0.0.1\", profile: nope, upstream: mi, port: 1}\n"
                  "  - {name: \"a b\", address: \"h:70000\"}\n"
                  "upstreams:\n"
                  "  - {name: im, servers: [\"x:0\"], tls: {verify: false}}\n"
                  "timeouts: {connect: 5, idle: 10m, conect: 1s}\n"
                  "policy: {binary: drop}\n"
                  "reminders: {unanswered: [{after: 60s}, {after: 30s}]}\n",
                  (const char *const[]){
                      "1:12: log_level: is \"loud\", must be one of error, warn, info, debug",
                      "2:1: limts: unknown key, did you mean \"limits\"?, allowed here: log_level, node,",
                      "4:15: listeners[].address: is \"127.0.0.1\", which is not HOST:PORT; must be HOST:PORT,",
                      "4:37: listeners[].profile: is \"nope\", but ",
                      "4:53: listeners[].upstream: \"mi\" is no upstream, must be one of: im",
                      "4:57: listeners[].port: unknown key, allowed here: name, address, profile, upstream, tls,",
                      "5:5: listeners[].profile: is missing, must be name",
                      "5:5: listeners[].upstream: is missing, must be name",
                      "5:12: listeners[].name: is \"a b\", must be 1 to 64 letters",
                      "5:28: listeners[].address: is \"h:70000\", which has no port from 0 to 65535; must be",
                      "7:26: upstreams[].servers: is \"x:0\", which has no port from 1 to 65535; must be",
                      "7:39: upstreams[].tls: has keys but enabled is false",
                      "8:21: timeouts.connect: is \"5\", must be a time such as 250ms",
                      "8:35: timeouts.conect: unknown key, did you mean \"connect\"?, allowed here: connect, handshake",
                      "9:18: policy.binary: is \"drop\", must be one of pass, block",
                      "10:48: reminders.unanswered[].after: is 30s, must be later than the step before (60s)",
                      NULL,
                  });
}

static void references_and_pairs_are_checked(void **state)
{
    (void)state;
    expect_errors(
        "admin: 127.0.0.1:8080\n"
        "listeners:\n"
        "  - {name: a, address: 127.0.0.1:8080, profile: plain, upstream: im, tls: {key: key.pem}}\n"
        "  - {name: a, address: 127.0.0.1:8080, profile: plain, upstream: im}\n"
        "  - {address: 127.0.0.1:0, profile: plain, upstream: im, tls: {key: no.pem, certificate: cert.pem}}\n"
        "  - {name: b, address: 127.0.0.1:0, profile: plain, upstream: im}\n"
        "upstreams:\n"
        "  - {name: im, servers: [a:1, a:1]}\n"
        "  - {name: im, servers: []}\n"
        "limits: {message_bytes: 2M}\n"
        "redis: {username: u}\n"
        "rules: {local: no-such-folder}\n",
        (const char *const[]){
            "1:8: admin: \"127.0.0.1:8080\" is the address of the listener of line 3 already",
            "3:75: listeners[].tls: has only key, must have certificate and key",
            "4:12: listeners[].name: \"a\" was given to the listener of line 3 already",
            "4:24: listeners[].address: \"127.0.0.1:8080\" is the address of the listener of line 3",
            "5:69: listeners[].tls.key: ",
            "8:31: upstreams[].servers: \"a:1\" is listed twice",
            "9:12: upstreams[].name: \"im\" was given to the upstream of line 8 already",
            "9:25: upstreams[].servers: is a list of another length, must be a list of 1 to 64",
            "10:9: limits.message_bytes: is 2097152, must not be more than limits.buffer_bytes (1048576)",
            "11:19: redis.username: is \"u\", but redis.password_file is missing",
            "12:16: rules.local: ",
            NULL,
        });
}

static void shapes_are_checked(void **state)
{
    (void)state;
    expect_errors("- a\n", (const char *const[]){"1:1: the file: is a list, must be a map of keys", NULL});
    expect_errors("listeners: x\nupstreams: [1]\nlimits: 5\ntimeouts:\n",
                  (const char *const[]){"1:12: listeners: is \"x\", must be a list of 1 to 64 maps",
                                        "2:13: upstreams[]: is \"1\", must be a map of keys",
                                        "3:9: limits: is \"5\", must be a map of keys", NULL});
    expect_errors("", (const char *const[]){"1:1: listeners: is missing", "1:1: upstreams: is missing", NULL});
}

static void a_missing_file_is_one_error(void **state)
{
    (void)state;
    struct conf *c;
    struct err_list errs = {0};
    assert_int_equal(conf_load("/nonexistent/c.yaml", &c, &errs), -1);
    assert_int_equal(errs.n, 1);
    assert_string_equal(errs.line[0], "/nonexistent/c.yaml: cannot open: No such file or directory");
    err_list_fini(&errs);
}

static void networks_are_exact(void **state)
{
    (void)state;
    expect_errors("listeners:\n  - address: 127.0.0.1:8080\n    profile: plain\n    upstream: im\n"
                  "    proxy_protocol_from: [10.0.0.1/8, 1.2.3/4, \"::1/129\", x]\n"
                  "upstreams:\n  - {name: im, servers: [127.0.0.1:9000]}\n",
                  (const char *const[]){
                      "5:27: listeners[].proxy_protocol_from: is \"10.0.0.1/8\", which has bits set behind",
                      "5:39: listeners[].proxy_protocol_from: is \"1.2.3/4\", which is not an IPv4 or IPv6 address",
                      "5:48: listeners[].proxy_protocol_from: is \"::1/129\", which has no prefix length from 0 to 128",
                      "5:59: listeners[].proxy_protocol_from: is \"x\", which is not an IPv4 or IPv6 address", NULL});
}

static void a_socket_path_has_a_limit(void **state)
{
    (void)state;
    expect_errors(MINIMAL "control: /1234567890/1234567890/1234567890/1234567890/1234567890/1234567890/1234567890/"
                          "1234567890/1234567890/12345678\n"
                          "redis: {address: \"unix:/1234567890/1234567890/1234567890/1234567890/1234567890/1234567890/"
                          "1234567890/1234567890/1234567890/12345678\"}\n",
                  (const char *const[]){"5:10: control: \"/1234567890/", "6:18: redis.address: is \"unix:/", NULL});
}

static void restart_keys_are_named(void **state)
{
    (void)state;
    struct conf *old = load_ok(MINIMAL);
    struct conf *same = load_ok(MINIMAL "log_level: debug\npolicy: {binary: pass}\nreminders: {unanswered: []}\n");
    struct conf *other = load_ok("listeners:\n  - {address: 127.0.0.1:8081, profile: plain, upstream: im}\n"
                                 "upstreams:\n  - {name: im, servers: [127.0.0.1:9001]}\nworkers: 3\n"
                                 "redis: {shards: 8}\n");
    struct err_list keys = {0};
    conf_restart_needed(old, same, &keys);
    assert_int_equal(keys.n, 0);
    conf_restart_needed(old, other, &keys);
    assert_int_equal(keys.n, 4);
    assert_string_equal(keys.line[0], "workers");
    assert_string_equal(keys.line[1], "listeners[].name");
    assert_string_equal(keys.line[2], "listeners[].address");
    assert_string_equal(keys.line[3], "redis.shards");
    err_list_fini(&keys);
    conf_free(&old);
    conf_free(&same);
    conf_free(&other);
}

/* Takes "#key: value" lines in (comments are "# text", deeper lines "#  key: value"), so that keys without a default
 * are looked at too. */
static char *uncommented(const char *path)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    struct buf out = {0};
    char line[500];
    while (fgets(line, sizeof(line), f)) {
        size_t indent = strspn(line, " ");
        if (line[indent] == '#' && line[indent + 1] != '\n' && (line[indent + 1] != ' ' || line[indent + 2] == ' '))
            memmove(line + indent, line + indent + 1, strlen(line + indent + 1) + 1);
        buf_append_str(&out, line);
    }
    fclose(f);
    char *text = xstrdup(buf_cstr(&out));
    buf_fini(&out);
    return text;
}

/* The node of a key of the table; of list items, of the first item. */
static const struct ynode *find(const struct ynode *at, const char *name)
{
    char part[100];
    while (at && *name) {
        size_t n = strcspn(name, ".[");
        snprintf(part, sizeof(part), "%.*s", (int)n, name);
        at = yaml_get(at, part);
        name += n;
        if (strncmp(name, "[]", 2) == 0) {
            name += 2;
            at = at && at->kind == YNODE_SEQ && at->n ? at->value[0] : NULL;
        }
        name += *name == '.';
    }
    return at;
}

static void the_sample_has_every_key(void **state)
{
    (void)state;
    struct arena a = {0};
    struct err_list errs = {0};
    char *text = uncommented(SOURCE_DIR "/conf/chatgate.yaml");
    const struct ynode *root = yaml_load_text("chatgate.yaml", span_str(text), &a, &errs);
    if (!root)
        fail_msg("%s", errs.line[0]);
    size_t n;
    const struct conf_key *keys = conf_table(&n);
    for (size_t i = 0; i < n; i++) {
        const struct ynode *at = find(root, keys[i].name);
        if (!at)
            fail_msg("conf/chatgate.yaml: %s is missing", keys[i].name);
        if (keys[i].def && at->kind == YNODE_SCALAR && strcmp(at->text, keys[i].def) != 0 &&
            strncmp(keys[i].name, "reminders.", 10) != 0)
            fail_msg("conf/chatgate.yaml:%d: %s is %s, the default is %s", at->line, keys[i].name, at->text,
                     keys[i].def);
    }
    free(text);
    arena_fini(&a);
}

/* The sample says the defaults: loading it gives what five lines with the same addresses give. */
static void the_sample_changes_nothing(void **state)
{
    (void)state;
    FILE *f = fopen(SOURCE_DIR "/conf/chatgate.yaml", "re");
    assert_non_null(f);
    char *text = xcalloc(1, 65536);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    free(write_file("profiles/plain-ws-json.yaml", "profile: plain\n"));
    struct conf *sample = load_ok(text);
    struct conf *five =
        load_ok("listeners:\n  - {name: web, address: 127.0.0.1:8080, profile: plain-ws-json, upstream: im}\n"
                "upstreams:\n  - {name: im, servers: [127.0.0.1:9000]}\n");
    struct err_list keys = {0};
    conf_restart_needed(five, sample, &keys);
    if (keys.n)
        fail_msg("conf/chatgate.yaml: %s is not the default", keys.line[0]);
    assert_int_equal(sample->limits.bytes_per_s, five->limits.bytes_per_s);
    assert_int_equal(sample->reminders.n_stale_case, five->reminders.n_stale_case);
    for (size_t i = 0; i < five->reminders.n_stale_case; i++)
        assert_int_equal(sample->reminders.stale_case[i].after_ms, five->reminders.stale_case[i].after_ms);
    conf_free(&sample);
    conf_free(&five);
    free(text);
}

static void the_table_is_sound(void **state)
{
    (void)state;
    size_t n;
    const struct conf_key *keys = conf_table(&n);
    for (size_t i = 0; i < n; i++) {
        assert_true(strlen(keys[i].help) > 5);
        assert_ptr_equal(conf_table_find(keys[i].name), &keys[i]);
        assert_true(keys[i].min <= keys[i].max);
        assert_false(keys[i].is_required && keys[i].def);
        assert_true(strlen(conf_table_type(&keys[i])) > 0);
    }
    assert_null(conf_table_find("listeners[]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_lines_are_enough),     cmocka_unit_test(values_are_read),
        cmocka_unit_test(all_errors_come_at_once),   cmocka_unit_test(references_and_pairs_are_checked),
        cmocka_unit_test(shapes_are_checked),        cmocka_unit_test(a_missing_file_is_one_error),
        cmocka_unit_test(networks_are_exact),        cmocka_unit_test(restart_keys_are_named),
        cmocka_unit_test(a_socket_path_has_a_limit), cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(the_sample_has_every_key),  cmocka_unit_test(the_sample_changes_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
