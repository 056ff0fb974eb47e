/* chatgate redis check | reshard: is Redis fit for the gateways, and is what it holds whole? */
#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/redis_check.h"
#include "cli/redis_reshard.h"

enum { SHARDS_MOST = 1024 };

struct redis_args {
    struct tracked_args tracked;
    const char *verb;
    unsigned to; /* 0: not given */
};

static int bad(const char *why, const char *what)
{
    fprintf(stderr, "chatgate redis: %s \"%s\"\n", why, what);
    return -1;
}

static int read_to(const char *text, unsigned *out)
{
    uint64_t n;
    if (!span_u64(span_str(text), &n) || n < 1 || n > SHARDS_MOST)
        return bad("--to must be a number from 1 to 1024, is", text);
    *out = (unsigned)n;
    return 0;
}

static int read_format(const char *text, bool *want_json)
{
    *want_json = strcmp(text, "json") == 0;
    return *want_json || strcmp(text, "text") == 0 ? 0 : bad("--format must be json or text, is", text);
}

static int read_args(int argc, char **argv, struct redis_args *out)
{
    *out = (struct redis_args){0};
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        int rc = 0;
        if (strcmp(a, "--json") == 0)
            out->tracked.want_json = true;
        else if (a[0] != '-' && !out->verb)
            out->verb = a;
        else if (strcmp(a, "--config") != 0 && strcmp(a, "--to") != 0 && strcmp(a, "--format") != 0)
            return bad("unexpected argument", a);
        else if (i + 1 == argc)
            return bad("a value is missing behind", a);
        else if (strcmp(a, "--config") == 0)
            out->tracked.config = argv[++i];
        else
            rc =
                strcmp(a, "--to") == 0 ? read_to(argv[++i], &out->to) : read_format(argv[++i], &out->tracked.want_json);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static void print_json(const struct redis_check *c)
{
    struct buf out = {0};
    struct json_out j = {&out, false};
    json_obj(&j);
    json_key(&j, "fit");
    json_bool(&j, c->report.problems == 0);
    json_key(&j, "shards");
    json_int(&j, c->n_shards);
    json_key(&j, "masters");
    json_arr(&j);
    for (size_t i = 0; i < redis_sync_masters(c->redis); i++)
        json_str(&j, redis_sync_master_name(c->redis, i, (char[80]){0}));
    json_arr_end(&j);
    json_key(&j, "problems");
    report_json(&c->report, &j, true);
    json_key(&j, "notes");
    report_json(&c->report, &j, false);
    json_obj_end(&j);
    puts(buf_cstr(&out));
    buf_fini(&out);
}

static int run_check(struct tracked *t, bool want_json)
{
    struct redis_check c = {.t = t, .conf = tracked_conf(t), .redis = tracked_redis(t), .n_shards = tracked_shards(t)};
    check_servers(&c);
    check_meta(&c);
    check_shards(&c);
    check_nodes(&c);
    check_rings(&c);
    if (want_json)
        print_json(&c);
    else
        report_print(&c.report);
    int rc = c.report.problems ? CLI_PROBLEMS : CLI_OK;
    report_fini(&c.report);
    return rc;
}

int cli_redis(int argc, char **argv)
{
    struct redis_args args;
    if (read_args(argc, argv, &args) < 0)
        return CLI_FAILED;
    bool is_check = args.verb && strcmp(args.verb, "check") == 0;
    bool is_reshard = args.verb && strcmp(args.verb, "reshard") == 0;
    if (is_check == is_reshard || is_reshard != (args.to > 0))
        return args.verb && !is_check && !is_reshard ? cli_unexpected("redis", args.verb) : cli_usage("redis");
    struct tracked *t = tracked_open_any(&args.tracked);
    if (!t)
        return CLI_FAILED;
    int rc = is_check ? run_check(t, args.tracked.want_json) : reshard_run(t, args.to, args.tracked.want_json);
    tracked_close(&t);
    return rc;
}
