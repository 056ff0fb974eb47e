#include "cli/cli_evidence.h"

#include <inttypes.h>
#include <pwd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/cli_case.h"
#include "cli/cli_tracked.h"
#include "conf/yaml.h"
#include "track/evidence.h"

enum { ENTRIES_MOST = 10000, BATCH = 500, SEALS_BATCH = 2000, CONV_AT = 12, OPENED_AT = 8, DONE_AT = 15 };

static const int64_t around_ms = 24ll * 3600 * 1000;

struct export_args {
    struct tracked_args common;
    const char *id, *key, *out, *html, *by;
    int64_t before_ms, after_ms;
    bool want_all;
};

static int complain(const char *what, const char *about)
{
    fprintf(stderr, "chatgate cases export: %s \"%s\"\n", what, about);
    return -1;
}

static int read_args(int argc, char **argv, struct export_args *a)
{
    const char *before = NULL, *after = NULL;
    *a = (struct export_args){.before_ms = around_ms, .after_ms = around_ms};
    const struct {
        const char *name, **value;
    } known[] = {{"--config", &a->common.config}, {"--key", &a->key},  {"--out", &a->out}, {"--html", &a->html},
                 {"--before", &before},           {"--after", &after}, {"--by", &a->by}};
    for (int i = 2; i < argc; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(known) && strcmp(argv[i], known[k].name) != 0)
            k++;
        if (k < ARRAY_LEN(known) && i + 1 == argc)
            return complain("a value is missing behind", argv[i]);
        if (k < ARRAY_LEN(known))
            *known[k].value = argv[++i];
        else if (strcmp(argv[i], "--all") == 0)
            a->want_all = true;
        else if (argv[i][0] != '-' && !a->id)
            a->id = argv[i];
        else
            return complain("unexpected argument", argv[i]);
    }
    if (!a->id)
        return complain("a case id is needed by", "export");
    if ((before && !yaml_duration_text(before, &a->before_ms)) || (after && !yaml_duration_text(after, &a->after_ms)))
        return complain("must be a time like 2h, 7d; is", before && after ? before : before ? before : after);
    if (!a->by) {
        const struct passwd *pw = getpwuid(geteuid());
        a->by = pw ? pw->pw_name : "unknown";
    }
    return 0;
}

/* --- collecting --- */

static void keep(struct redis_reply ***list, size_t *n, const struct redis_reply *row)
{
    *list = xrealloc(*list, (*n + 1) * sizeof(**list));
    (*list)[(*n)++] = redis_reply_copy(row);
}

static void case_fini(struct evidence_case *c)
{
    for (size_t i = 0; i < c->n_entries; i++)
        redis_reply_free(c->entry[i]);
    for (size_t i = 0; i < c->n_seals; i++)
        redis_reply_free(c->seal[i]);
    free(c->entry);
    free(c->seal);
    redis_reply_free(c->of);
}

static bool is_around(const struct redis_reply *entry, const struct export_args *a, const struct redis_reply *row)
{
    int64_t at = tracked_int(entry, SAID_AT), done = tracked_int(row, DONE_AT);
    return a->want_all || (at >= tracked_int(row, OPENED_AT) - a->before_ms && (!done || at <= done + a->after_ms));
}

/* All entries first; those around the case are the run from the first to the last that is near enough in time. */
static int collect_entries(struct tracked *t, unsigned shard, const struct export_args *a, struct evidence_case *c)
{
    const struct redis_reply *row = redis_item(c->of, 1);
    struct span conv = tracked_text(row, CONV_AT);
    char since[24] = "0", most[24];
    size_t n_run = 0;
    snprintf(most, sizeof(most), "%d", BATCH);
    for (bool is_more = conv.n > 0; is_more;) {
        const struct redis_reply *r =
            tracked_run(t, shard, "said_read", "entries", (const char *)conv.p, since, most, NULL);
        if (!r)
            return -1;
        is_more = r->n >= 2 + BATCH;
        for (size_t i = 2; i < r->n; i++) {
            bool is_near = is_around(redis_item(r, i), a, row);
            c->newest = (uint64_t)tracked_int(redis_item(r, i), SAID_NO);
            snprintf(since, sizeof(since), "%" PRId64, tracked_int(redis_item(r, i), SAID_NO));
            if (!is_near && !n_run)
                continue;
            keep(&c->entry, &c->n_entries, redis_item(r, i));
            n_run = is_near ? c->n_entries : n_run;
        }
        if (n_run > ENTRIES_MOST)
            return complain("more than 10000 messages; take fewer with --before and --after, case", a->id);
    }
    while (c->n_entries > n_run)
        redis_reply_free(c->entry[--c->n_entries]);
    if (n_run) {
        c->from = (uint64_t)tracked_int(c->entry[0], SAID_NO);
        c->to = (uint64_t)tracked_int(c->entry[n_run - 1], SAID_NO);
    }
    return 0;
}

static uint64_t number_in(struct span seal, const char *key)
{
    const uint8_t *at = memmem(seal.p, seal.n, key, strlen(key));
    uint64_t v = 0;
    for (size_t i = at ? (size_t)(at - seal.p) + strlen(key) : seal.n; i < seal.n; i++) {
        if (seal.p[i] < '0' || seal.p[i] > '9')
            break;
        v = v * 10 + (uint64_t)(seal.p[i] - '0');
    }
    return v;
}

static int collect_seals(struct tracked *t, unsigned shard, struct evidence_case *c)
{
    struct span conv = tracked_text(redis_item(c->of, 1), CONV_AT);
    char last[64] = "", most[24];
    snprintf(most, sizeof(most), "%d", SEALS_BATCH);
    do {
        const struct redis_reply *r =
            tracked_run(t, shard, "said_read", "seals", (const char *)conv.p, last, most, NULL);
        if (!r)
            return -1;
        for (size_t i = 2; i < r->n; i++) {
            struct span seal = tracked_text(redis_item(r, i), 0);
            if (number_in(seal, "\"from\":") <= c->to && number_in(seal, "\"to\":") >= c->from)
                keep(&c->seal, &c->n_seals, redis_item(r, i));
        }
        snprintf(last, sizeof(last), "%s", (const char *)tracked_text(r, 1).p);
    } while (*last);
    return 0;
}

static int collect(struct tracked *t, unsigned shard, const struct export_args *a, struct evidence_case *c)
{
    const struct redis_reply *r = tracked_run(t, shard, "read", "case", a->id, NULL);
    if (!r)
        return CLI_FAILED;
    if (r->n < 2) {
        complain("there is no case", a->id);
        return CLI_PROBLEMS;
    }
    c->of = redis_reply_copy(r);
    if (collect_entries(t, shard, a, c) < 0 || (c->n_entries && collect_seals(t, shard, c) < 0))
        return CLI_FAILED;
    return CLI_OK;
}

/* --- the file: a JSON array with one element in a line --- */

struct lines {
    struct buf out, hashes;
    char head[SHA256_HEX];
    size_t n;
    struct json_out hash_list;
};

static void add_line(struct lines *l, struct span line)
{
    char hash[SHA256_HEX];
    sha256_hex(line, hash);
    evidence_chain(l->head, hash);
    json_str(&l->hash_list, hash);
    buf_append_span(&l->out, line);
    buf_append_str(&l->out, ",\n");
    l->n++;
}

static void write_about(struct buf *b, const struct evidence_case *c)
{
    struct json_out j = {.buf = b};
    json_obj(&j);
    json_key(&j, "evidence"), json_int(&j, 1);
    json_key(&j, "case");
    json_obj(&j);
    case_json_members(&j, redis_item(c->of, 1));
    json_obj_end(&j);
    json_key(&j, "exported_ms"), json_int(&j, c->exported_ms);
    json_key(&j, "by"), json_str(&j, c->by);
    json_key(&j, "version"), json_str(&j, CHATGATE_VERSION);
    json_obj_end(&j);
}

static void write_history(struct buf *b, const struct redis_reply *h, size_t number)
{
    static const char *const key[] = {"from", "to", "who", "why", "act", "value"};
    struct json_out j = {.buf = b};
    json_obj(&j);
    json_key(&j, "history");
    json_obj(&j);
    json_key(&j, "no"), json_int(&j, (int64_t)number);
    json_key(&j, "at_ms"), json_int(&j, tracked_int(h, 1));
    for (size_t i = 0; i < ARRAY_LEN(key) && 2 + i < h->n; i++)
        json_key(&j, key[i]), json_span(&j, tracked_text(h, 2 + i));
    json_obj_end(&j);
    json_obj_end(&j);
}

static void write_signed(struct buf *b, const char *what, struct span text, struct span signature)
{
    struct json_out j = {.buf = b};
    json_obj(&j);
    json_key(&j, what), json_span(&j, text);
    json_key(&j, "signature"), json_span(&j, signature);
    json_obj_end(&j);
}

static void write_manifest(struct buf *b, const struct evidence_case *c, const struct lines *l, struct span hashes)
{
    struct json_out j = {.buf = b};
    json_obj(&j);
    json_key(&j, "case"), json_str(&j, c->id);
    json_key(&j, "exported_ms"), json_int(&j, c->exported_ms);
    json_key(&j, "from"), json_int(&j, (int64_t)c->from);
    json_key(&j, "entries"), json_int(&j, (int64_t)c->n_entries);
    json_key(&j, "newest"), json_int(&j, (int64_t)c->newest);
    json_key(&j, "history"), json_int(&j, (int64_t)c->of->n - 2);
    json_key(&j, "seals"), json_int(&j, (int64_t)c->n_seals);
    json_key(&j, "hashes"), json_raw(&j, hashes);
    json_key(&j, "head"), json_str(&j, l->head);
    json_key(&j, "key"), json_str(&j, c->key_id);
    json_obj_end(&j);
}

static void write_file(struct buf *out, const struct evidence_case *c, const struct sign_key *key)
{
    struct lines l = {.head = EVIDENCE_EMPTY_HEAD};
    struct buf line = {0}, manifest = {0};
    char sig[SIGN_HEX];
    l.hash_list.buf = &l.hashes;
    buf_append_str(&l.out, "[\n");
    json_arr(&l.hash_list);
    write_about(&line, c);
    add_line(&l, buf_span(&line));
    for (size_t i = 0; i < c->n_entries; i++) {
        buf_reset(&line);
        evidence_write_entry(&line, c->entry[i]);
        add_line(&l, buf_span(&line));
    }
    for (size_t i = 2; i < c->of->n; i++) {
        buf_reset(&line);
        write_history(&line, c->of->item[i], i - 1);
        add_line(&l, buf_span(&line));
    }
    for (size_t i = 0; i < c->n_seals; i++) {
        buf_reset(&line);
        write_signed(&line, "seal", tracked_text(c->seal[i], 0), tracked_text(c->seal[i], 1));
        add_line(&l, buf_span(&line));
    }
    json_arr_end(&l.hash_list);
    write_manifest(&manifest, c, &l, buf_span(&l.hashes));
    sign_text(key, buf_span(&manifest), sig);
    write_signed(&l.out, "manifest", buf_span(&manifest), span_str(sig));
    buf_append_str(&l.out, "\n]\n");
    *out = l.out;
    buf_fini(&line);
    buf_fini(&manifest);
    buf_fini(&l.hashes);
}

static int save(const char *path, struct span text)
{
    FILE *f = path ? fopen(path, "we") : stdout;
    bool ok = f && fwrite(text.p, 1, text.n, f) == text.n;
    ok = f && (path ? fclose(f) : fflush(f)) == 0 && ok;
    if (!ok)
        complain("cannot be written:", path ? path : "standard output");
    return ok ? 0 : -1;
}

static int write_all(const struct export_args *a, const struct evidence_case *c, const struct sign_key *key)
{
    struct buf file = {0}, page = {0};
    char digest[SHA256_HEX];
    write_file(&file, c, key);
    sha256_hex(buf_span(&file), digest);
    if (a->html)
        evidence_write_page(&page, c, digest);
    int rc =
        save(a->out, buf_span(&file)) == 0 && (!a->html || save(a->html, buf_span(&page)) == 0) ? CLI_OK : CLI_FAILED;
    if (rc == CLI_OK && a->out)
        printf("case %s: %zu messages, %zu steps, %zu seals, signed with %s\n", a->id, c->n_entries, c->of->n - 2,
               c->n_seals, c->key_id);
    buf_fini(&file);
    buf_fini(&page);
    return rc;
}

/* chatgate cases heads: all seals, one in a line, for somebody else to keep. */
static int write_heads(struct tracked *t, FILE *to, size_t *n)
{
    char last[64], most[24];
    struct buf line = {0};
    int rc = 0;
    snprintf(most, sizeof(most), "%d", SEALS_BATCH);
    for (unsigned shard = 0; shard < tracked_shards(t) && rc == 0; shard++) {
        last[0] = '\0';
        do {
            const struct redis_reply *r = tracked_run(t, shard, "said_read", "seals", "", last, most, NULL);
            rc = r ? 0 : -1;
            for (size_t i = 2; r && i < r->n; i++, ++*n) {
                buf_reset(&line);
                write_signed(&line, "seal", tracked_text(redis_item(r, i), 0), tracked_text(redis_item(r, i), 1));
                fprintf(to, "%s\n", buf_cstr(&line));
            }
            snprintf(last, sizeof(last), "%s", r ? (const char *)tracked_text(r, 1).p : "");
        } while (*last);
    }
    buf_fini(&line);
    return rc;
}

int evidence_heads(int argc, char **argv)
{
    struct tracked_args args = {0};
    const char *out = NULL;
    for (int i = 2; i < argc; i++) {
        const char **value = strcmp(argv[i], "--config") == 0 ? &args.config
                             : strcmp(argv[i], "--out") == 0  ? &out
                                                              : NULL;
        if (!value || i + 1 == argc) {
            complain("unexpected argument", argv[i]);
            return cli_usage("cases");
        }
        *value = argv[++i];
    }
    struct tracked *t = tracked_open(&args);
    FILE *to = t && out ? fopen(out, "we") : stdout;
    size_t n = 0;
    int rc = t && to ? write_heads(t, to, &n) : -1;
    if (t && !to)
        complain("cannot be written:", out);
    if (to && out && fclose(to) != 0)
        rc = complain("cannot be written:", out);
    if (rc == 0 && out)
        printf("%zu heads\n", n);
    tracked_close(&t);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}

int evidence_export(int argc, char **argv)
{
    struct export_args a;
    struct err e = {{0}};
    if (read_args(argc, argv, &a) < 0)
        return cli_usage("cases");
    struct tracked *t = tracked_open(&a.common);
    if (!t)
        return CLI_FAILED;
    const char *path = a.key ? a.key : tracked_conf(t)->evidence.key;
    struct sign_key *key = path ? sign_key_load(path, &e) : NULL;
    int shard = key ? case_shard(t, a.id) : -1, rc = key ? CLI_PROBLEMS : CLI_FAILED;
    if (!key)
        fprintf(stderr, "chatgate cases export: %s\n",
                path ? e.text : "a key is needed: --key FILE, or evidence.key in the configuration");
    if (shard >= 0) {
        struct evidence_case c = {.id = a.id, .exported_ms = clock_wall_ms(), .by = a.by, .key_id = sign_key_id(key)};
        rc = collect(t, (unsigned)shard, &a, &c);
        if (rc == CLI_OK)
            rc = write_all(&a, &c, key);
        if (rc == CLI_OK)
            tracked_audit(t, a.by, "case.export", a.id, "");
        case_fini(&c);
    }
    sign_key_free(&key);
    tracked_close(&t);
    return rc;
}
