/* A captured message in a queue, and as a line of JSON. */
#pragma once

#include "base/buf.h"
#include "gate/capture.h"

/* What a record begins with; texts follow, each as a length of four bytes and its bytes: agent, conv, team, shop, role,
 * rules version, mode, case kind, then n_facts facts, n_rules ids, n_shadow ids, n_texts texts. */
struct capture_head {
    uint32_t bytes; /* of the whole record */
    uint8_t dir, action, has_verdict, is_edit, has_cause, cause, severity, confirms;
    uint8_t n_facts, n_rules, n_shadow, n_texts;
    uint64_t number;
    int64_t at_ms;
};

/* Appends the record; false: it would be too long. */
bool capture_record_encode(const struct capture_item *item, uint64_t number, struct buf *out);

struct capture_mask;
/* Appends the line with its line end. `mask` NULL: as it was sent. */
void capture_record_print(struct span record, struct capture_mask *mask, struct buf *out);
