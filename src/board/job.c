#include "board/job.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"

struct job *job_new(const struct request *r)
{
    struct job *j = xcalloc(1, sizeof(*j));
    j->board = r->board;
    j->http = r->http;
    j->from = xstrdup(r->from);
    snprintf(j->name, sizeof(j->name), "%s", r->user->name);
    memcpy(j->id, r->id, sizeof(j->id));
    return j;
}

void job_free(struct job *j)
{
    free(j->from);
    free(j);
}

const struct user *job_user(struct job *j)
{
    const struct user *u = users_find(j->board->users, span_str(j->name));
    if (!u) {
        web_error(j->http, 401, "login", "log in first");
        job_free(j);
    }
    return u;
}

void job_no_redis(struct job *j)
{
    web_error(j->http, 503, "redis", "Redis cannot be reached or did not answer; try again");
    job_free(j);
}
