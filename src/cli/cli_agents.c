/* chatgate agents: how fast each agent, team or shop answers, what was refused, who waits; with a name the last rounds.
 */
#include "base/clock.h"
#include "cli/agents.h"
#include "cli/cli.h"

enum { ROUNDS = 10, ROUNDS_MOST = 200, DAYS_MOST = 112, ARGS_MOST = 16 };

static int bad_value(const char *option, const char *value, const char *allowed)
{
    fprintf(stderr, "chatgate agents: %s is \"%s\", must be %s\n", option, value, allowed);
    return -1;
}

static int read_scope(const char *value, struct wanted *w)
{
    if (strcmp(value, "agent") != 0 && strcmp(value, "team") != 0 && strcmp(value, "shop") != 0)
        return bad_value("--by", value, "agent, team or shop");
    w->scope = value[0];
    return 1;
}

static int read_preset(const char *value, struct wanted *w)
{
    w->preset = preset_find(value);
    return w->preset ? 1 : bad_value("--preset", value, preset_names());
}

static int read_days(const char *value, struct wanted *w)
{
    uint64_t days;
    if (!span_u64(span_str(value), &days) || days < 1 || days > DAYS_MOST)
        return bad_value("--days", value, "a number from 1 to 112");
    w->days = (int64_t)days;
    return 1;
}

/* An option that only this command knows: how many words more it took; -1: its value cannot be. */
static int read_own(const char *option, const char *value, struct wanted *w)
{
    if (strcmp(option, "--by") == 0)
        return read_scope(value, w);
    if (strcmp(option, "--preset") == 0)
        return read_preset(value, w);
    return strcmp(option, "--days") == 0 ? read_days(value, w) : 0;
}

/* Takes off what only this command knows; -1: what stands there cannot be. */
static int read_wanted(int argc, char **argv, struct wanted *w, char **rest, int *n_rest)
{
    *w = (struct wanted){.scope = 'a'};
    *n_rest = 0;
    for (int i = 0; i < argc; i++) {
        int took = 0;
        if (i == 1 && strcmp(argv[i], "show") == 0)
            continue;
        if (strcmp(argv[i], "--rounds") == 0)
            w->want_rounds = true;
        else if (strcmp(argv[i], "--each") == 0)
            w->is_each = true;
        else if (strcmp(argv[i], "--business") == 0)
            w->is_business = true;
        else if ((took = read_own(argv[i], i + 1 < argc ? argv[i + 1] : "", w)) < 0)
            return -1;
        else if (took == 0 && *n_rest < ARGS_MOST)
            rest[(*n_rest)++] = argv[i];
        else if (took == 0)
            return -1;
        i += took;
    }
    return 0;
}

int cli_agents(int argc, char **argv)
{
    struct tracked_args args;
    struct wanted w;
    char *rest[ARGS_MOST];
    int n_rest;
    size_t n;
    if (read_wanted(argc, argv, &w, rest, &n_rest) != 0 ||
        tracked_read_args(n_rest, rest, "WORD --hours", &args) != 0 || ((w.want_rounds || w.is_each) && !args.word))
        return cli_usage("agents");
    struct tracked *t = tracked_open(&args);
    if (!t)
        return CLI_FAILED;
    struct agents all = {.only = args.word, .now_ms = clock_wall_ms(), .scope = w.scope, .preset = w.preset};
    int rc = 0;
    if (!w.want_rounds || !args.want_json)
        rc = agents_ask(t, &all, &w, args.hours);
    struct agent **list = agents_sorted(&all, &n);
    if (rc == 0 && args.word && n == 0 && !args.want_json) /* the rounds may be older */
        printf("nothing is known of \"%s\" in this time\n", args.word);
    else if (rc == 0 && args.want_json && !w.want_rounds)
        agents_print_json(&all, list, n);
    else if (rc == 0 && w.preset && !args.want_json)
        agents_print_preset(&all, list, n);
    else if (rc == 0 && !args.want_json)
        agents_print_table(&all, list, n, w.is_business), agents_print_measured(&all, list, n);
    if (rc == 0 && args.word && !(w.is_each && !w.want_rounds) && (!args.want_json || w.want_rounds)) {
        if (!args.want_json)
            putchar('\n');
        rc = agents_print_rounds(t, w.scope, args.word, w.want_rounds ? ROUNDS_MOST : ROUNDS, args.want_json);
    }
    agents_fini(&all, list, n);
    tracked_close(&t);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}
