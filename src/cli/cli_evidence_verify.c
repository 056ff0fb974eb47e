/* chatgate cases verify --key PUB FILE: is an export unaltered, and if not, where? With --heads: against seals that
 * somebody kept elsewhere, and these themselves. */
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/cli_evidence.h"
#include "cli/cli_evidence_check.h"
#include "cli/cli_tracked.h"
#include "cli/table.h"

enum { FILE_BYTES_MAX = 256 << 20, PROBLEMS_MAX = 1000 };

void check_problem(struct check *c, const char *fmt, ...)
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

int check_read_file(const char *path, struct buf *out, struct err *e)
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

bool check_get_text(const struct json_doc *d, uint32_t object, const char *key, struct buf *out)
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

uint64_t check_get_number(const struct json_doc *d, uint32_t object, const char *key)
{
    uint32_t at = json_member(d, object, span_str(key));
    uint64_t v = 0;
    return at && span_u64(json_raw_span(d, at), &v) ? v : 0;
}

bool check_read_signed(struct check *c, struct span line, const char *what, struct buf *text, bool *is_good)
{
    struct err e;
    struct buf sig = {0};
    bool ok = json_read(&c->doc, line, 0, &e) == JSON_OK && check_get_text(&c->doc, 0, "signature", &sig) &&
              check_get_text(&c->doc, 0, what, text);
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

bool check_read_hashes(const struct json_doc *d, uint32_t list, char (**out)[SHA256_HEX], size_t *n)
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
    bool is_good, ok = c->has_manifest && check_read_signed(c, c->manifest, "manifest", &text, &is_good);
    if (!ok) {
        check_problem(c,
                      "the manifest, the signed list at the end of the file, %s: the file was cut off or is no export",
                      c->has_manifest ? "cannot be read" : "is missing");
    } else {
        if (!is_good)
            check_problem(c, "the manifest is not signed by this key (%s): it was altered, or another key made it",
                          sign_key_id(c->key));
        ok = json_read(&c->doc, buf_span(&text), 0, &e) == JSON_OK &&
             check_read_hashes(&c->doc, json_member(&c->doc, 0, span_str("hashes")), &c->want, &c->n_want);
        c->from = check_get_number(&c->doc, 0, "from");
        c->entries = check_get_number(&c->doc, 0, "entries");
        c->newest = check_get_number(&c->doc, 0, "newest");
        c->history = check_get_number(&c->doc, 0, "history");
        c->seals = check_get_number(&c->doc, 0, "seals");
        c->exported_ms = check_get_number(&c->doc, 0, "exported_ms");
        ok = ok && check_get_text(&c->doc, 0, "case", &id);
        snprintf(c->by_case, sizeof(c->by_case), "%s", ok ? buf_cstr(&id) : "?");
        if (!ok)
            check_problem(c, "the manifest cannot be read");
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
            check_problem(c, "%s was altered", name_of(c, i, name));
            i++, j++;
        } else if (is_want && !is_kept) {
            check_problem(c, is_line ? "%s was removed" : "%s was removed from the end", name_of(c, i, name));
            i++;
        } else if (is_line && !is_known) {
            check_problem(c, "line %zu was added%s%s", j + 2, i ? " behind " : "", i ? name_of(c, i - 1, after) : "");
            j++;
        } else { /* both are there, elsewhere */
            check_problem(c, "%s stands in another place", name_of(c, i, name));
            i++;
        }
    }
}

static void verify_export(struct check *c)
{
    split(c);
    if (read_manifest(c))
        compare(c);
    if (!c->has_end)
        check_problem(c, "the end of the file is missing");
    check_seals(c);
}

static unsigned count_sealed(const struct check *c)
{
    unsigned n = 0;
    for (size_t i = 0; i < c->n_lines; i++)
        n += c->line[i].is_sealed;
    return n;
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
               count_sealed(c));
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
    int rc = c.key && (!path || check_read_file(path, &c.file, &e) == 0) ? 0 : -1;
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
