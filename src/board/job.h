/* A request that waits for Redis. It keeps names, not pointers: the user may be gone when the answer comes. */
#pragma once

#include "board/web.h"

enum { WHY_MAX = 400, STATE_MAX = 16, FILTER_MAX = 100 };

struct job {
    struct board *board;
    struct evhttp_request *http;
    char name[USER_NAME_MAX + 1];
    char *from;
    char id[WEB_ID_MAX];
    char to[STATE_MAX], why[WHY_MAX + 1];                                      /* a case's move */
    char team[FILTER_MAX], shop[FILTER_MAX], agent[FILTER_MAX], q[FILTER_MAX]; /* filters of a list */
    int64_t severity;
    unsigned shard;
};

struct job *job_new(const struct request *r);
void job_free(struct job *j);
/* The user, with the rights that they have now; NULL: gone, the request was answered and the job is freed. */
const struct user *job_user(struct job *j);
/* Answers that Redis is not there, and frees the job. */
void job_no_redis(struct job *j);
