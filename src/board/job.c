#include "board/job.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "track/schema.h"

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
    redis_reply_free(j->extra);
    free(j->from);
    free(j);
}

const struct user *job_user(struct job *j)
{
    const struct user *u = board_user(j->board, span_str(j->name));
    if (!u) {
        web_error(j->http, 401, "login", "log in first");
        job_free(j);
    }
    return u;
}

const struct user *job_reader(struct job *j, const struct redis_reply *reply)
{
    if (redis_is_array(reply))
        return job_user(j);
    job_no_redis(j);
    return NULL;
}

bool job_shard(struct job *j)
{
    uint64_t s;
    const char *dash = strchr(j->id, '-');
    if (!dash || !dash[1] || !span_u64(span_of(j->id, (size_t)(dash - j->id)), &s) ||
        s >= (uint64_t)j->board->model->n_shards)
        return false;
    j->shard = (unsigned)s;
    return true;
}

void job_eval(struct job *j, const struct redis_script *s, redis_fn fn, size_t n, const struct span *args)
{
    struct schema_keys keys;
    schema_apply_keys(j->shard, &keys);
    redis_eval(j->board->redis, fn, j, s, SCHEMA_KEY_COUNT, keys.span, n, args);
}

void job_audit(struct job *j, const char *action, const char *result)
{
    board_audit(j->board, &(struct audit){.who = j->name,
                                          .role = user_role_name(board_user(j->board, span_str(j->name))),
                                          .from = j->from,
                                          .action = action,
                                          .result = result,
                                          .target = span_str(j->id),
                                          .why = span_str(j->why)});
}

void job_no_redis(struct job *j)
{
    const struct board *b = j->board;
    if (redis_is_up(b->redis) && b->model->is_empty)
        web_error(j->http, 503, "no_gateway", "no gateway has written to this Redis yet");
    else
        web_error(j->http, 503, "redis", "Redis cannot be reached or did not answer; try again");
    job_free(j);
}
