#include "track/evidence.h"

#include <string.h>

static const struct {
    const char *name;
    bool is_number;
} fields[] = {
#define X(id, name, is_number) {name, is_number},
    SAID_FIELDS(X)
#undef X
};

void evidence_write_entry(struct buf *out, const struct redis_reply *row)
{
    struct json_out j = {.buf = out};
    json_obj(&j);
    json_key(&j, "entry");
    json_obj(&j);
    for (size_t i = 0; i < SAID_FIELD_COUNT; i++) {
        struct span text = redis_item(row, i)->text;
        int64_t number = 0;
        if (fields[i].is_number && redis_get_int(redis_item(row, i), &number)) {
            json_key(&j, fields[i].name);
            json_int(&j, number);
        } else if (text.n) {
            json_key(&j, fields[i].name);
            json_span(&j, text);
        }
    }
    json_obj_end(&j);
    json_obj_end(&j);
}

void evidence_chain(char head[SHA256_HEX], const char *hash)
{
    char both[2 * SHA256_HEX];
    memcpy(both, head, SHA256_HEX - 1);
    memcpy(both + SHA256_HEX - 1, hash, SHA256_HEX - 1);
    sha256_hex(span_of(both, 2 * (SHA256_HEX - 1)), head);
}

void evidence_write_seal(struct buf *out, const struct evidence_seal *s)
{
    struct json_out j = {.buf = out};
    json_obj(&j);
    json_key(&j, "seal"), json_int(&j, (int64_t)s->number);
    json_key(&j, "shard"), json_int(&j, s->shard);
    json_key(&j, "previous"), json_str(&j, s->previous);
    json_key(&j, "conversation"), json_span(&j, s->conv);
    json_key(&j, "from"), json_int(&j, (int64_t)s->from);
    json_key(&j, "to"), json_int(&j, (int64_t)s->to);
    json_key(&j, "before"), json_str(&j, s->before);
    json_key(&j, "hashes");
    json_arr(&j);
    for (uint64_t i = s->from; i <= s->to; i++)
        json_str(&j, s->hash[i - s->from]);
    json_arr_end(&j);
    json_key(&j, "head"), json_str(&j, s->head);
    json_key(&j, "at_ms"), json_int(&j, s->at_ms);
    json_key(&j, "node"), json_str(&j, s->node);
    json_key(&j, "key"), json_str(&j, s->key_id);
    json_obj_end(&j);
}
