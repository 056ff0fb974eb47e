/* chatgate check: configuration, directory, rules, profiles and certificates; all problems in one run. */
#include <unistd.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "conf/directory.h"
#include "net/tls.h"
#include "proto/profile.h"
#include "rule/lint.h"
#include "rule/set.h"

struct check {
    const struct conf *conf;
    struct err_list errs, warnings;
    struct directory *directory; /* NULL: none, or not to be read */
    const struct ruleset *set;   /* while hints are added */
};

static void check_directory(struct check *c)
{
    if (c->conf->directory && directory_load(c->conf->directory, &c->directory, &c->errs) != 0)
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
    const struct ruleset_options o = {
        .pack_paths = (const char *const *)conf->rules.packs,
        .n_pack_paths = conf->rules.n_packs,
        .local_path = conf->rules.local,
        .preset = conf->rules.preset ? conf->rules.preset : "standard",
        .allow_domains = (const char *const *)conf->rules.allow_domains,
        .n_allow_domains = conf->rules.n_allow_domains,
    };
    struct ruleset *set;
    if (ruleset_load(&o, &set, &c->errs))
        return;
    add_hints(c, set);
    c->set = set;
    if (c->directory)
        directory_each_fact(c->directory, on_fact, c);
    if (ruleset_count(set) == 0)
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

/* A file that cannot be read was reported with its place. */
static bool can_read(const char *path)
{
    return !path || access(path, R_OK) == 0;
}

static void check_client_tls(struct check *c, const struct conf_tls *t, const char *key, const char *name)
{
    struct err e;
    bool is_tried = t->is_on && can_read(t->ca);
    struct tls_client *client = is_tried ? tls_client_new(t->ca, t->verify, &e) : NULL;
    if (is_tried && !client)
        err_list_add(&c->errs, "%s: %s%s: %s", c->conf->file, key, name, e.text);
    if (client)
        tls_client_unref(&client);
}

static void check_certificates(struct check *c)
{
    struct err e;
    for (size_t i = 0; i < c->conf->n_listeners; i++) {
        const struct conf_tls *t = &c->conf->listener[i].tls;
        bool is_tried = t->certificate && t->key && can_read(t->certificate) && can_read(t->key);
        struct tls_server *server = is_tried ? tls_server_new(t->certificate, t->key, &e) : NULL;
        if (is_tried && !server)
            err_list_add(&c->errs, "%s: listeners[].tls of %s: %s", c->conf->file,
                         c->conf->listener[i].name ? c->conf->listener[i].name : "?", e.text);
        if (server)
            tls_server_unref(&server);
    }
    for (size_t i = 0; i < c->conf->n_upstreams; i++)
        check_client_tls(c, &c->conf->upstream[i].tls, "upstreams[].tls of ",
                         c->conf->upstream[i].name ? c->conf->upstream[i].name : "?");
    check_client_tls(c, &c->conf->redis.tls, "redis.tls", "");
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
    if (argc == 3 && strcmp(argv[1], "--config") == 0)
        path = argv[2];
    else if (argc == 2 && argv[1][0] != '-')
        path = argv[1];
    else if (argc > 1)
        return argc == 2 && strcmp(argv[1], "--config") == 0 ? cli_usage("check")
                                                             : cli_unexpected("check", argv[argc > 3 ? 3 : 1]);
    struct check c = {0};
    struct conf *conf = conf_load_for_check(path, &c.errs, &c.warnings);
    if (conf) {
        c.conf = conf;
        check_directory(&c);
        check_rules(&c);
        check_profiles(&c);
        check_certificates(&c);
        if (c.directory)
            directory_unref(&c.directory);
        conf_free(&conf);
    }
    int code = report(&c);
    err_list_fini(&c.errs);
    err_list_fini(&c.warnings);
    return code;
}
