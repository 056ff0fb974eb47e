#include "cli/cli_ruleset.h"

#include <sys/stat.h>

#include "base/xalloc.h"
#include "conf/conf.h"

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int cli_ruleset_option(struct cli_ruleset *o, int argc, char **argv, int *i)
{
    bool is_rules = strcmp(argv[*i], "--rules") == 0, is_preset = strcmp(argv[*i], "--preset") == 0,
         is_fact = strcmp(argv[*i], "--fact") == 0;
    if (!is_rules && !is_preset && !is_fact)
        return 0;
    bool is_full = (is_rules && o->n_paths == CLI_RULE_PATHS_MAX) || (is_fact && o->n_facts == CLI_FACTS_MAX);
    if (*i + 1 >= argc || is_full) {
        fprintf(stderr, "chatgate: %s: %s\n", argv[*i], *i + 1 < argc ? "given too often" : "its value is missing");
        return -1;
    }
    const char *value = argv[++*i];
    if (is_rules)
        o->path[o->n_paths++] = value;
    else if (is_fact)
        o->fact[o->n_facts++] = value;
    else
        o->preset = value;
    return 1;
}

struct ruleset *cli_ruleset_load(struct cli_ruleset *o)
{
    if (!o->n_paths && is_folder("rules"))
        o->path[o->n_paths++] = "rules";
    else if (!o->n_paths)
        o->path[o->n_paths++] = o->installed = xasprintf("%s/rules", conf_data_dir());
    for (size_t i = 0; i < o->n_paths && !o->local; i++) {
        char *local = xasprintf("%s/local", o->path[i]);
        if (is_folder(local))
            o->local = local;
        else
            free(local);
    }
    struct ruleset_options options = {.pack_paths = o->path,
                                      .n_pack_paths = o->n_paths,
                                      .local_path = o->local,
                                      .preset = o->preset,
                                      .allow_domains = o->allow_domains,
                                      .n_allow_domains = o->n_allow_domains};
    struct err_list errs = {0};
    struct ruleset *set = NULL;
    if (ruleset_load(&options, &set, &errs) != 0)
        for (size_t i = 0; i < errs.n; i++)
            fprintf(stderr, "%s\n", errs.line[i]);
    if (errs.dropped)
        fprintf(stderr, "and %zu more\n", errs.dropped);
    err_list_fini(&errs);
    return set;
}

void cli_ruleset_fini(struct cli_ruleset *o)
{
    free(o->local);
    free(o->installed);
    o->local = o->installed = NULL;
}
