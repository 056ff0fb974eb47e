/* A case as the script `read` answers it. */
#pragma once

#include "board/job.h"
#include "board/put.h"

/* Positions in a row of the script `read`, questions `cases` and `case`. */
enum {
    CASE_ID,
    CASE_STATE,
    CASE_SEVERITY,
    CASE_KINDS,
    CASE_CUSTOMER,
    CASE_AGENT,
    CASE_TEAM,
    CASE_SHOP,
    CASE_OPENED,
    CASE_UPDATED,
    CASE_COMPLAINTS,
    CASE_ORDERS,
    CASE_CONV,
    CASE_RULE,
    CASE_WORDS,
    CASE_DONE,
    CASE_NEWS,
    CASE_ASSIGNED,
    CASE_SNOOZED,
    CASE_CALLS,
    CASE_LAST_CALL,
    CASE_FIELDS
};

/* Its members, within an object. */
void case_put_members(struct json_out *j, const struct redis_reply *row);
bool case_is_visible(const struct user *u, const struct redis_reply *row);
/* Reads the case of the job's id, since it says who may see it: fn gets {now, row, history…}. Answers itself when there
 * can be none. */
void case_ask(struct request *r, struct job *j, redis_fn fn);
/* Answers that there is none (or none that this user sees), and frees the job. */
void case_none(struct job *j);
