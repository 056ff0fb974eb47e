#include "board/accounts.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "board/password.h"
#include "board/settings.h"
#include "board/tokens.h"

enum { LINE_MAX_BYTES = PASSWORD_MAX + 2, DAYS_MAX = 3650 };

static const char passwd_usage[] =
    "usage: chatgate-board passwd USER [--role agent|viewer|supervisor|admin] [--teams A,B|*] [--shops A,B|*]\n"
    "                             [--keep-password | --delete] [--users FILE | --config FILE]\n"
    "Reads the password twice from the terminal, or once from standard input.\n";

static const char token_usage[] =
    "usage: chatgate-board token NAME --scopes A,B [--teams A,B|*] [--shops A,B|*] [--days N]\n"
    "       chatgate-board token NAME --delete\n"
    "       both: [--tokens FILE | --config FILE]\n"
    "Prints the new token, once: only its hash is kept. A token of the same name is replaced.\n";

static void print_errors(struct err_list *errs)
{
    for (size_t i = 0; i < errs->n; i++)
        fprintf(stderr, "%s\n", errs->line[i]);
    err_list_fini(errs);
}

static int read_line(char out[LINE_MAX_BYTES], const char *prompt)
{
    bool is_terminal = isatty(STDIN_FILENO);
    struct termios old, quiet;
    if (is_terminal && tcgetattr(STDIN_FILENO, &old) == 0) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fputs(prompt, stderr);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool is_read = fgets(out, LINE_MAX_BYTES, stdin) != NULL;
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputs("\n", stderr);
    }
    if (is_read)
        out[strcspn(out, "\r\n")] = '\0';
    return is_read ? 0 : -1;
}

static int read_password(char hash[PASSWORD_HASH_MAX], struct err *e)
{
    char first[LINE_MAX_BYTES] = "", second[LINE_MAX_BYTES] = "";
    int rc = 0;
    if (read_line(first, "password: "))
        rc = err_set(e, "no password on standard input");
    else if (isatty(STDIN_FILENO) && (read_line(second, "once more: ") || strcmp(first, second) != 0))
        rc = err_set(e, "the two passwords differ");
    else if (strlen(first) < PASSWORD_MIN || strlen(first) > PASSWORD_MAX)
        rc = err_set(e, "the password must have %d to %d bytes", PASSWORD_MIN, PASSWORD_MAX);
    else
        rc = password_hash(first, hash, e);
    explicit_bzero(first, sizeof(first));
    explicit_bzero(second, sizeof(second));
    return rc;
}

static int change_user(const char *path, struct user_change *c, bool keep, struct err *e)
{
    char hash[PASSWORD_HASH_MAX];
    enum role role;
    if (!user_name_fits(span_str(c->name)))
        return err_set(e, "the name must be 1 to %d letters, digits, `.`, `-`, `_`, `@`", USER_NAME_MAX);
    if (c->role && !role_from_name(span_str(c->role), &role))
        return err_set(e, "the role is \"%s\", must be agent, viewer, supervisor or admin", c->role);
    if ((c->teams && strpbrk(c->teams, ":\n")) || (c->shops && strpbrk(c->shops, ":\n")))
        return err_set(e, "names of teams and shops must not contain `:`");
    if (!c->is_gone && !keep) {
        if (read_password(hash, e))
            return -1;
        c->hash = hash;
    }
    return users_write(path, c, e);
}

static bool wants_help(int argc, char **argv, const char *text)
{
    bool wants = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (wants)
        fputs(text, stdout);
    return wants;
}

/* There must be one word beside the options. */
static void say_words(int argc, char **argv)
{
    if (optind < argc)
        fprintf(stderr, "chatgate-board %s: unexpected argument \"%s\"\n", argv[0], argv[optind + 1]);
    else
        fprintf(stderr, "chatgate-board %s: a name is missing\n", argv[0]);
}

int accounts_passwd(int argc, char **argv, const char *config)
{
    static const struct option options[] = {
        {"role", required_argument, NULL, 'r'},   {"teams", required_argument, NULL, 't'},
        {"shops", required_argument, NULL, 's'},  {"users", required_argument, NULL, 'u'},
        {"config", required_argument, NULL, 'c'}, {"keep-password", no_argument, NULL, 'k'},
        {"delete", no_argument, NULL, 'd'},       {NULL, 0, NULL, 0}};
    struct user_change c = {0};
    const char *users = NULL;
    bool keep = false;
    if (wants_help(argc, argv, passwd_usage))
        return 0;
    optind = 1;
    for (int o; (o = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        switch (o) {
        case 'r':
            c.role = optarg;
            break;
        case 't':
            c.teams = optarg;
            break;
        case 's':
            c.shops = optarg;
            break;
        case 'u':
            users = optarg;
            break;
        case 'c':
            config = optarg;
            break;
        case 'k':
            keep = true;
            break;
        case 'd':
            c.is_gone = true;
            break;
        default:
            fputs(passwd_usage, stderr);
            return 2;
        }
    }
    if (optind + 1 != argc) {
        say_words(argc, argv);
        fputs(passwd_usage, stderr);
        return 2;
    }
    c.name = argv[optind];
    struct err_list errs = {0};
    struct err e;
    struct settings *set = users ? NULL : settings_load(config, &errs);
    print_errors(&errs);
    int rc = 1;
    if (!users && !set)
        return rc;
    if (change_user(users ? users : set->users, &c, keep, &e))
        fprintf(stderr, "%s\n", e.text);
    else
        rc = 0;
    settings_free(&set);
    return rc;
}

/* --- token --- */

static void list_scopes(void)
{
    printf("scopes:");
    for (int s = SCOPE_SESSION + 1; s < SCOPE_COUNT; s++)
        printf(" %s", scope_name((enum scope)s));
    printf("\n");
}

/* False: usage. */
static bool read_token_options(int argc, char **argv, struct token_change *c, const char **tokens, const char **config)
{
    static const struct option options[] = {
        {"scopes", required_argument, NULL, 'a'}, {"teams", required_argument, NULL, 't'},
        {"shops", required_argument, NULL, 's'},  {"days", required_argument, NULL, 'd'},
        {"tokens", required_argument, NULL, 'f'}, {"config", required_argument, NULL, 'c'},
        {"delete", no_argument, NULL, 'x'},       {NULL, 0, NULL, 0}};
    uint64_t days = 0;
    optind = 1;
    for (int o; (o = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        if (o == 'a')
            c->scopes = optarg;
        else if (o == 't')
            c->teams = optarg;
        else if (o == 's')
            c->shops = optarg;
        else if (o == 'f')
            *tokens = optarg;
        else if (o == 'c')
            *config = optarg;
        else if (o == 'x')
            c->is_gone = true;
        else if (o != 'd')
            return false;
        else if (!span_u64(span_str(optarg), &days) || !days || days > DAYS_MAX) {
            fprintf(stderr, "--days is \"%s\", must be a number from 1 to %d\n", optarg, (int)DAYS_MAX);
            return false;
        }
    }
    if (days)
        c->expires_ms = clock_wall_ms() + (int64_t)days * 86400000;
    if (optind + 1 != argc) {
        say_words(argc, argv);
        return false;
    }
    c->name = argv[optind];
    return true;
}

int accounts_token(int argc, char **argv, const char *config)
{
    struct token_change c = {0};
    const char *tokens = NULL;
    if (wants_help(argc, argv, token_usage)) {
        list_scopes();
        return 0;
    }
    if (!read_token_options(argc, argv, &c, &tokens, &config)) {
        fputs(token_usage, stderr);
        list_scopes();
        return 2;
    }
    struct err_list errs = {0};
    struct err e;
    struct settings *set = tokens ? NULL : settings_load(config, &errs);
    char text[TOKEN_TEXT_MAX];
    int rc = 1;
    print_errors(&errs);
    if (!tokens && !set)
        return rc;
    if (tokens_write(tokens ? tokens : set->tokens, &c, text, &e)) {
        fprintf(stderr, "%s\n", e.text);
    } else {
        rc = 0;
        if (!c.is_gone)
            puts(text);
    }
    explicit_bzero(text, sizeof(text));
    settings_free(&set);
    return rc;
}
