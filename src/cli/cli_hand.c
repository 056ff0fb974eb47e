#include "cli/cli_hand.h"

#include <inttypes.h>
#include <pwd.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/cli.h"
#include "conf/yaml.h"

enum { BY_MAX = 100, REASON_MAX = 500 };

static const struct hand_verb *find(const struct hand_verb *verbs, const char *word)
{
    for (; verbs->name; verbs++)
        if (strcmp(verbs->name, word) == 0)
            return verbs;
    return NULL;
}

bool hand_is_verb(const struct hand_verb *verbs, const char *word)
{
    return find(verbs, word);
}

static int complain(const struct hand_args *a, const char *what, const char *about)
{
    fprintf(stderr, "chatgate %s: %s \"%s\"\n", a->command, what, about);
    return -1;
}

static int read_time(struct hand_args *a, const char *text)
{
    int64_t ms;
    if (!yaml_duration_text(text, &ms) || ms < 1)
        return complain(a, "--for must be a time like 30m, 4h, 2d; is", text);
    snprintf(a->until, sizeof(a->until), "+%" PRId64, ms);
    return 0;
}

static int check_text(const struct hand_args *a, const char *option, const char *text, size_t max)
{
    if (strlen(text) <= max && utf8_is_valid(span_str(text)))
        return 0;
    fprintf(stderr, "chatgate %s: %s has %zu bytes, must be UTF-8 of at most %zu\n", a->command, option, strlen(text),
            max);
    return -1;
}

static int check(const struct hand_args *a)
{
    if (!a->name)
        return complain(a, "a name is needed by", a->verb->name);
    if (a->verb->option && !a->until[0])
        return complain(a, "--for TIME is needed by", a->verb->name);
    if (a->verb->wants_reason && !*a->reason)
        return complain(a, "--reason TEXT is needed by", a->verb->name);
    return check_text(a, "--by", a->by, BY_MAX) || check_text(a, "--reason", a->reason, REASON_MAX) ? -1 : 0;
}

int hand_read_args(int argc, char **argv, const struct hand_verb *verbs, struct hand_args *a)
{
    const struct passwd *pw = getpwuid(geteuid());
    *a = (struct hand_args){
        .verb = find(verbs, argv[1]), .command = argv[0], .by = pw ? pw->pw_name : "unknown", .reason = ""};
    for (int i = 2; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        const char **text = strcmp(argv[i], "--by") == 0       ? &a->by
                            : strcmp(argv[i], "--reason") == 0 ? &a->reason
                            : strcmp(argv[i], "--config") == 0 ? &a->common.config
                                                               : NULL;
        bool is_time = a->verb->option && strcmp(argv[i], a->verb->option) == 0;
        if ((text || is_time) && !value)
            return complain(a, "a value is missing behind", argv[i]);
        if (text)
            *text = argv[++i];
        else if (is_time && read_time(a, argv[++i]) < 0)
            return -1;
        else if (!is_time && strcmp(argv[i], "--json") == 0)
            a->common.want_json = true;
        else if (!is_time && argv[i][0] != '-' && !a->name)
            a->name = argv[i];
        else if (!is_time)
            return complain(a, "unexpected argument", argv[i]);
    }
    return check(a);
}

int hand_shard(struct tracked *t, const struct hand_args *a)
{
    const char *dash = strchr(a->name, '-');
    uint64_t shard;
    if (dash && span_u64(span_of(a->name, (size_t)(dash - a->name)), &shard) && shard < tracked_shards(t))
        return (int)shard;
    return complain(a, "there is none called", a->name);
}

int hand_refused(const struct hand_args *a, const struct redis_reply *answer)
{
    if (span_is(tracked_text(answer, 0), "BAD"))
        fprintf(stderr, "chatgate %s: the time must be %s\n", a->command, (const char *)tracked_text(answer, 1).p);
    else
        complain(a, "there is none called", a->name);
    return CLI_PROBLEMS;
}
