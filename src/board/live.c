#include "board/live.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "board/put.h"
#include "board/view.h"
#include "board/web.h"

enum { BEHIND_MAX = 4 << 20 };

struct stream_page {
    struct board *board;
    struct stream_page *next;
    struct evhttp_request *http;
    char token[TOKEN_LEN + 1]; /* of the login; empty: an API token's page */
    char name[TOKEN_USER_MAX];
    uint64_t today_hash;
    bool want_full;
};

static void unlink_page(struct stream_page *p)
{
    for (struct stream_page **at = &p->board->live.first; *at; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            p->board->live.n--;
            return;
        }
    }
}

/* The connection goes: evhttp frees the request with it, unless it has let go of it before. */
static void on_close(struct evhttp_connection *c, void *ctx)
{
    struct stream_page *p = ctx;
    (void)c;
    unlink_page(p);
    if (!evhttp_request_get_connection(p->http))
        evhttp_send_reply_end(p->http); /* frees it */
    free(p);
}

static void put_state(struct json_out *j, const struct board *b)
{
    const struct model *m = b->model;
    json_key(j, "now_ms");
    json_int(j, m->was_complete ? m->redis_now_ms : clock_wall_ms());
    json_key(j, "redis");
    json_bool(j, m->was_complete);
    json_key(j, "empty");
    json_bool(j, m->is_empty);
    json_key(j, "data_ms");
    if (m->complete_ms)
        json_int(j, m->complete_ms);
    else
        json_null(j);
    json_key(j, "cut");
    json_bool(j, m->is_cut);
    json_key(j, "modes");
    json_arr(j);
    for (size_t i = 0; i < m->nodes.n; i++) {
        const struct node_seen *s = &m->nodes.list[i];
        if (node_is_lost(&m->nodes, s) || span_is(node_text(s, "mode"), "enforce") || !node_text(s, "mode").n)
            continue;
        json_obj(j);
        put_str(j, "node", s->id);
        put_span(j, "mode", node_text(s, "mode"));
        json_obj_end(j);
    }
    json_arr_end(j);
}

/* The object of a tick; today's figures when they are not those of *today_hash. */
static void put_tick(struct buf *out, const struct board *b, const struct user *u, bool is_full, uint64_t *today_hash)
{
    struct buf today = {0};
    struct json_out j = {out, false}, t = {&today, false};
    json_obj(&j);
    put_state(&j, b);
    if (b->model->complete_ms) {
        view_changes(&j, b->model, u, is_full);
        view_today(&t, b->model, u);
        uint64_t hash = hash_stable(buf_span(&today));
        if (is_full || hash != *today_hash) {
            json_key(&j, "today");
            json_raw(&j, buf_span(&today));
        }
        *today_hash = hash;
    }
    json_obj_end(&j);
    buf_fini(&today);
}

static size_t behind(const struct stream_page *p)
{
    struct bufferevent *bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(p->http));
    return evbuffer_get_length(bufferevent_get_output(bev));
}

static void send_tick(struct stream_page *p, const struct user *u)
{
    struct buf b = {0};
    buf_append_str(&b, "event: tick\ndata: ");
    put_tick(&b, p->board, u, p->want_full, &p->today_hash);
    buf_append_str(&b, "\n\n");
    if (p->board->model->complete_ms)
        p->want_full = false;
    struct evbuffer *out = evbuffer_new();
    evbuffer_add(out, buf_span(&b).p, b.len);
    evhttp_send_reply_chunk(p->http, out);
    evbuffer_free(out);
    buf_fini(&b);
}

static void end_page(struct stream_page *p, const char *why)
{
    log_event(LOG_DEBUG, "stream_end", "why=%s", why);
    evhttp_connection_free(evhttp_request_get_connection(p->http)); /* calls on_close */
}

void live_publish(struct board *b)
{
    struct stream_page *next;
    for (struct stream_page *p = b->live.first; p; p = next) {
        const struct user *u = NULL;
        next = p->next;
        if (!evhttp_request_get_connection(p->http))
            continue; /* its close is on the way */
        if (*p->token)
            logins_find(&b->logins, b->users, span_str(p->token), clock_mono_ms(), &u);
        else
            u = tokens_named(b->tokens, span_str(p->name));
        if (!u || !user_may(u, SCOPE_NOW))
            end_page(p, "logged_out");
        else if (behind(p) > BEHIND_MAX)
            end_page(p, "too_slow");
        else
            send_tick(p, u);
    }
}

void live_end_all(struct board *b)
{
    while (b->live.first)
        end_page(b->live.first, "stop");
}

void api_now(struct request *r)
{
    struct buf b = {0};
    uint64_t none = 0;
    model_want(r->board->model);
    put_tick(&b, r->board, r->user, true, &none);
    web_json(r->http, 200, &b);
}

void api_events(struct request *r)
{
    struct board *b = r->board;
    if (b->live.n >= (unsigned)b->set->streams) {
        web_error(r->http, 503, "streams", "too many pages with live updates are open");
        return;
    }
    struct stream_page *p = xcalloc(1, sizeof(*p));
    *p = (struct stream_page){.board = b, .next = b->live.first, .http = r->http, .want_full = true};
    if (r->login)
        memcpy(p->token, r->login->token, sizeof(p->token));
    snprintf(p->name, sizeof(p->name), "%s", r->user->name);
    b->live.first = p;
    b->live.n++;
    web_header(r->http, "Content-Type", "text/event-stream; charset=utf-8");
    web_header(r->http, "X-Accel-Buffering", "no");
    evhttp_connection_set_closecb(evhttp_request_get_connection(r->http), on_close, p);
    evhttp_send_reply_start(r->http, 200, NULL);
    send_tick(p, r->user);
    model_want(b->model);
}
