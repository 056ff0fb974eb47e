/* An export against what the gateways sealed at the time: the seals that it carries, and those that somebody kept. */
#include <inttypes.h>

#include "base/xalloc.h"
#include "cli/cli_evidence_check.h"
#include "cli/cli_tracked.h"
#include "cli/table.h"

enum { SHARDS_MAX = 1024 };

static struct line *find_entry(struct check *c, uint64_t no)
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
    struct line *l = find_entry(c, no);
    if (!l)
        check_problem(c, "message %" PRIu64 " is missing; it was sealed at %s", no, when);
    else if (strcmp(l->hash, hash) != 0)
        check_problem(c, "message %" PRIu64 " is not what was sealed at %s", no, when);
    else
        l->is_sealed = true;
}

static void check_seal(struct check *c, size_t number, struct span line)
{
    struct buf text = {0}, head = {0}, before = {0};
    char(*hash)[SHA256_HEX] = NULL, chain[SHA256_HEX], when[TRACKED_TIME_MAX];
    size_t n = 0;
    struct err e;
    bool is_good;
    if (!check_read_signed(c, line, "seal", &text, &is_good)) {
        check_problem(c, "seal %zu cannot be read", number);
    } else if (!is_good) {
        check_problem(c, "seal %zu is not signed by this key (%s)", number, sign_key_id(c->key));
    } else if (json_read(&c->doc, buf_span(&text), 0, &e) != JSON_OK || !check_get_text(&c->doc, 0, "head", &head) ||
               !check_get_text(&c->doc, 0, "before", &before) || before.len != SHA256_HEX - 1 ||
               !check_read_hashes(&c->doc, json_member(&c->doc, 0, span_str("hashes")), &hash, &n)) {
        check_problem(c, "seal %zu cannot be understood", number);
    } else {
        uint64_t from = check_get_number(&c->doc, 0, "from");
        tracked_time((int64_t)check_get_number(&c->doc, 0, "at_ms"), when);
        memcpy(chain, buf_cstr(&before), SHA256_HEX);
        for (size_t i = 0; i < n; i++) {
            evidence_chain(chain, hash[i]);
            check_sealed(c, from + i, hash[i], when);
        }
        if (!span_is(buf_span(&head), chain))
            check_problem(c, "seal %zu: its chain does not lead to its head", number);
    }
    free(hash);
    buf_fini(&text);
    buf_fini(&head);
    buf_fini(&before);
}

void check_seals(struct check *c)
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
    if (!of || !check_get_text(&c->doc, of, "conversation", out))
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
    uint64_t number = check_get_number(&c->doc, 0, "seal");
    bool has_previous = check_get_text(&c->doc, 0, "previous", &previous);
    if (chain->number && number > chain->number + 1)
        check_problem(c, "shard %" PRIu64 ": seals %" PRIu64 " to %" PRIu64 " are missing", shard, chain->number + 1,
                      number - 1);
    else if (chain->number && number <= chain->number && number != 1)
        check_problem(c, "shard %" PRIu64 ": seal %" PRIu64 " stands behind seal %" PRIu64, shard, number,
                      chain->number);
    else if (chain->number && number != 1 && (!has_previous || !span_is(buf_span(&previous), chain->hash)))
        check_problem(c, "shard %" PRIu64 ": seal %" PRIu64 " does not follow seal %" PRIu64, shard, number,
                      chain->number);
    chain->number = number;
    sha256_hex(seal, chain->hash);
    buf_fini(&previous);
}

/* What was sealed before the export, behind all that the store had then. The seal is in c->doc. */
static void check_newest(struct check *c)
{
    char when[TRACKED_TIME_MAX];
    uint64_t at_ms = check_get_number(&c->doc, 0, "at_ms"), to = check_get_number(&c->doc, 0, "to");
    uint64_t from = MAX_OF(check_get_number(&c->doc, 0, "from"), c->newest + 1);
    if (at_ms <= c->exported_ms && to > c->newest)
        check_problem(c,
                      "messages %" PRIu64 " to %" PRIu64 " were sealed at %s, and were no longer there at the export",
                      from, to, tracked_time((int64_t)at_ms, when));
}

static void check_head(struct check *c, struct shard_chain *chains, size_t number, struct span line, struct span conv)
{
    struct buf text = {0}, of = {0};
    struct err e;
    bool is_good;
    if (!check_read_signed(c, line, "seal", &text, &is_good) || !is_good) {
        check_problem(c, "head %zu is not signed by this key (%s)", number, sign_key_id(c->key));
    } else if (json_read(&c->doc, buf_span(&text), 0, &e) != JSON_OK ||
               !check_get_text(&c->doc, 0, "conversation", &of)) {
        check_problem(c, "head %zu cannot be understood", number);
    } else {
        uint64_t shard = check_get_number(&c->doc, 0, "shard");
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

int check_heads(struct check *c, const char *path, struct err *e)
{
    struct buf file = {0}, conv = {0};
    struct shard_chain *chains = xcalloc(SHARDS_MAX, sizeof(*chains));
    int rc = check_read_file(path, &file, e);
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
