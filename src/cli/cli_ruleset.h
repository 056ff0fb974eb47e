/* What explain, scan and test share: options that name a rule set, and loading it. */
#pragma once

#include "rule/set.h"

enum { CLI_RULE_PATHS_MAX = 16, CLI_FACTS_MAX = 16 };

struct cli_ruleset {
    const char *path[CLI_RULE_PATHS_MAX];
    size_t n_paths;
    const char *preset;              /* NULL: standard */
    const char *fact[CLI_FACTS_MAX]; /* of the shop in question */
    size_t n_facts;
    char *local;     /* `local/` beside the packs, or NULL */
    char *installed; /* the installed packs\' path, when none was given */
    const char *const *allow_domains;
    size_t n_allow_domains;
};

/* Takes --rules PATH, --preset NAME and --fact NAME[=VALUE] at argv[*i]; 1 when it did (*i stands on the last argument
 * taken), 0 when it is another argument, -1 when its value is missing or there are too many of them. */
int cli_ruleset_option(struct cli_ruleset *o, int argc, char **argv, int *i);
/* Loads the set: without --rules ./rules, else the installed rules. Errors are printed; NULL then. */
struct ruleset *cli_ruleset_load(struct cli_ruleset *o);
void cli_ruleset_fini(struct cli_ruleset *o);
