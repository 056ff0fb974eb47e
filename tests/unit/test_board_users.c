/* Users file, scope, logins and locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "board/logins.h"
#include "board/users.h"

static char path[] = "/tmp/board_users_XXXXXX";

static struct users *load(const char *text, struct err_list *errs)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return users_load(path, errs);
}

static bool sees(const struct users *u, const char *name, const char *team, const char *shop)
{
    const struct user *user = users_find(u, span_str(name));
    assert_non_null(user);
    return user_sees(user, span_str(team), span_str(shop));
}

static void test_scope_needs_team_and_shop(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct users *u = load("# who\n\n"
                           "all:$y$x:admin:*:*\n"
                           "red:$y$x:viewer:red, 红队:*\n"
                           "both:$y$x:supervisor:red:s1,s2\n"
                           "none:$y$x:viewer::\n",
                           &errs);
    assert_non_null(u);
    assert_int_equal(u->n, 4);
    assert_true(sees(u, "all", "", "") && sees(u, "all", "blue", "s9"));
    assert_true(sees(u, "red", "red", "s9") && sees(u, "red", "红队", ""));
    assert_false(sees(u, "red", "blue", "s1") || sees(u, "red", "", "") || sees(u, "red", "re", ""));
    assert_true(sees(u, "both", "red", "s2"));
    assert_false(sees(u, "both", "red", "s3") || sees(u, "both", "blue", "s1"));
    assert_false(sees(u, "none", "", "") || sees(u, "none", "*", "*"));
    assert_null(users_find(u, span_str("nobody")));
    users_free(&u);
}

static void test_bad_lines_are_all_reported(void **state)
{
    (void)state;
    struct err_list errs = {0};
    assert_null(load("a:$y$x:viewer:*:*\n"
                     "a:$y$x:viewer:*:*\n"
                     "b:$y$x:king:*:*\n"
                     "c:plain:viewer:*:*\n"
                     "d:$y$x:viewer:*\n"
                     "e:$y$x:viewer:*:*:more\n"
                     "f g:$y$x:viewer:*:*\n"
                     "h:$y$x:nobody:*:*\n",
                     &errs));
    assert_int_equal(errs.n, 7);
    for (size_t i = 0; i < errs.n; i++) {
        char place[64];
        snprintf(place, sizeof(place), ":%zu:1: ", i + 2);
        assert_non_null(strstr(errs.line[i], place));
    }
    err_list_fini(&errs);
}

static void test_writing_keeps_the_rest(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct err e;
    struct users *u = load("# who\na:$y$1:viewer:red:*\nb:$y$2:admin:*:*", &errs);
    users_free(&u);
    assert_int_equal(users_write(path, &(struct user_change){.name = "a", .role = "supervisor"}, &e), 0);
    assert_int_equal(users_write(path, &(struct user_change){.name = "c", .hash = "$y$3"}, &e), 0);
    assert_int_equal(users_write(path, &(struct user_change){.name = "b", .is_gone = true}, &e), 0);
    assert_int_equal(users_write(path, &(struct user_change){.name = "zz", .is_gone = true}, &e), -1);
    char text[200] = "";
    FILE *f = fopen(path, "r");
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    assert_string_equal(text, "# who\na:$y$1:supervisor:red:*\nc:$y$3:viewer:*:*\n");
}

enum { IDLE = 100, LIFE = 1000, LOCK = 50 };

static void test_a_login_ends_by_idling_by_age_and_with_its_password(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct logins l = {.idle_ms = IDLE, .life_ms = LIFE, .lock_tries = 2, .lock_ms = LOCK};
    struct users *u = load("a:$y$1:viewer:*:*\n", &errs);
    const struct user *user = NULL;
    char token[TOKEN_LEN + 1];

    struct login *login = logins_add(&l, &u->list[0], 0);
    memcpy(token, login->token, sizeof(token));
    assert_string_not_equal(login->token, login->csrf);
    assert_null(logins_find(&l, u, span_str("something else"), 1, &user));
    assert_ptr_equal(logins_find(&l, u, span_str(token), IDLE, &user), login);
    assert_ptr_equal(user, &u->list[0]);
    assert_null(logins_find(&l, u, span_str(token), 2 * IDLE + 1, &user)); /* idle */
    assert_int_equal(l.by_token.len, 0);

    login = logins_add(&l, &u->list[0], 0);
    memcpy(token, login->token, sizeof(token));
    for (int64_t at = IDLE; at <= LIFE; at += IDLE)
        assert_non_null(logins_find(&l, u, span_str(token), at, &user));
    assert_null(logins_find(&l, u, span_str(token), LIFE + 1, &user)); /* too old */

    login = logins_add(&l, &u->list[0], 0);
    memcpy(token, login->token, sizeof(token));
    users_free(&u);
    u = load("a:$y$2:viewer:*:*\n", &errs);
    assert_null(logins_find(&l, u, span_str(token), 1, &user)); /* another password */
    users_free(&u);
    logins_fini(&l);
}

static void test_the_table_of_logins_is_bounded(void **state)
{
    (void)state;
    struct err_list errs = {0};
    struct logins l = {.idle_ms = IDLE, .life_ms = LIFE};
    struct users *u = load("a:$y$1:viewer:*:*\n", &errs);
    const struct user *user = NULL;
    char first[TOKEN_LEN + 1];
    for (int i = 0; i <= LOGINS_MAX; i++) {
        struct login *login = logins_add(&l, &u->list[0], i ? 2 : 1);
        if (!i)
            memcpy(first, login->token, sizeof(first));
    }
    assert_int_equal(l.by_token.len, LOGINS_MAX);
    assert_null(logins_find(&l, u, span_str(first), 2, &user)); /* used longest ago */
    logins_sweep(&l, 2 + IDLE + 1);
    assert_int_equal(l.by_token.len, 0);
    users_free(&u);
    logins_fini(&l);
}

static void test_names_are_locked_after_failures(void **state)
{
    (void)state;
    struct logins l = {.lock_tries = 2, .lock_ms = LOCK};
    struct span a = span_str("a");
    logins_try(&l, a, true, 0);
    assert_int_equal(logins_locked_ms(&l, a, 1), 0);
    logins_try(&l, a, true, 1);
    assert_int_equal(logins_locked_ms(&l, a, 11), LOCK - 10);
    assert_int_equal(logins_locked_ms(&l, span_str("b"), 1), 0);
    assert_int_equal(logins_locked_ms(&l, a, 1 + LOCK), 0);
    logins_try(&l, a, true, 2 + LOCK); /* counted anew */
    assert_int_equal(logins_locked_ms(&l, a, 2 + LOCK), 0);
    logins_succeeded(&l, a);
    assert_int_equal(l.locks.len, 0);
    for (int i = 0; i < LOCKS_MAX + 10; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        logins_try(&l, span_str(name), false, 0);
    }
    assert_int_equal(l.locks.len, LOCKS_MAX);
    logins_try(&l, a, true, 0); /* a user's own name always has a place */
    logins_try(&l, a, true, 0);
    assert_true(logins_locked_ms(&l, a, 1) > 0);
    logins_fini(&l);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scope_needs_team_and_shop),
        cmocka_unit_test(test_bad_lines_are_all_reported),
        cmocka_unit_test(test_writing_keeps_the_rest),
        cmocka_unit_test(test_a_login_ends_by_idling_by_age_and_with_its_password),
        cmocka_unit_test(test_the_table_of_logins_is_bounded),
        cmocka_unit_test(test_names_are_locked_after_failures),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
