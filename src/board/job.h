/* A request that waits for Redis. It keeps names, not pointers: the user may be gone when the answer comes. */
#pragma once

#include "board/web.h"

enum { WHY_MAX = 400, STATE_MAX = 16, FILTER_MAX = 100, VALUE_MAX = 200 };

struct job {
    struct board *board;
    struct evhttp_request *http;
    char name[TOKEN_USER_MAX];
    char *from;
    char id[WEB_ID_MAX];
    char to[STATE_MAX], why[WHY_MAX + 1];                                      /* a case's move */
    char team[FILTER_MAX], shop[FILTER_MAX], agent[FILTER_MAX], q[FILTER_MAX]; /* filters of a list */
    int64_t severity;
    char what[STATE_MAX], value[VALUE_MAX + 1]; /* another act on something, and its value */
    bool is_forced;
    struct redis_reply *extra; /* an earlier answer, owned */
    unsigned shard;
};

struct job *job_new(const struct request *r);
void job_free(struct job *j);
/* The user, with the rights that they have now; NULL: gone, the request was answered and the job is freed. */
const struct user *job_user(struct job *j);
/* The same, for a job whose answer must be an array; NULL also where it is none, which was answered. */
const struct user *job_reader(struct job *j, const struct redis_reply *reply);
/* Takes the shard out of the id "SHARD-…"; false when it is none, or no shard of ours. */
bool job_shard(struct job *j);
/* Calls a script on the job's shard; fn gets the job. */
void job_eval(struct job *j, const struct redis_script *s, redis_fn fn, size_t n, const struct span *args);
/* One line and one entry about what the job's user did to the job's id. */
void job_audit(struct job *j, const char *action, const char *result);
/* Answers that Redis is not there, or that it has nothing of any gateway yet, and frees the job. */
void job_no_redis(struct job *j);
