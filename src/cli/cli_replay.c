/* chatgate replay: what new rules would change on captured messages, before anyone switches them on. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/cli_ruleset.h"
#include "cli/replay.h"

enum { WORST_DEFAULT = 20, WORST_MAX = 100000, ERRORS_SHOWN = 20 };

struct replay {
    struct cli_ruleset new_rules, old_rules;
    const char *config;
    bool is_json;
    struct conf *conf;           /* NULL: none given */
    struct directory *directory; /* the same */
    struct replay_side old, now;
    struct replay_reader reader;
    struct replay_tally tally;
    struct replay_message message;
    struct replay_outcome before, after;
    uint64_t n_bad;
};

static void bad_line(struct replay *x, const char *file, uint64_t line, const char *why)
{
    if (x->n_bad++ < ERRORS_SHOWN)
        fprintf(stderr, "%s:%llu: %s\n", file, (unsigned long long)line, why);
}

static void replay_line(struct replay *x, struct span line)
{
    struct replay_message *m = &x->message;
    struct err e;
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (!line.n)
        return;
    if (replay_read(&x->reader, line, m, &e) < 0) {
        bad_line(x, m->file, m->line, e.text);
        return;
    }
    if (m->is_unruled) {
        x->tally.unruled++;
        return;
    }
    if (!m->has_outcome && !x->old.set) {
        if (m->is_bypassed)
            x->tally.bypassed++;
        else
            bad_line(x, m->file, m->line,
                     "action: missing; without recorded verdicts name the old rules: --against OLD");
        return;
    }
    if (x->old.set)
        replay_judge(&x->old, m, x->conf, x->directory, &x->before);
    replay_judge(&x->now, m, x->conf, x->directory, &x->after);
    replay_tally_add(&x->tally, m, x->old.set ? &x->before : &m->outcome, &x->after);
}

static void replay_stream(struct replay *x, FILE *f, const char *name)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    x->message.file = name;
    for (x->message.line = 1; (n = getline(&line, &cap, f)) >= 0; x->message.line++)
        replay_line(x, span_of(line, (size_t)n));
    if (ferror(f))
        bad_line(x, name, x->message.line, "cannot be read");
    free(line);
}

static void replay_file(struct replay *x, const char *path)
{
    if (strcmp(path, "-") == 0) {
        replay_stream(x, stdin, "standard input");
        return;
    }
    FILE *f = fopen(path, "re");
    if (!f) {
        fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
        x->n_bad++;
        return;
    }
    replay_stream(x, f, path);
    fclose(f);
}

static int is_capture(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 6 && strcmp(d->d_name + n - 6, ".jsonl") == 0;
}

/* A file, or all *.jsonl of a folder; their names carry their times. `names` keeps what the tally points at. */
static void replay_path(struct replay *x, const char *path, struct err_list *names)
{
    struct stat st;
    struct dirent **entry;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
        replay_file(x, path);
        return;
    }
    int n = scandir(path, &entry, is_capture, alphasort);
    if (n <= 0) {
        fprintf(stderr, "%s: holds no *.jsonl\n", path);
        x->n_bad++;
    }
    for (int i = 0; i < n; i++) {
        err_list_add(names, "%s/%s", path, entry[i]->d_name);
        replay_file(x, names->line[names->n - 1]);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
}

static int print_errors(const struct err_list *errs)
{
    for (size_t i = 0; i < errs->n; i++)
        fprintf(stderr, "%s\n", errs->line[i]);
    return errs->n ? -1 : 0;
}

/* Who is who, the allowed domains and the failure policies; the rules come from --rules. */
static int load_config(struct replay *x)
{
    struct err_list errs = {0};
    if (x->config && conf_load_to_ask(x->config, &x->conf, &errs) == 0) {
        if (directory_load(x->conf->directory, &x->directory, &errs) < 0)
            x->directory = NULL;
        struct cli_ruleset *both[] = {&x->new_rules, &x->old_rules};
        for (size_t i = 0; i < ARRAY_LEN(both); i++) {
            both[i]->allow_domains = (const char *const *)x->conf->rules.allow_domains;
            both[i]->n_allow_domains = x->conf->rules.n_allow_domains;
            if (!both[i]->preset)
                both[i]->preset = x->conf->rules.preset;
        }
    }
    int rc = print_errors(&errs);
    err_list_fini(&errs);
    return rc;
}

static int load_side(struct replay_side *side, struct cli_ruleset *rules)
{
    struct ruleset *set = cli_ruleset_load(rules);
    if (!set)
        return -1;
    replay_side_init(side, set);
    return 0;
}

static int report(struct replay *x)
{
    const char *old = x->old.set ? ruleset_version(x->old.set) : NULL, *now = ruleset_version(x->now.set);
    if (x->is_json)
        replay_tally_print_json(&x->tally, old, now);
    else
        replay_tally_print(&x->tally, old, now);
    if (x->n_bad)
        fprintf(stderr, "chatgate: what could not be read (%llu) is not in the figures\n",
                (unsigned long long)x->n_bad);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "chatgate: standard output: %s\n", strerror(errno));
        return CLI_FAILED;
    }
    return x->n_bad ? CLI_PROBLEMS : CLI_OK;
}

static int replay(struct replay *x, char **paths, int n)
{
    struct err_list names = {0};
    int rc = CLI_FAILED;
    if (load_config(x) == 0 && load_side(&x->now, &x->new_rules) == 0 &&
        (!x->old_rules.n_paths || load_side(&x->old, &x->old_rules) == 0)) {
        x->reader.now_ms = clock_wall_ms();
        for (int i = 0; i < n; i++)
            replay_path(x, paths[i], &names);
        rc = report(x);
    }
    replay_tally_fini(&x->tally);
    replay_reader_fini(&x->reader);
    replay_side_fini(&x->old);
    replay_side_fini(&x->now);
    directory_unref(&x->directory);
    conf_free(&x->conf);
    err_list_fini(&names);
    return rc;
}

static bool read_worst(const char *text, size_t *out)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(text, &end, 10);
    *out = v;
    return text[0] >= '0' && text[0] <= '9' && !*end && !errno && v <= WORST_MAX;
}

/* One option with a value at argv[*i]; 0 when it is none of them, -1 when it is wrong. */
static int value_option(struct replay *x, int argc, char **argv, int *i)
{
    const char *name = argv[*i], *value = *i + 1 < argc ? argv[*i + 1] : NULL;
    bool is_against = strcmp(name, "--against") == 0, is_config = strcmp(name, "--config") == 0;
    if (!is_against && !is_config && strcmp(name, "--worst") != 0)
        return 0;
    ++*i;
    if (!value || (is_against && x->old_rules.n_paths == CLI_RULE_PATHS_MAX) ||
        (!is_against && !is_config && !read_worst(value, &x->tally.worst)))
        return -1;
    if (is_against)
        x->old_rules.path[x->old_rules.n_paths++] = value;
    else if (is_config)
        x->config = value;
    return 1;
}

int cli_replay(int argc, char **argv)
{
    struct replay *x = xcalloc(1, sizeof(*x));
    x->tally.worst = WORST_DEFAULT;
    int n_paths = 0;
    bool is_bad = false;
    const char *unexpected = NULL;
    for (int i = 1; i < argc && !is_bad && !unexpected; i++) {
        int took = cli_ruleset_option(&x->new_rules, argc, argv, &i);
        if (took == 0)
            took = value_option(x, argc, argv, &i);
        if (took > 0)
            continue;
        if (took < 0)
            is_bad = true;
        else if (argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--json") != 0)
            unexpected = argv[i];
        else if (argv[i][0] == '-' && argv[i][1])
            x->is_json = true;
        else
            argv[n_paths++] = argv[i]; /* captures move to the front */
    }
    x->old_rules.preset = x->new_rules.preset;
    if (!unexpected && !is_bad && n_paths && !x->new_rules.n_paths)
        fprintf(stderr, "chatgate replay: --rules is missing: the rules to try\n");
    int rc = unexpected                                    ? cli_unexpected("replay", unexpected)
             : is_bad || !n_paths || !x->new_rules.n_paths ? cli_usage("replay")
                                                           : replay(x, argv, n_paths);
    cli_ruleset_fini(&x->new_rules);
    cli_ruleset_fini(&x->old_rules);
    free(x);
    return rc;
}
