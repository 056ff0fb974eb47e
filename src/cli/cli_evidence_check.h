/* Inside of chatgate cases verify: cli_evidence_verify.c reads the file and compares it with what was signed,
 * cli_evidence_seals.c with what was sealed. */
#pragma once

#include "base/buf.h"
#include "net/sign.h"
#include "proto/json.h"
#include "track/evidence.h"

/* A line of the file, without the comma at its end. */
struct line {
    struct span text;
    char hash[SHA256_HEX];
    bool is_listed; /* the manifest knows its hash */
    bool is_sealed; /* so was it when it was sealed */
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
    unsigned problems, heads;
};

/* Prints one finding. */
void check_problem(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
int check_read_file(const char *path, struct buf *out, struct err *e) MUST_CHECK;
/* The decoded text of a string member; false: not there. */
bool check_get_text(const struct json_doc *d, uint32_t object, const char *key, struct buf *out);
uint64_t check_get_number(const struct json_doc *d, uint32_t object, const char *key);
/* A line {"WHAT":"text","signature":"hex"}: is the text signed by the key? False: it is no such line. */
bool check_read_signed(struct check *c, struct span line, const char *what, struct buf *text, bool *is_good);
/* A list of hashes; *out is the caller's, also on false. */
bool check_read_hashes(const struct json_doc *d, uint32_t list, char (**out)[SHA256_HEX], size_t *n);

/* The seals in the export; each message that they cover. */
void check_seals(struct check *c);
/* A file of heads: the chain of each shard, and what they say about this export's conversation. -1: not to be read. */
int check_heads(struct check *c, const char *path, struct err *e) MUST_CHECK;
