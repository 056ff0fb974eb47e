#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "board/board.h"

const struct user *board_user(const struct board *b, struct span name)
{
    const struct user *u = users_find(b->users, name);
    return u ? u : tokens_named(b->tokens, name);
}

const char *user_role_name(const struct user *u)
{
    return !u ? role_name(ROLE_NOBODY) : u->is_token ? "token" : role_name(u->role);
}

void board_audit(struct board *b, const struct audit *a)
{
    char who[LOG_ESC_MAX], target[LOG_ESC_MAX], why[LOG_ESC_MAX], at[24];
    log_event(LOG_INFO, "audit", "action=%s who=\"%s\" role=%s from=%s target=\"%s\" why=\"%s\" result=%s", a->action,
              log_esc(span_str(a->who), who), a->role, a->from, log_esc(a->target, target), log_esc(a->why, why),
              a->result);
    snprintf(at, sizeof(at), "%" PRId64, clock_wall_ms());
    struct span argv[] = {
        span_str("XADD"),    span_str("cg:audit"), span_str("MAXLEN"), span_str("~"),     span_str("100000"),
        span_str("*"),       span_str("at"),       span_str(at),       span_str("who"),   span_str(a->who),
        span_str("role"),    span_str(a->role),    span_str("from"),   span_str(a->from), span_str("action"),
        span_str(a->action), span_str("target"),   a->target,          span_str("why"),   a->why,
        span_str("result"),  span_str(a->result)};
    redis_command(b->redis, NULL, NULL, ARRAY_LEN(argv), argv);
}
