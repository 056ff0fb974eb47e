/* chatgate erase --customer ID: takes a customer out of what is kept in Redis, and says what stays and why. */
#include <inttypes.h>
#include <pwd.h>
#include <unistd.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/cli_tracked.h"
#include "net/sign.h"
#include "track/event.h"
#include "track/pseudonym.h"
#include "track/schema.h"
#include "track/script.h"

enum { CONVS_MAX = 5000, BY_MAX = 100, REASON_MAX = 500, CURSOR_MAX = 64 };

/* In this order: what tells which conversations are the customer's comes first; an open case is looked at by all. */
#define ERASED(X)                                                                                                      \
    X("stream", "events")                                                                                              \
    X("conv", "conversations")                                                                                         \
    X("win", "recent events of conversations")                                                                         \
    X("said", "pieces of transcripts")                                                                                 \
    X("held", "held messages")                                                                                         \
    X("hook", "webhook deliveries")                                                                                    \
    X("rounds", "recent rounds made nameless")                                                                         \
    X("remind", "reminders")                                                                                           \
    X("seals", "seals")                                                                                                \
    X("cust", "logs of complaints")                                                                                    \
    X("conv_at", NULL)                                                                                                 \
    X("waiting", NULL)                                                                                                 \
    X("due", "commitments")                                                                                            \
    X("cust_at", NULL)                                                                                                 \
    X("remind_at", NULL)                                                                                               \
    X("said_at", NULL)                                                                                                 \
    X("said_new", NULL)                                                                                                \
    X("case", "cases")

static const struct {
    const char *key, *what; /* what: for people; NULL: an index */
} parts[] = {
#define X(key, what) {key, what},
    ERASED(X)
#undef X
};

struct erase {
    struct tracked *t;
    const char *customer, *by, *reason;
    bool is_dry, takes_open, want_json;
    char **id; /* the customer's, then conversations' */
    size_t n_ids;
    uint64_t erased[ARRAY_LEN(parts)], kept[ARRAY_LEN(parts)];
};

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "chatgate erase: %s \"%s\"\n", what, about);
    return -1;
}

static int read_args(int argc, char **argv, struct erase *e, struct tracked_args *common)
{
    const struct {
        const char *name, **value;
    } known[] = {
        {"--customer", &e->customer}, {"--by", &e->by}, {"--reason", &e->reason}, {"--config", &common->config}};
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(known) && strcmp(argv[i], known[k].name) != 0)
            k++;
        if (k < ARRAY_LEN(known) && i + 1 == argc)
            return complain("a value is missing behind", argv[i]);
        if (k < ARRAY_LEN(known))
            *known[k].value = argv[++i];
        else if (strcmp(argv[i], "--dry-run") == 0)
            e->is_dry = true;
        else if (strcmp(argv[i], "--with-open-cases") == 0)
            e->takes_open = true;
        else if (strcmp(argv[i], "--json") == 0)
            e->want_json = true;
        else
            return complain("unexpected argument", argv[i]);
    }
    if (!e->customer || !*e->customer || strlen(e->customer) > EVENT_FIELD_MAX)
        return complain("--customer ID is needed, of at most 200 bytes; is", e->customer ? e->customer : "");
    if (strpbrk(e->customer, "\n\t"))
        return complain("an id has no tab and no line break:", e->customer);
    if ((e->by && strlen(e->by) > BY_MAX) || (e->reason && strlen(e->reason) > REASON_MAX))
        return complain("--by has at most 100 and --reason at most 500 bytes, is", e->by ? e->by : e->reason);
    return 0;
}

/* The first one is the customer's. A conversation may have the same. */
static void add_id(struct erase *e, struct span id)
{
    for (size_t i = 1; i < e->n_ids; i++)
        if (span_is(id, e->id[i]))
            return;
    if (e->n_ids > CONVS_MAX)
        return;
    e->id = xrealloc(e->id, (e->n_ids + 1) * sizeof(*e->id));
    e->id[e->n_ids++] = xmemdup0(id.p, id.n);
}

/* One key of one shard, piece by piece. */
static int walk(struct erase *e, unsigned shard, size_t part, const char *phase)
{
    char cursor[CURSOR_MAX] = "";
    struct schema_keys keys;
    struct err err;
    schema_apply_keys(shard, &keys);
    do {
        struct span *args = xcalloc(e->n_ids + 4, sizeof(*args));
        const struct span first[] = {span_str(phase), span_str(parts[part].key), span_str(cursor),
                                     span_str(e->takes_open ? "all" : "keep_open")};
        memcpy(args, first, sizeof(first));
        for (size_t i = 0; i < e->n_ids; i++)
            args[4 + i] = span_str(e->id[i]);
        const struct redis_reply *r = redis_sync_eval(tracked_redis(e->t), script_text("erase"), SCHEMA_KEY_COUNT,
                                                      keys.span, e->n_ids + 4, args, &err);
        free(args);
        if (!r || r->kind != REDIS_ARRAY) {
            char text[160];
            fprintf(stderr, "chatgate: shard %u, %s: %s\n", shard, parts[part].key, r ? redis_text(r, text) : err.text);
            return -1;
        }
        snprintf(cursor, sizeof(cursor), "%s", (const char *)tracked_text(r, 0).p);
        bool counts = strcmp(phase, "find") != 0;
        for (size_t i = 1; i < r->n; i++) {
            const struct redis_reply *row = redis_item(r, i);
            struct span what = tracked_text(row, 0);
            if (span_is(what, "conv"))
                add_id(e, tracked_text(row, 1));
            else if (counts && span_is(what, "erased"))
                e->erased[part] += (uint64_t)tracked_int(row, 1);
            else if (counts && span_is(what, "kept"))
                e->kept[part] += (uint64_t)tracked_int(row, 1);
        }
    } while (*cursor);
    return 0;
}

static int walk_all(struct erase *e, const char *phase)
{
    for (unsigned shard = 0; shard < tracked_shards(e->t); shard++)
        for (size_t part = 0; part < ARRAY_LEN(parts); part++)
            if (walk(e, shard, part, phase) < 0)
                return -1;
    return 0;
}

/* --- what is said --- */

static const char *const stays[][2] = {
    {"figures by hour and day", "they count, and name no customer"},
    {"recent rounds", "without customer and conversation, since figures are shown with the rounds behind them"},
    {"the audit stream", "who decided what; it names cases, not customers"},
    {"rings", "events that Redis does not have yet: run this again when `chatgate status` shows no unsent bytes"},
    {"gateways' memory", "the last texts of a conversation, for split messages: seconds to minutes"},
    {"capture files", "on the gateways, masked or full, ids under other names: capture.keep files each"},
    {"exported evidence, webhooks' receivers, Redis's own files and backups", "are not chatgate's: there by hand"}};

static void print_text(const struct erase *e)
{
    uint64_t kept = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        kept += e->kept[i];
        if (parts[i].what)
            printf("%8" PRIu64 " %s%s\n", e->erased[i], parts[i].what, e->is_dry ? " would be erased" : "");
    }
    if (kept) {
        puts("stay, because a case is open (--with-open-cases takes them, too):");
        for (size_t i = 0; i < ARRAY_LEN(parts); i++)
            if (parts[i].what && e->kept[i])
                printf("%8" PRIu64 " %s\n", e->kept[i], parts[i].what);
    }
    puts("stay:");
    for (size_t i = 0; i < ARRAY_LEN(stays); i++)
        printf("  %s: %s\n", stays[i][0], stays[i][1]);
}

static void print_json(const struct erase *e)
{
    struct buf out = {0};
    struct json_out j = {.buf = &out};
    json_obj(&j);
    json_key(&j, "dry_run"), json_bool(&j, e->is_dry);
    for (int k = 0; k < 2; k++) {
        json_key(&j, k ? "kept" : "erased");
        json_obj(&j);
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            if (!parts[i].what)
                continue;
            json_key(&j, parts[i].key);
            json_int(&j, (int64_t)(k ? e->kept[i] : e->erased[i]));
        }
        json_obj_end(&j);
    }
    json_key(&j, "stays");
    json_obj(&j);
    for (size_t i = 0; i < ARRAY_LEN(stays); i++)
        json_key(&j, stays[i][0]), json_str(&j, stays[i][1]);
    json_obj_end(&j);
    json_obj_end(&j);
    puts(buf_cstr(&out));
    buf_fini(&out);
}

/* The audit entry must not name whom it made forgotten: the id's hash tells that it was this one, to who knows it. */
static void audit(const struct erase *e)
{
    char hash[SHA256_HEX], target[SHA256_HEX + 16], why[REASON_MAX + 64];
    uint64_t erased = 0, kept = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        erased += e->erased[i];
        kept += e->kept[i];
    }
    sha256_hex(span_str(e->customer), hash);
    snprintf(target, sizeof(target), "customer-%s", hash);
    snprintf(why, sizeof(why), "%s (erased %" PRIu64 ", kept %" PRIu64 ")", e->reason ? e->reason : "", erased, kept);
    tracked_audit(e->t, e->by, "customer.erase", target, why);
}

static int erase_name(struct erase *e, const char *name)
{
    for (size_t i = 0; i < e->n_ids; i++)
        free(e->id[i]);
    e->n_ids = 0;
    add_id(e, span_str(name));
    return walk_all(e, "find") < 0 || walk_all(e, e->is_dry ? "count" : "erase") < 0 ? -1 : 0;
}

/* Under the id, and under the pseudonym when there are any: they may have been switched on later. */
static int run(struct erase *e)
{
    char pseudonym[PSEUDONYM_MAX];
    const struct conf *c = tracked_conf(e->t);
    int rc = erase_name(e, e->customer);
    if (rc == 0 && c->privacy.key)
        rc = tracked_pseudonym(e->t, e->customer, pseudonym) < 0 ? -1 : erase_name(e, pseudonym);
    if (rc < 0)
        return CLI_FAILED;
    if (!e->is_dry)
        audit(e);
    e->want_json ? print_json(e) : print_text(e);
    return CLI_OK;
}

int cli_erase(int argc, char **argv)
{
    struct tracked_args common = {0};
    struct erase e = {0};
    if (read_args(argc, argv, &e, &common) < 0)
        return cli_usage("erase");
    const struct passwd *pw = getpwuid(geteuid());
    e.by = e.by ? e.by : pw ? pw->pw_name : "unknown";
    e.t = tracked_open(&common);
    if (!e.t)
        return CLI_FAILED;
    int rc = run(&e);
    for (size_t i = 0; i < e.n_ids; i++)
        free(e.id[i]);
    free(e.id);
    tracked_close(&e.t);
    return rc;
}
