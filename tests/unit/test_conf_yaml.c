/* The YAML reader: places, limits, and scalars to values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "conf/yaml.h"

struct fixture {
    struct arena arena;
    struct err_list errs;
};

static struct ynode *load(struct fixture *f, const char *text)
{
    return yaml_load_text("t.yaml", span_str(text), &f->arena, &f->errs);
}

static void done(struct fixture *f)
{
    arena_fini(&f->arena);
    err_list_fini(&f->errs);
}

static void nodes_know_their_place(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct ynode *root = load(&f, "a: 1\nb:\n  - x\n  - \"y\"\nc: {d: z}\n");
    assert_non_null(root);
    assert_int_equal(root->n, 3);
    struct ynode *b = yaml_get(root, "b");
    assert_int_equal(b->kind, YNODE_SEQ);
    assert_int_equal(b->value[1]->line, 4);
    assert_int_equal(b->value[1]->col, 5);
    assert_true(b->value[0]->is_plain);
    assert_false(b->value[1]->is_plain);
    assert_string_equal(yaml_get(yaml_get(root, "c"), "d")->text, "z");
    assert_null(yaml_get(b, "d"));
    assert_null(yaml_get(NULL, "d"));
    yaml_bad(&f.errs, b->value[0], "b: is %s", yaml_describe(b->value[0]));
    assert_string_equal(f.errs.line[0], "t.yaml:3:5: b: is \"x\"");
    done(&f);
}

static void an_empty_file_is_an_empty_map(void **state)
{
    (void)state;
    const char *texts[] = {"", "# only a comment\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct fixture f = {0};
        struct ynode *root = load(&f, texts[i]);
        assert_non_null(root);
        assert_int_equal(root->kind, YNODE_MAP);
        assert_int_equal(root->n, 0);
        done(&f);
    }
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct ynode *root = load(&f, "\xef\xbb\xbf"
                                  "a: 1\nb: 2\n");
    assert_non_null(root);
    assert_int_equal(root->n, 2);
    assert_string_equal(root->key[0]->text, "a");
    done(&f);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"a: 1\na: 2\n", "t.yaml:2:1: a: given twice, first in line 1"},
        {"a: 1\nb: \xe4\xb8\xad\xe9 \n", "t.yaml:2:5: not valid YAML: invalid trailing UTF-8 octet"},
        {"a: 1\nb: 2\nc: \x01\n", "t.yaml:3:4: not valid YAML: control characters are not allowed"},
        {"a: &x 1\nb: *x\n", "t.yaml:2:4: aliases (*name) are not allowed"},
        {"a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document in one file is not allowed"},
        {"{[a]: 1}\n", "t.yaml:1:2: a key must be plain text"},
        {"a: \"x\\0y\"\n", "t.yaml:1:4: a NUL character is not allowed"},
        {"a: [1\n", "t.yaml:2:1: not valid YAML"},
        {"a:\n\t- b\n", "t.yaml:2:1: not valid YAML: a tab, must be spaces"},
        {"\xef\xbb\xbf\ta: 1\n", "t.yaml:1:1: not valid YAML: a tab, must be spaces"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f = {0};
        assert_null(load(&f, cases[i].text));
        assert_int_equal(f.errs.n, 1);
        if (strncmp(f.errs.line[0], cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s: got %s", cases[i].error, f.errs.line[0]);
        done(&f);
    }
}

/* Large maps take another way than small ones: every repetition is found, whatever the size, and each once. */
static void repetitions_are_found_in_large_maps(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 60; n++) {
        struct fixture f = {0};
        struct buf text = {0};
        for (unsigned i = 0; i < n; i++)
            buf_printf(&text, "key%u: 1\n", i);
        struct ynode *root = load(&f, buf_cstr(&text));
        assert_non_null(root);
        assert_int_equal(root->n, n);
        buf_printf(&text, "key%u: 2\nkey0: 3\nlast: 4\n", n - 1);
        assert_null(load(&f, buf_cstr(&text)));
        assert_int_equal(f.errs.n, 2);
        assert_non_null(strstr(f.errs.line[0], "given twice"));
        assert_non_null(strstr(f.errs.line[1], "key0: given twice, first in line 1"));
        buf_fini(&text);
        done(&f);
    }
}

static void a_large_map_loads_in_linear_time(void **state)
{
    (void)state;
    enum { KEYS = 300000 }; /* quadratic would take minutes */
    struct fixture f = {0};
    struct buf text = {0};
    for (unsigned i = 0; i < KEYS; i++)
        buf_printf(&text, "k%u: 1\n", i);
    struct ynode *root = yaml_load_text("t.yaml", buf_span(&text), &f.arena, &f.errs);
    assert_non_null(root);
    assert_int_equal(root->n, KEYS);
    buf_fini(&text);
    done(&f);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    struct fixture f = {0};
    char deep[400];
    memset(deep, '[', 200);
    memset(deep + 200, ']', 199);
    deep[399] = '\0';
    assert_null(load(&f, deep));
    assert_non_null(strstr(f.errs.line[0], "nested too deeply"));
    done(&f);
}

/* Reads the value of `v` by the named reader; -1 with the error in f.errs. */
static int read_as(struct fixture *f, char how, const char *text, int64_t *out)
{
    struct ynode *v = yaml_get(load(f, text), "v");
    static const char *const names[] = {"red", "green", NULL};
    bool is_set = false;
    int index = 0, result = -1;
    assert_non_null(v);
    switch (how) {
    case 'i':
        return yaml_int(v, "v", -5, 100, out, &f->errs);
    case 'd':
        return yaml_duration(v, "v", 1, 86400000, out, &f->errs);
    case 's':
        return yaml_size(v, "v", 1, (int64_t)1 << 40, out, &f->errs);
    case 'b':
        result = yaml_bool(v, "v", &is_set, &f->errs);
        *out = is_set;
        return result;
    default:
        result = yaml_enum(v, "v", names, &index, &f->errs);
        *out = index;
        return result;
    }
}

static void scalars_become_values(void **state)
{
    (void)state;
    static const struct {
        char how;
        const char *text;
        int64_t want;
    } cases[] = {
        {'i', "v: 7", 7},       {'i', "v: -5", -5},     {'i', "v: 100", 100},    {'d', "v: 250ms", 250},
        {'d', "v: 30s", 30000}, {'d', "v: 5m", 300000}, {'d', "v: 2h", 7200000}, {'d', "v: 1d", 86400000},
        {'s', "v: 512", 512},   {'s', "v: 64k", 65536}, {'s', "v: 8M", 8388608}, {'s', "v: 1G", 1073741824},
        {'b', "v: true", 1},    {'b', "v: false", 0},   {'e', "v: red", 0},      {'e', "v: green", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f = {0};
        int64_t got = -99;
        assert_int_equal(read_as(&f, cases[i].how, cases[i].text, &got), 0);
        assert_int_equal(got, cases[i].want);
        done(&f);
    }
}

static void bad_scalars_say_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        char how;
        const char *text, *error;
    } cases[] = {
        {'i', "v: 101", "t.yaml:1:4: v: is \"101\", must be a whole number from -5 to 100"},
        {'i', "v: 1x", "t.yaml:1:4: v: is \"1x\", must be a whole number from -5 to 100"},
        {'i', "v: []", "t.yaml:1:4: v: is a list, must be a whole number from -5 to 100"},
        {'i', "v: 99999999999999999999", "t.yaml:1:4: v: is \"99999999999999999999\", must be a whole number"},
        {'d', "v: \"3\\n\\e[31m0\"", "t.yaml:1:4: v: is \"3  [31m0\", must be a time"},
        {'d', "v: 30", "t.yaml:1:4: v: is \"30\", must be a time such as 250ms, 30s, 5m, 2h or 7d"},
        {'d', "v: -1s", "t.yaml:1:4: v: is \"-1s\", must be a time"},
        {'d', "v: 2d", "t.yaml:1:4: v: is \"2d\", must be a time"},
        {'d', "v: 9223372036854775807d", "t.yaml:1:4: v: is \"9223372036854775807d\", must be a time"},
        {'s', "v: 64K", "t.yaml:1:4: v: is \"64K\", must be a size such as 512, 64k, 8M or 1G, from 1 to"},
        {'s', "v: 0", "t.yaml:1:4: v: is \"0\", must be a size"},
        {'b', "v: yes", "t.yaml:1:4: v: is \"yes\", must be true or false"},
        {'e', "v: blue", "t.yaml:1:4: v: is \"blue\", must be one of red, green"},
        {'e', "v: {a: b}", "t.yaml:1:4: v: is a map, must be one of red, green"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f = {0};
        int64_t got;
        assert_int_equal(read_as(&f, cases[i].how, cases[i].text, &got), -1);
        assert_int_equal(f.errs.n, 1);
        if (strncmp(f.errs.line[0], cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s: got %s", cases[i].error, f.errs.line[0]);
        done(&f);
    }
}

static void unknown_keys_name_the_allowed(void **state)
{
    (void)state;
    static const char *const allowed[] = {"one", "two", NULL};
    struct fixture f = {0};
    yaml_allow_keys(load(&f, "one: 1\nthree: 3\n"), allowed, &f.errs);
    assert_int_equal(f.errs.n, 1);
    assert_string_equal(f.errs.line[0], "t.yaml:2:1: three: unknown key, allowed here: one, two");
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetitions_are_found_in_large_maps),
        cmocka_unit_test(a_large_map_loads_in_linear_time),
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(an_empty_file_is_an_empty_map),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(scalars_become_values),
        cmocka_unit_test(bad_scalars_say_what_is_allowed),
        cmocka_unit_test(unknown_keys_name_the_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
