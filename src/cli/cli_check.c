/* chatgate check: configuration, directory, rules, profiles and certificates; all problems in one run. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "conf/directory.h"
#include "net/sign.h"
#include "net/tls.h"
#include "proto/profile.h"
#include "rule/lint.h"
#include "rule/set.h"
#include "track/pseudonym.h"

struct check {
    const struct conf *conf;
    struct err_list errs, warnings;
    struct directory *directory; /* NULL: none, or not to be read */
    const struct ruleset *set;   /* while hints are added */
};

/* A file that cannot be read was reported with its place. */
static bool can_read(const char *path)
{
    return !path || access(path, R_OK) == 0;
}

static bool is_file(const char *path)
{
    struct stat st;
    return can_read(path) && (!path || stat(path, &st) != 0 || !S_ISDIR(st.st_mode));
}

static void check_directory(struct check *c)
{
    if (c->conf->directory && is_file(c->conf->directory) &&
        directory_load(c->conf->directory, &c->directory, &c->errs) != 0)
        c->directory = NULL;
}

static void on_fact(void *ctx, struct span shop, const char *fact)
{
    struct check *c = ctx;
    char where[4400];
    if (strncmp(fact, "locale=", 7) == 0)
        return; /* one of three when it was read, and cn is what all rules are for */
    snprintf(where, sizeof(where), "%s: shops.%.*s", c->conf->directory, (int)MIN_OF(shop.n, (size_t)100),
             (const char *)shop.p);
    ruleset_lint_fact(c->set, where, fact, &c->warnings);
}

/* Hints are for those who write rules: the shipped packs are not theirs to mend. */
static void add_hints(struct check *c, const struct ruleset *set)
{
    struct err_list hints = {0};
    char shipped[4400];
    size_t n = (size_t)snprintf(shipped, sizeof(shipped), "%s/rules/", conf_data_dir());
    ruleset_lint(set, &hints);
    for (size_t i = 0; i < hints.n; i++)
        if (strncmp(hints.line[i], shipped, n) != 0 || strncmp(hints.line[i] + n, "local/", 6) == 0)
            err_list_add(&c->warnings, "%s", hints.line[i]);
    err_list_fini(&hints);
}

static void check_rules(struct check *c)
{
    const struct conf *conf = c->conf;
    const char **packs = xcalloc(conf->rules.n_packs + 1, sizeof(*packs));
    size_t n_packs = 0;
    for (size_t i = 0; i < conf->rules.n_packs; i++)
        if (conf->rules.packs[i] && (can_read(conf->rules.packs[i]) || !conf->rules.are_named))
            packs[n_packs++] = conf->rules.packs[i];
    const struct ruleset_options o = {
        .pack_paths = packs,
        .n_pack_paths = n_packs,
        .local_path = can_read(conf->rules.local) ? conf->rules.local : NULL,
        .preset = conf->rules.preset ? conf->rules.preset : "standard",
        .allow_domains = (const char *const *)conf->rules.allow_domains,
        .n_allow_domains = conf->rules.n_allow_domains,
    };
    struct ruleset *set;
    int rc = ruleset_load(&o, &set, &c->errs);
    free(packs);
    if (rc)
        return;
    add_hints(c, set);
    c->set = set;
    if (c->directory)
        directory_each_fact(c->directory, on_fact, c);
    if (ruleset_count(set) == 0 && n_packs == conf->rules.n_packs)
        err_list_add(&c->warnings, "%s: rules.packs: no rules were found, every message passes", conf->file);
    ruleset_unref(&set);
}

static bool is_seen_before(const struct conf *conf, size_t listener)
{
    for (size_t i = 0; i < listener; i++)
        if (conf->listener[i].profile && strcmp(conf->listener[i].profile, conf->listener[listener].profile) == 0)
            return true;
    return false;
}

static void check_profiles(struct check *c)
{
    const struct conf *conf = c->conf;
    char path[4400];
    for (size_t i = 0; i < conf->n_listeners; i++) {
        const char *name = conf->listener[i].profile;
        if (!name || !conf->profiles_dir || is_seen_before(conf, i))
            continue;
        snprintf(path, sizeof(path), "%s/%s.yaml", conf->profiles_dir, name);
        FILE *f = fopen(path, "re"); /* a missing one was reported with the listener's place */
        if (!f)
            continue;
        fclose(f);
        struct profile *p = profile_load_file(path, &c->errs);
        if (p)
            profile_unref(&p);
    }
}

/* What opening the file of a key told. */
static void add_at(struct check *c, struct conf_place at, const char *key, const char *why)
{
    if (at.line)
        err_list_add(&c->errs, "%s:%d:%d: %s: %s", c->conf->file, at.line, at.col, key, why);
    else
        err_list_add(&c->errs, "%s: %s: %s", c->conf->file, key, why);
}

static void check_client_tls(struct check *c, const struct conf_tls *t, const char *key)
{
    struct err e;
    bool is_tried = t->is_on && is_file(t->ca);
    struct tls_client *client = is_tried ? tls_client_new(t->ca, t->verify, &e) : NULL;
    if (is_tried && !client)
        add_at(c, t->place, key, e.text);
    if (client)
        tls_client_unref(&client);
}

static const char *text_of(char *out, size_t size, const char *what, const char *name)
{
    snprintf(out, size, "%s%s", what, name ? name : "?");
    return out;
}

static void check_certificates(struct check *c)
{
    struct err e;
    char key[120];
    for (size_t i = 0; i < c->conf->n_listeners; i++) {
        const struct conf_tls *t = &c->conf->listener[i].tls;
        bool is_tried = t->certificate && t->key && is_file(t->certificate) && is_file(t->key);
        struct tls_server *server = is_tried ? tls_server_new(t->certificate, t->key, &e) : NULL;
        if (is_tried && !server)
            add_at(c, t->place, text_of(key, sizeof(key), "listeners[].tls of ", c->conf->listener[i].name), e.text);
        if (server)
            tls_server_unref(&server);
    }
    for (size_t i = 0; i < c->conf->n_upstreams; i++)
        check_client_tls(c, &c->conf->upstream[i].tls,
                         text_of(key, sizeof(key), "upstreams[].tls of ", c->conf->upstream[i].name));
    check_client_tls(c, &c->conf->redis.tls, "redis.tls");
}

/* As the daemon will at its start; a file that is missing was reported with its place. */
static void check_secrets(struct check *c)
{
    const struct conf *conf = c->conf;
    struct err e;
    struct buf key = {0};
    if (conf->evidence.key && is_file(conf->evidence.key)) {
        struct sign_key *k = sign_key_load(conf->evidence.key, &e);
        if (!k)
            add_at(c, conf->evidence.key_place, "evidence.key", e.text);
        sign_key_free(&k);
    }
    if (conf->privacy.is_pseudonymous && conf->privacy.key && is_file(conf->privacy.key)) {
        if (pseudonym_load_key(conf->privacy.key, &key, &e) < 0)
            add_at(c, conf->privacy.key_place, "privacy.key", e.text);
        if (key.data)
            explicit_bzero(key.data, key.cap);
        buf_fini(&key);
    }
}

static int report(const struct check *c)
{
    for (size_t i = 0; i < c->errs.n; i++)
        printf("%s\n", c->errs.line[i]);
    for (size_t i = 0; i < c->warnings.n; i++)
        printf("warning: %s\n", c->warnings.line[i]);
    size_t errors = c->errs.n + c->errs.dropped, warnings = c->warnings.n + c->warnings.dropped;
    printf("%zu error%s, %zu warning%s\n", errors, errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
    return errors ? CLI_PROBLEMS : CLI_OK;
}

int cli_check(int argc, char **argv)
{
    const char *path = conf_default_path();
    if (argc == 2 && strcmp(argv[1], "--keys") == 0) {
        conf_print_keys(stdout, false);
        return CLI_OK;
    }
    if (argc == 2 && strcmp(argv[1], "--keys-markdown") == 0) {
        conf_print_keys(stdout, true);
        return CLI_OK;
    }
    bool has_option = argc > 1 && strcmp(argv[1], "--config") == 0;
    int unexpected = has_option ? 3 : argc > 2 && argv[1][0] != '-' ? 2 : 1;
    if (argc == 3 && has_option)
        path = argv[2];
    else if (argc == 2 && argv[1][0] != '-')
        path = argv[1];
    else if (argc > 1)
        return argc == 2 && has_option ? cli_usage("check") : cli_unexpected("check", argv[unexpected]);
    struct check c = {0};
    struct conf *conf = conf_load_for_check(path, &c.errs, &c.warnings);
    if (conf) {
        c.conf = conf;
        check_directory(&c);
        check_rules(&c);
        check_profiles(&c);
        check_certificates(&c);
        check_secrets(&c);
        if (c.directory)
            directory_unref(&c.directory);
        conf_free(&conf);
    }
    int code = report(&c);
    err_list_fini(&c.errs);
    err_list_fini(&c.warnings);
    return code;
}
