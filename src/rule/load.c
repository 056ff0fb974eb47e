#include "rule/load.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/xalloc.h"

enum { FILE_BYTES_MAX = 64 << 20, FILES_MAX = 1000 };

void load_hash(struct loader *l, struct span piece)
{
    l->hash = (l->hash ^ hash_stable(piece)) * 0x100000001b3u + piece.n;
}

bool load_file_bytes(struct loader *l, const char *path, struct span *out)
{
    FILE *f = fopen(path, "re");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        err_list_add(l->errs, "%s: cannot be read: %s", path, f ? "not a plain file" : strerror(errno));
        if (f)
            fclose(f);
        return false;
    }
    size_t n = (size_t)st.st_size;
    if (n > FILE_BYTES_MAX) {
        err_list_add(l->errs, "%s: %zu bytes, at most %d are read", path, n, FILE_BYTES_MAX);
        fclose(f);
        return false;
    }
    uint8_t *p = arena_alloc(&l->arena, n + 1);
    n = fread(p, 1, n, f);
    fclose(f);
    *out = span_of(p, n);
    load_hash(l, *out);
    return true;
}

static void load_pack(struct loader *l, const struct ynode *doc)
{
    static const char *const keys[] = {"pack",     "title", "direction", "defaults", "unless",
                                       "not_near", "rules", "override",  NULL};
    static const char *const directions[] = {"outgoing", "incoming", NULL};
    if (doc->kind != YNODE_MAP) {
        yaml_bad(l->errs, doc, "is %s, must be a map with pack: and rules:", yaml_describe(doc));
        return;
    }
    yaml_allow_keys(doc, keys, l->errs);
    struct ynode *override = yaml_get(doc, "override"), *name = yaml_get(doc, "pack"), *rules = yaml_get(doc, "rules"),
                 *direction = yaml_get(doc, "direction");
    if (override && override->kind != YNODE_SEQ) {
        yaml_bad(l->errs, override, "override: is %s, must be a list", yaml_describe(override));
    } else if (override) {
        for (size_t i = 0; i < override->n && !l->is_local; i++)
            if (!yaml_get(override->value[i], "when"))
                yaml_bad(l->errs, override->value[i],
                         "override: only files of the local folder can override without when:");
        l->overrides = xrealloc(l->overrides, (l->n_overrides + 1) * sizeof(struct ynode *));
        l->overrides[l->n_overrides++] = override;
    }
    if (!name && !rules && (override || doc->n == 0))
        return;
    struct pack p = {.defaults = yaml_get(doc, "defaults"),
                     .unless = yaml_get(doc, "unless"),
                     .not_near = yaml_get(doc, "not_near")};
    if (!name)
        yaml_bad(l->errs, doc, "pack: missing, the name that every id of this file begins with");
    else if (yaml_str(name, "pack", &p.name, l->errs) != 0)
        p.name = NULL;
    else if (!*p.name || strspn(p.name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(p.name))
        yaml_bad(l->errs, name, "pack: is %s, must be small letters, digits and _", yaml_describe(name));
    int dir = 0;
    if (direction && yaml_enum(direction, "direction", directions, &dir, l->errs) != 0)
        dir = 0;
    p.dir = dir == 1 ? DIR_INCOMING : DIR_OUTGOING;
    if (!rules || rules->kind != YNODE_SEQ) {
        yaml_bad(l->errs, rules ? rules : doc, "rules: %s, must be a list of rules",
                 rules ? yaml_describe(rules) : "missing");
        return;
    }
    for (size_t i = 0; i < rules->n; i++)
        load_rule(l, &p, rules->value[i]);
}

static void load_file(struct loader *l, const char *path)
{
    struct span bytes;
    if (!load_file_bytes(l, path, &bytes))
        return;

    struct ynode *doc = yaml_load_text(path, bytes, &l->arena, l->errs);
    if (doc)
        load_pack(l, doc);
}

static bool is_yaml_name(const char *s)
{
    size_t n = strlen(s);
    return s[0] != '.' && n > 5 && strcmp(s + n - 5, ".yaml") == 0;
}

static int on_dirent(const struct dirent *d)
{
    return is_yaml_name(d->d_name);
}

static void load_folder(struct loader *l, const char *path)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, on_dirent, alphasort);
    if (n < 0) {
        err_list_add(l->errs, "%s: cannot be read: %s", path, strerror(errno));
        return;
    }
    if (n > FILES_MAX)
        err_list_add(l->errs, "%s: holds %d packs, at most %d are read", path, n, FILES_MAX);
    for (int i = 0; i < n; i++) {
        char *file = xasprintf("%s/%s", path, names[i]->d_name);
        if (n <= FILES_MAX)
            load_file(l, file);
        free(file);
        free(names[i]);
    }
    free(names);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_list_dir(struct loader *l, const char *path)
{
    char *dir = is_folder(path) ? xasprintf("%s/lists", path) : NULL;
    if (!dir) {
        const char *slash = strrchr(path, '/');
        dir = slash ? xasprintf("%.*s/lists", (int)(slash - path), path) : xasprintf("lists");
    }
    l->list_dir = xrealloc(l->list_dir, (l->n_list_dirs + 1) * sizeof(char *));
    l->list_dir[l->n_list_dirs++] = dir;
}

static void load_path(struct loader *l, const char *path)
{
    if (is_folder(path))
        load_folder(l, path);
    else
        load_file(l, path);
}

/* Gives every rule in force its place; the others are kept apart. */
static void sort_rules(struct loader *l)
{
    struct ruleset *set = l->set;
    size_t kept = 0;
    set->off = xcalloc(set->n_rules + 1, sizeof(*set->off));
    for (size_t i = 0; i < set->n_rules; i++) {
        struct rule *r = set->rule[i];
        if (rule_is_off(r)) {
            set->off[set->n_off++] = r;
            continue;
        }
        struct side *s = &set->side[r->dir];
        s->rule = xrealloc(s->rule, (s->n_rules + 1) * sizeof(*s->rule));
        r->number = (uint32_t)s->n_rules;
        s->rule[s->n_rules++] = r;
        set->rule[kept++] = r;
    }
    set->n_rules = kept;
}

static void copy_options(struct loader *l)
{
    const struct ruleset_options *o = l->o;
    struct names *d = &l->set->allow_domains;
    d->name = arena_alloc(&l->set->arena, (o->n_allow_domains + 1) * sizeof(char *));
    for (size_t i = 0; i < o->n_allow_domains; i++) {
        d->name[d->n++] = arena_strdup(&l->set->arena, span_str(o->allow_domains[i]));
        load_hash(l, span_str(o->allow_domains[i]));
    }
    load_hash(l, span_str(o->preset ? o->preset : "standard"));
}

static void loader_fini(struct loader *l)
{
    for (size_t i = 0; i < l->n_list_dirs; i++)
        free(l->list_dir[i]);
    free(l->list_dir);
    free(l->pending);
    free(l->overrides);
    map_fini(&l->terms[0]);
    map_fini(&l->terms[1]);
    map_fini(&l->lists);
    map_fini(&l->ids);
    fold_scratch_free(&l->fold);
    arena_fini(&l->arena);
}

static bool is_known(const struct ruleset *set, const char *glob)
{
    for (size_t i = 0; i < set->n_rules; i++)
        if (fnmatch(glob, set->rule[i]->id, 0) == 0)
            return true;
    return false;
}

/* Packs may be loaded one by one: only a name within the rule's own pack must be there. */
static void check_yields(struct loader *l)
{
    for (size_t i = 0; i < l->set->n_rules; i++) {
        const struct rule *r = l->set->rule[i];
        size_t pack = strcspn(r->id, ".") + 1;
        for (size_t k = 0; k < r->yields_to.n; k++)
            if (strncmp(r->id, r->yields_to.name[k], pack) == 0 && !is_known(l->set, r->yields_to.name[k]))
                err_list_add(l->errs, "%s:%d: %s: yields_to: \"%s\" is no rule of this set", r->file, r->line, r->id,
                             r->yields_to.name[k]);
    }
}

int ruleset_load(const struct ruleset_options *o, struct ruleset **out, struct err_list *errs)
{
    struct loader l = {.o = o, .errs = errs, .fold = fold_scratch_new(), .hash = 0xcbf29ce484222325u};
    size_t errors_before = errs->n + errs->dropped;
    *out = NULL;
    l.set = xcalloc(1, sizeof(*l.set));
    atomic_init(&l.set->refs, 1);
    if (o->preset && strcmp(o->preset, "strict") != 0 && strcmp(o->preset, "standard") != 0 &&
        strcmp(o->preset, "lenient") != 0)
        err_list_add(errs, "preset: is \"%s\", must be one of strict, standard, lenient", o->preset);
    if (o->local_path && is_folder(o->local_path))
        add_list_dir(&l, o->local_path);
    for (size_t i = 0; i < o->n_pack_paths; i++)
        add_list_dir(&l, o->pack_paths[i]);
    copy_options(&l);
    for (size_t i = 0; i < o->n_pack_paths; i++)
        load_path(&l, o->pack_paths[i]);
    l.is_local = true;
    if (o->local_path && is_folder(o->local_path)) /* none is usual */
        load_folder(&l, o->local_path);
    load_overrides(&l);
    check_yields(&l);
    sort_rules(&l);
    words_compile(&l);
    snprintf(l.set->version, sizeof(l.set->version), "%016llx", (unsigned long long)l.hash);
    struct ruleset *set = l.set;
    loader_fini(&l);
    if (errs->n + errs->dropped != errors_before) {
        ruleset_unref(&set);
        return -1;
    }
    *out = set;
    return 0;
}
