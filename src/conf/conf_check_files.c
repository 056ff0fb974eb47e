#include "conf/conf_check_files.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_read.h"
#include "conf/conf_url.h"

void conf_check_file(struct err_list *errs, const struct ynode *at, const char *key, const char *path)
{
    struct stat st;
    if (!path)
        return;
    if (access(path, R_OK) != 0)
        yaml_bad(errs, at, "%s: \"%s\" cannot be read: %s", key, path, strerror(errno));
    else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        yaml_bad(errs, at, "%s: \"%s\" is a folder, must be a file", key, path);
}

void conf_check_secret(struct err_list *errs, const struct ynode *at, const char *key, const char *path)
{
    size_t before = errs->n;
    conf_check_file(errs, at, key, path);
    FILE *f = path && errs->n == before ? fopen(path, "re") : NULL;
    if (!f)
        return;
    int first = fgetc(f);
    if (first == EOF || first == '\n' || first == '\r')
        yaml_bad(errs, at, "%s: \"%s\" has nothing in its first line, must have the password there", key, path);
    fclose(f);
}

/* Folders are allowed. */
static void check_there(struct err_list *errs, const struct ynode *at, const char *key, const char *path)
{
    if (path && access(path, R_OK) != 0)
        yaml_bad(errs, at, "%s: \"%s\" cannot be read: %s", key, path, strerror(errno));
}

static void check_domains(const struct conf *c, const struct ynode *root, struct err_list *errs)
{
    const struct ynode *list = conf_read_find(root, "rules.allow_domains");
    for (size_t i = 0; list && i < c->rules.n_allow_domains && i < list->n; i++)
        if (c->rules.allow_domains[i] && *c->rules.allow_domains[i] && !conf_is_domain(c->rules.allow_domains[i]))
            yaml_bad(errs, list->value[i],
                     "rules.allow_domains: is \"%.200s\", must be a domain such as shop.example, without scheme, port, "
                     "path and *; all below it is allowed too",
                     c->rules.allow_domains[i]);
}

static const struct ynode *place(const struct ynode *root, const char *key)
{
    const struct ynode *at = conf_read_find(root, key);
    return at ? at : root;
}

static void check_packs(const struct conf *c, const struct ynode *root, struct err_list *errs)
{
    const struct ynode *list = conf_read_find(root, "rules.packs");
    for (size_t i = 0; list && i < c->rules.n_packs && i < list->n;
         i++) /* the default's absence is told by its reader */
        check_there(errs, list->value[i], "rules.packs", c->rules.packs[i]);
}

void conf_check_files(const struct conf *c, const struct ynode *root, struct err_list *errs)
{
    conf_check_file(errs, place(root, "directory"), "directory", c->directory);
    check_packs(c, root, errs);
    check_there(errs, place(root, "rules.local"), "rules.local", c->rules.local);
    check_domains(c, root, errs);
    conf_check_file(errs, place(root, "evidence.key"), "evidence.key", c->evidence.key);
    conf_check_file(errs, place(root, "privacy.key"), "privacy.key", c->privacy.key);
    if (c->privacy.is_pseudonymous && !c->privacy.key)
        yaml_bad(errs, place(root, "privacy.pseudonyms"),
                 "privacy.pseudonyms: is true, but privacy.key is missing: the file with the secret of the pseudonyms");
}

static void note(struct conf_place *out, const struct ynode *map, const char *key)
{
    const struct ynode *at = map ? conf_read_find(map, key) : NULL;
    if (at)
        *out = (struct conf_place){at->line, at->col};
}

static void note_tls(struct conf_place *out, const struct ynode *map)
{
    note(out, map, "tls");
    note(out, map, "tls.ca");
    note(out, map, "tls.certificate");
}

void conf_note_places(struct conf *c, const struct ynode *root)
{
    const struct ynode *listeners = yaml_get(root, "listeners"), *upstreams = yaml_get(root, "upstreams");
    for (size_t i = 0; i < c->n_listeners; i++)
        note_tls(&c->listener[i].tls.place, listeners->value[i]);
    for (size_t i = 0; i < c->n_upstreams; i++)
        note_tls(&c->upstream[i].tls.place, upstreams->value[i]);
    note_tls(&c->redis.tls.place, yaml_get(root, "redis"));
    c->rules.are_named = conf_read_find(root, "rules.packs");
    note(&c->evidence.key_place, root, "evidence.key");
    note(&c->privacy.key_place, root, "privacy.key");
}
