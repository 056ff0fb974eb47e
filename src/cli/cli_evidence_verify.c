/* chatgate cases verify --key PUB FILE: is an export unaltered, and if not, where? With --heads: against seals that
 * somebody kept elsewhere, and these themselves. */
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/cli_evidence.h"
#include "cli/cli_tracked.h"
#include "proto/json.h"
#include "track/evidence.h"

enum { FILE_BYTES_MAX = 256 << 20, PROBLEMS_MAX = 1000, SHARDS_MAX = 1024 };

/* A line of the file, without the comma at its end. */
struct line {
    struct span text;
    char hash[SHA256_HEX];
    bool is_listed; /* the manifest knows its hash */
};

struct check {
    struct buf file;
    struct line *line;
    size_t n_lines; /* without the manifest */
    struct span manifest;
    bool has_manifest, has_end;
    struct sign_key *key;
    struct json_doc doc;
    /* of the manifest */
    char (*want)[SHA256_HEX];
    size_t n_want;
    uint64_t from, entries, newest, history, seals, exported_ms;
    char by_case[64];
    unsigned problems, sealed, heads;
};

static void problem(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void problem(struct check *c, const char *fmt, ...)
{
    va_list ap;
    if (++c->problems > PROBLEMS_MAX)
        return;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

/* --- reading --- */

static int read_file(const char *path, struct buf *out, struct err *e)
{
    FILE *f = fopen(path, "re");
    struct stat st;
    if (!f)
        return err_sys(e, "%s", path);
    int rc = 0;
    if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX)
        rc = err_set(e, "%s: is no file of at most 256 MiB", path);
    else if (fread(buf_reserve(out, (size_t)st.st_size + 1), 1, (size_t)st.st_size, f) != (size_t)st.st_size)
        rc = err_set(e, "%s: cannot be read", path);
    else
        buf_commit(out, (size_t)st.st_size);
    fclose(f);
    return rc;
}

static void add_line(struct check *c, struct span text)
{
    if (span_is(text, "[") || !text.n)
        return;
    if (span_is(text, "]")) {
        c->has_end = true;
        return;
    }
    if (text.p[text.n - 1] == ',')
        text.n--;
    if (span_starts(text, span_str("{\"manifest\":"))) {
        c->has_manifest = true;
        c->manifest = text;
        return;
    }
    if (c->n_lines % 256 == 0)
        c->line = xrealloc(c->line, (c->n_lines + 256) * sizeof(*c->line));
    struct line *l = &c->line[c->n_lines++];
    *l = (struct line){.text = text};
    sha256_hex(text, l->hash);
}

static void split(struct check *c)
{
    struct span rest = buf_span(&c->file);
    while (rest.n) {
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        struct span text = span_of(rest.p, n);
        if (text.n && text.p[text.n - 1] == '\r') /* a mail programme's work is no forgery */
            text.n--;
        add_line(c, text);
        rest = span_from(rest, end ? n + 1 : n);
    }
}

/* The decoded text of a string member; false: not there. */
static bool get_text(const struct json_doc *d, uint32_t object, const char *key, struct buf *out)
{
    uint32_t at = json_member(d, object, span_str(key));
    buf_reset(out);
    if (!at || d->node[at].kind != JSON_STRING)
        return false;
    size_t most = d->node[at].to - d->node[at].from;
    uint8_t *p = buf_reserve(out, most + 1);
    buf_commit(out, json_decode(d, at, p, NULL));
    return true;
}

static uint64_t get_number(const struct json_doc *d, uint32_t object, const char *key)
{
    uint32_t at = json_member(d, object, span_str(key));
    uint64_t v = 0;
    return at && span_u64(json_raw_span(d, at), &v) ? v : 0;
}

/* A line {"WHAT":"text","signature":"hex"}: is the text signed by the key? */
static bool read_signed(struct check *c, struct span line, const char *what, struct buf *text, bool *is_good)
{
    struct err e;
    struct buf sig = {0};
    bool ok = json_read(&c->doc, line, 0, &e) == JSON_OK && get_text(&c->doc, 0, "signature", &sig) &&
              get_text(&c->doc, 0, what, text);
    *is_good = ok && sign_check(c->key, buf_span(text), buf_span(&sig));
    buf_fini(&sig);
    return ok;
}

static bool copy_hash(const struct json_doc *d, uint32_t node, char out[SHA256_HEX])
{
    struct span raw = json_raw_span(d, node);
    if (d->node[node].kind != JSON_STRING || raw.n != SHA256_HEX - 1 + 2)
        return false;
    memcpy(out, raw.p + 1, SHA256_HEX - 1);
    out[SHA256_HEX - 1] = '\0';
    return true;
}

static bool read_hashes(const struct json_doc *d, uint32_t list, char (**out)[SHA256_HEX], size_t *n)
{
    bool ok = list && d->node[list].kind == JSON_ARRAY;
    *n = ok ? d->node[list].n : 0;
    *out = xcalloc(*n + 1, sizeof(**out));
    uint32_t at = list + 1;
    for (size_t i = 0; ok && i < *n; i++, at = d->node[at].next)
        ok = copy_hash(d, at, (*out)[i]);
    return ok;
}

static bool read_manifest(struct check *c)
{
    struct buf text = {0}, id = {0};
    struct err e;
    bool is_good, ok = c->has_manifest && read_signed(c, c->manifest, "manifest", &text, &is_good);
    if (!ok) {
        problem(c, "the manifest, the signed list at the end of the file, %s: the file was cut off or is no export",
                c->has_manifest ? "cannot be read" : "is missing");
    } else {
        if (!is_good)
            problem(c, "the manifest is not signed by this key (%s): it was altered, or another key made it",
                    sign_key_id(c->key));
        ok = json_read(&c->doc, buf_span(&text), 0, &e) == JSON_OK &&
             read_hashes(&c->doc, json_member(&c->doc, 0, span_str("hashes")), &c->want, &c->n_want);
        c->from = get_number(&c->doc, 0, "from");
        c->entries = get_number(&c->doc, 0, "entries");
        c->newest = get_number(&c->doc, 0, "newest");
        c->history = get_number(&c->doc, 0, "history");
        c->seals = get_number(&c->doc, 0, "seals");
        c->exported_ms = get_number(&c->doc, 0, "exported_ms");
        ok = ok && get_text(&c->doc, 0, "case", &id);
        snprintf(c->by_case, sizeof(c->by_case), "%s", ok ? buf_cstr(&id) : "?");
        if (!ok)
            problem(c, "the manifest cannot be read");
    }
    buf_fini(&text);
    buf_fini(&id);
    return ok;
}

/* --- what was signed against what is there --- */

/* What stood at position i of the signed list. */
static const char *name_of(const struct check *c, size_t i, char out[64])
{
    if (i == 0)
        snprintf(out, 64, "the description of the case");
    else if (i <= c->entries)
        snprintf(out, 64, "message %" PRIu64, c->from + i - 1);
    else if (i <= c->entries + c->history)
        snprintf(out, 64, "step %" PRIu64 " of the history", (uint64_t)i - c->entries);
    else
        snprintf(out, 64, "seal %" PRIu64, (uint64_t)i - c->entries - c->history);
    return out;
}

static bool is_in_file(const struct check *c, size_t from, const char *hash)
{
    for (size_t j = from; j < c->n_lines; j++)
        if (strcmp(c->line[j].hash, hash) == 0)
            return true;
    return false;
}

static bool is_in_list(const struct check *c, size_t from, const char *hash)
{
    for (size_t i = from; i < c->n_want; i++)
        if (strcmp(c->want[i], hash) == 0)
            return true;
    return false;
}

static void compare(struct check *c)
{
    char name[64], after[64];
    size_t i = 0, j = 0;
    while (i < c->n_want || j < c->n_lines) {
        bool is_want = i < c->n_want, is_line = j < c->n_lines;
        if (is_want && is_line && strcmp(c->want[i], c->line[j].hash) == 0) {
            i++, j++;
            continue;
        }
        bool is_kept = is_want && is_in_file(c, j, c->want[i]);
        bool is_known = is_line && is_in_list(c, i, c->line[j].hash);
        if (is_want && is_line && !is_kept && !is_known) {
            problem(c, "%s was altered", name_of(c, i, name));
            i++, j++;
        } else if (is_want && !is_kept) {
            problem(c, is_line ? "%s was removed" : "%s was removed from the end", name_of(c, i, name));
            i++;
        } else if (is_line && !is_known) {
            problem(c, "line %zu was added%s%s", j + 2, i ? " behind " : "", i ? name_of(c, i - 1, after) : "");
            j++;
        } else { /* both are there, elsewhere */
            problem(c, "%s stands in another place", name_of(c, i, name));
            i++;
        }
    }
}

/* --- what the gateways sealed at the time --- */

static const struct line *find_entry(struct check *c, uint64_t no)
{
    char begin[48];
    snprintf(begin, sizeof(begin), "{\"entry\":{\"no\":%" PRIu64 ",", no);
    for (size_t j = 0; j < c->n_lines; j++)
        if (span_starts(c->line[j].text, span_str(begin)))
            return &c->line[j];
    return NULL;
}

static void check_sealed(struct check *c, uint64_t no, const char *hash, const char *when)
{
    if (no < c->from || no >= c->from + c->entries)
        return;
    const struct line *l = find_entry(c, no);
    if (!l)
        problem(c, "message %" PRIu64 " is missing; it was sealed at %s", no, when);
    else if (strcmp(l->hash, hash) != 0)
        problem(c, "message %" PRIu64 " is not what was sealed at %s", no, when);
    else
        c->sealed++;
}

static void check_seal(struct check *c, size_t number, struct span line)
{
    struct buf text = {0}, head = {0}, before = {0};
    char(*hash)[SHA256_HEX] = NULL, chain[SHA256_HEX], when[TRACKED_TIME_MAX];
    size_t n = 0;
    struct err e;
    bool is_good;
    if (!read_signed(c, line, "seal", &text, &is_good)) {
        problem(c, "seal %zu cannot be read", number);
    } else if (!is_good) {
        problem(c, "seal %zu is not signed by this key (%s)", number, sign_key_id(c->key));
    } else if (json_read(&c->doc, buf_span(&text), 0, &e) != JSON_OK || !get_text(&c->doc, 0, "head", &head) ||
               !get_text(&c->doc, 0, "before", &before) || before.len != SHA256_HEX - 1 ||
               !read_hashes(&c->doc, json_member(&c->doc, 0, span_str("hashes")), &hash, &n)) {
        problem(c, "seal %zu cannot be understood", number);
    } else {
        uint64_t from = get_number(&c->doc, 0, "from");
        tracked_time((int64_t)get_number(&c->doc, 0, "at_ms"), when);
        memcpy(chain, buf_cstr(&before), SHA256_HEX);
        for (size_t i = 0; i < n; i++) {
            evidence_chain(chain, hash[i]);
            check_sealed(c, from + i, hash[i], when);
        }
        if (!span_is(buf_span(&head), chain))
            problem(c, "seal %zu: its chain does not lead to its head", number);
    }
    free(hash);
    buf_fini(&text);
    buf_fini(&head);
    buf_fini(&before);
}

static void check_seals(struct check *c)
{
    size_t number = 0;
    for (size_t j = 0; j < c->n_lines; j++)
        if (span_starts(c->line[j].text, span_str("{\"seal\":")))
            check_seal(c, ++number, c->line[j].text);
}

/* --- heads that somebody kept elsewhere --- */

/* The conversation of the export, from its description. */
static void read_conv(struct check *c, struct buf *out)
{
    struct err e;
    uint32_t of = 0;
    if (c->n_lines && json_read(&c->doc, c->line[0].text, 0, &e) == JSON_OK)
        of = json_member(&c->doc, 0, span_str("case"));
    if (!of || !get_text(&c->doc, of, "conversation", out))
        buf_reset(out);
}

/* Where each shard's chain of seals has come to. */
struct shard_chain {
    uint64_t number;
    char hash[SHA256_HEX];
};

static void follow(struct check *c, struct shard_chain *chain, uint64_t shard, struct span seal)
{
    struct buf previous = {0};
    uint64_t number = get_number(&c->doc, 0, "seal");
    bool has_previous = get_text(&c->doc, 0, "previous", &previous);
    if (chain->number && number > chain->number + 1)
        problem(c, "shard %" PRIu64 ": seals %" PRIu64 " to %" PRIu64 " are missing", shard, chain->number + 1,
                number - 1);
    else if (chain->number && number <= chain->number && number != 1)
        problem(c, "shard %" PRIu64 ": seal %" PRIu64 " stands behind seal %" PRIu64, shard, number, chain->number);
    else if (chain->number && number != 1 && (!has_previous || !span_is(buf_span(&previous), chain->hash)))
        problem(c, "shard %" PRIu64 ": seal %" PRIu64 " does not follow seal %" PRIu64, shard, number, chain->number);
    chain->number = number;
    sha256_hex(seal, chain->hash);
    buf_fini(&previous);
}

/* What was sealed before the export, behind all that the store had then. The seal is in c->doc. */
static void check_newest(struct check *c)
{
    char when[TRACKED_TIME_MAX];
    uint64_t at_ms = get_number(&c->doc, 0, "at_ms"), to = get_number(&c->doc, 0, "to");
    uint64_t from = MAX_OF(get_number(&c->doc, 0, "from"), c->newest + 1);
    if (at_ms <= c->exported_ms && to > c->newest)
        problem(c, "messages %" PRIu64 " to %" PRIu64 " were sealed at %s, and were no longer there at the export",
                from, to, tracked_time((int64_t)at_ms, when));
}

static void check_head(struct check *c, struct shard_chain *chains, size_t number, struct span line, struct span conv)
{
    struct buf text = {0}, of = {0};
    struct err e;
    bool is_good;
    if (!read_signed(c, line, "seal", &text, &is_good) || !is_good) {
        problem(c, "head %zu is not signed by this key (%s)", number, sign_key_id(c->key));
    } else if (json_read(&c->doc, buf_span(&text), 0, &e) != JSON_OK || !get_text(&c->doc, 0, "conversation", &of)) {
        problem(c, "head %zu cannot be understood", number);
    } else {
        uint64_t shard = get_number(&c->doc, 0, "shard");
        if (shard < SHARDS_MAX)
            follow(c, &chains[shard], shard, buf_span(&text));
        c->heads++;
        if (conv.n && span_eq(conv, buf_span(&of))) {
            check_newest(c);
            check_seal(c, number, line);
        }
    }
    buf_fini(&text);
    buf_fini(&of);
}

static int check_heads(struct check *c, const char *path, struct err *e)
{
    struct buf file = {0}, conv = {0};
    struct shard_chain *chains = xcalloc(SHARDS_MAX, sizeof(*chains));
    int rc = read_file(path, &file, e);
    size_t number = 0;
    read_conv(c, &conv);
    for (struct span rest = buf_span(&file); rc == 0 && rest.n;) {
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        if (n)
            check_head(c, chains, ++number, span_of(rest.p, n), buf_span(&conv));
        rest = span_from(rest, end ? n + 1 : n);
    }
    free(chains);
    buf_fini(&file);
    buf_fini(&conv);
    return rc;
}

static void verify_export(struct check *c)
{
    split(c);
    if (read_manifest(c))
        compare(c);
    if (!c->has_end)
        problem(c, "the end of the file is missing");
    check_seals(c);
}

static int say(const struct check *c, bool has_export)
{
    char when[TRACKED_TIME_MAX];
    if (c->problems) {
        printf("NOT as it was signed: %u problem%s\n", c->problems, c->problems == 1 ? "" : "s");
        return CLI_PROBLEMS;
    }
    if (has_export)
        printf("unaltered: case %s, %" PRIu64 " messages, %" PRIu64
               " steps, signed with %s at %s; %u of the messages were "
               "sealed by the gateways before\n",
               c->by_case, c->entries, c->history, sign_key_id(c->key), tracked_time((int64_t)c->exported_ms, when),
               c->sealed);
    if (c->heads)
        printf("unaltered: %u heads in one chain for each shard\n", c->heads);
    return CLI_OK;
}

int evidence_verify(int argc, char **argv)
{
    const char *key = NULL, *path = NULL, *heads = NULL;
    struct check c = {0};
    struct err e = {{0}};
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--key") == 0 && i + 1 < argc)
            key = argv[++i];
        else if (strcmp(argv[i], "--heads") == 0 && i + 1 < argc)
            heads = argv[++i];
        else if (argv[i][0] != '-' && !path)
            path = argv[i];
        else {
            fprintf(stderr, "chatgate cases verify: unexpected argument \"%s\"\n", argv[i]);
            return cli_usage("cases");
        }
    }
    if (!key || (!path && !heads)) {
        fprintf(stderr, "chatgate cases verify: --key PUB and a FILE, or --heads FILE, are needed\n");
        return cli_usage("cases");
    }
    c.key = sign_key_load_public(key, &e);
    int rc = c.key && (!path || read_file(path, &c.file, &e) == 0) ? 0 : -1;
    if (rc == 0 && path)
        verify_export(&c);
    if (rc == 0 && heads)
        rc = check_heads(&c, heads, &e);
    if (rc == 0)
        rc = say(&c, path);
    else
        fprintf(stderr, "chatgate cases verify: %s\n", e.text), rc = CLI_FAILED;
    sign_key_free(&c.key);
    json_doc_fini(&c.doc);
    buf_fini(&c.file);
    free(c.line);
    free(c.want);
    return rc;
}
