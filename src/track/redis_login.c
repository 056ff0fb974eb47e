/* What is said on a link before and beside its users' commands. */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "track/redis_route.h"

enum { PASSWORD_MAX = 4096, TIME_EVERY_MS = 10000, OFFSET_WARN_MS = 500 };

/* The first line's end is cut off, as editors leave it. */
static int read_password(const char *path, char out[PASSWORD_MAX], struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, PASSWORD_MAX);
    if (n < 0)
        err_sys(e, "password file %s", path);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return -1;
    if (n == PASSWORD_MAX)
        return err_set(e, "password file %s: longer than %d bytes", path, PASSWORD_MAX - 1);
    out[n] = 0;
    out[strcspn(out, "\r\n")] = 0;
    return 0;
}

/* ---- clock ---- */

/* Redis read its clock between question and answer, so the offset lies between the two differences (Cristian 1989). The
 * one in use is kept as long as it does, and else moved no further than it must: an answer and the question before it
 * can be a millisecond apart, and an offset that follows the noise of busy machines would change their order. */
static void take_time(struct link *l, const struct redis_reply *reply)
{
    int64_t s, us, now = clock_wall_ms();
    if (!redis_get_int(redis_item(reply, 0), &s) || !redis_get_int(redis_item(reply, 1), &us) || now < l->time_sent_ms)
        return;
    int64_t at = s * 1000 + us / 1000;
    l->offset_ms = MAX_OF(at - now, MIN_OF(l->offset_ms, at - l->time_sent_ms));
    if (llabs(l->offset_ms) > OFFSET_WARN_MS)
        log_event(LOG_WARN, "redis_clock_offset", "host=%s port=%u ms=%" PRId64 " limit=%d", l->host, l->port,
                  l->offset_ms, OFFSET_WARN_MS);
}

/* ---- role ---- */

/* Not allowed to ask: then trouble is found only when it happens. */
static void take_info(struct link *l, const struct redis_reply *reply)
{
    if (reply->kind != REDIS_TEXT)
        return;
    struct redis *r = l->owner;
    struct span role = redis_info_field(reply->text, "role"), id = redis_info_field(reply->text, "master_replid");
    if (span_is(role, "slave") && r->topology == TOPOLOGY_SENTINEL)
        link_drop_soon(l, "the server is a replica");
    if (span_is(role, "slave") && r->topology == TOPOLOGY_CLUSTER)
        cluster_want_map(r);
    if (!id.n || id.n >= sizeof(l->replid))
        return;
    bool is_other = l->replid[0] && !span_is(id, l->replid);
    memcpy(l->replid, id.p, id.n);
    l->replid[id.n] = 0;
    if (is_other && l->state == LINK_UP) {
        log_event(LOG_WARN, "redis_other_data", "host=%s port=%u replication_id=%s", l->host, l->port, l->replid);
        route_changed(r);
    }
}

static void on_time(void *ctx, const struct redis_reply *reply)
{
    take_time(ctx, reply);
}

static void on_info(void *ctx, const struct redis_reply *reply)
{
    take_info(ctx, reply);
}

static void ask_time(struct link *l, redis_fn fn)
{
    l->time_sent_ms = clock_wall_ms();
    l->time_due_ms = clock_mono_ms() + TIME_EVERY_MS;
    struct span argv[] = {span_str("TIME")};
    link_command(l, fn, l, 1, argv);
}

static void ask_info(struct link *l, redis_fn fn)
{
    struct span argv[] = {span_str("INFO"), span_str("replication")};
    link_command(l, fn, l, 2, argv);
}

/* The question is also what finds out that a server is gone, when nobody else has a question. */
void login_on_health(void *ctx)
{
    struct link *l = ctx;
    if (!link_takes_commands(l))
        return;
    if (l->role == LINK_SENTINEL) {
        struct span argv[] = {span_str("PING")};
        link_command(l, NULL, NULL, 1, argv);
        return;
    }
    ask_info(l, on_info);
    if (clock_mono_ms() >= l->time_due_ms)
        ask_time(l, on_time);
}

/* ---- greeting ---- */

/* The answer to a step's last command shows that all before it were answered. */
enum { STEP_LOGIN, STEP_SCRIPTS, STEP_CLOCK };

static void on_greeting(void *ctx, const struct redis_reply *reply);
static void on_second_time(void *ctx, const struct redis_reply *reply);
static void on_second_info(void *ctx, const struct redis_reply *reply);

static void send_ping(struct link *l)
{
    struct span ping[] = {span_str("PING")};
    l->greetings++;
    link_command(l, on_greeting, l, 1, ping);
}

/* Only behind the login: from who has none Redis takes no command of a script's size, and hangs up without the reason.
 */
static void begin_scripts(struct link *l)
{
    struct redis *r = l->owner;
    l->step = STEP_SCRIPTS;
    for (size_t i = 0; i < r->n_scripts; i++)
        login_load_script(l, &r->script[i]);
    send_ping(l);
}

/* A step of its own, so that the clock's round trip is a short one. */
static void begin_clock(struct link *l)
{
    l->step = STEP_CLOCK;
    l->greetings = 2;
    ask_time(l, on_second_time);
    ask_info(l, on_second_info);
}

static void finish_greeting(struct link *l)
{
    if (l->state != LINK_GREETING || l->want_drop || --l->greetings)
        return;
    if (l->role == LINK_SENTINEL || l->step == STEP_CLOCK)
        link_is_up(l);
    else if (l->role == LINK_DATA && l->step == STEP_LOGIN && l->owner->n_scripts)
        begin_scripts(l);
    else
        begin_clock(l);
}

static void on_second_time(void *ctx, const struct redis_reply *reply)
{
    struct link *l = ctx;
    take_time(l, reply);
    finish_greeting(l);
}

static void on_second_info(void *ctx, const struct redis_reply *reply)
{
    struct link *l = ctx;
    take_info(l, reply);
    finish_greeting(l);
}

/* A login that Redis refuses will be refused at once again: wait the longest. */
static void on_greeting(void *ctx, const struct redis_reply *reply)
{
    struct link *l = ctx;
    bool is_refused = reply->kind == REDIS_ERROR && !redis_has_code(reply, "MISCONF"); /* a full disk: it can be read */
    if (l->state == LINK_GREETING && is_refused) {
        char why[180], text[160];
        snprintf(why, sizeof(why), "login refused: %s", redis_text(reply, text));
        if (!redis_has_code(reply, "LOADING") && !redis_has_code(reply, "MASTERDOWN"))
            l->backoff_ms = BACKOFF_MAX_MS;
        link_drop_soon(l, why);
    }
    finish_greeting(l);
}

static void on_loaded(void *ctx, const struct redis_reply *reply)
{
    struct redis_script *s = ctx;
    if (reply->kind == REDIS_TEXT && reply->text.n == sizeof(s->sha) - 1)
        memcpy(s->sha, reply->text.p, sizeof(s->sha) - 1);
    else if (reply->kind == REDIS_ERROR && !redis_has_code(reply, "LINK") && !redis_has_code(reply, "TIMEOUT") &&
             !redis_has_code(reply, "LOADING"))
        log_event(LOG_ERROR, "redis_script_refused", "why=\"%s\"", redis_text(reply, (char[160]){0}));
}

void login_load_script(struct link *l, struct redis_script *s)
{
    struct span argv[] = {span_str("SCRIPT"), span_str("LOAD"), span_str(s->text)};
    link_command(l, on_loaded, s, 3, argv);
}

static int send_auth(struct link *l, struct err *e)
{
    const struct redis *r = l->owner;
    bool is_sentinel = l->role == LINK_SENTINEL;
    const char *username = is_sentinel ? r->sentinel_username : r->username;
    const char *file = is_sentinel ? r->sentinel_password_file : r->password_file;
    if (!file)
        return 0;
    char password[PASSWORD_MAX];
    if (read_password(file, password, e) < 0)
        return -1;
    struct span argv[3] = {span_str("AUTH")};
    size_t argc = 1;
    if (username)
        argv[argc++] = span_str(username);
    argv[argc++] = span_str(password);
    l->greetings++;
    link_command(l, on_greeting, l, argc, argv);
    explicit_bzero(password, sizeof(password));
    return 0;
}

/* (A script that Redis refuses shows at its first use.) */
void login_begin(struct link *l)
{
    struct redis *r = l->owner;
    struct err e;
    l->greetings = 0;
    l->step = STEP_LOGIN;
    l->replid[0] = 0;
    if (send_auth(l, &e) < 0) {
        link_drop_soon(l, e.text);
        return;
    }
    struct span name[] = {span_str("CLIENT"), span_str("SETNAME"), span_str(r->client_name)};
    if (r->client_name)
        link_command(l, NULL, NULL, 3, name);
    send_ping(l);
}
