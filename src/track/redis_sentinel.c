/* Who is the master? The Sentinels are asked, one after the other: at the start, whenever the link to the master is
 * lost, and by a subscription to +switch-master. What they say is believed when the server itself says that it is a
 * master (redis_login.c), since for some time after a fail-over not all of them know it. */
#include <inttypes.h>

#include "base/xalloc.h"
#include "track/redis_route.h"

enum { ANOTHER_MS = 500 };

void sentinel_start(struct redis *r)
{
    r->links = link_new(r, LINK_DATA, NULL, 0);
    r->want_address = true;
    r->guide = link_new(r, LINK_SENTINEL, r->place[0].host, r->place[0].port);
}

/* Takes the address; true when the link to the master leads, or now goes, there. */
static bool take_address(struct redis *r, struct span host, struct span port_text)
{
    uint64_t port;
    char name[256];
    if (!host.n || host.n >= sizeof(name) || !span_u64(port_text, &port) || port < 1 || port > UINT16_MAX)
        return false;
    memcpy(name, host.p, host.n);
    name[host.n] = 0;
    struct link *l = r->links;
    bool is_same = l->host && strcmp(l->host, name) == 0 && l->port == port;
    if (!is_same)
        log_event(LOG_INFO, "redis_master", "name=%s host=%s port=%" PRIu64, r->master_name, name, port);
    if (!is_same && l->state != LINK_WAITING) {
        link_drop_soon(l, "the Sentinels name another master");
        l->backoff_ms = BACKOFF_MIN_MS;
    }
    if (r->want_address || (!is_same && l->state == LINK_WAITING)) {
        r->want_address = false;
        link_dial(l, name, (uint16_t)port);
    }
    return true;
}

/* It was up, so that its back-off begins anew: ask the next one, but not at once. */
static void try_another(struct link *l, const char *why)
{
    l->backoff_ms = ANOTHER_MS;
    link_drop_soon(l, why);
}

static void on_address(void *ctx, const struct redis_reply *reply)
{
    struct link *l = ctx;
    char why[240];
    if (!redis_is_up(l->owner) && redis_is_error(reply) && !redis_has_code(reply, "LINK")) {
        snprintf(why, sizeof(why), "Sentinel: %.*s", (int)MIN_OF(reply->text.n, 150), (const char *)reply->text.p);
        try_another(l, why);
    } else if (!redis_is_error(reply) &&
               !take_address(l->owner, redis_item(reply, 0)->text, redis_item(reply, 1)->text)) {
        snprintf(why, sizeof(why), "this Sentinel knows no master \"%.100s\"", l->owner->master_name);
        try_another(l, why);
    }
}

/* The question and the subscription go out together, so that nothing is missed between them. */
void sentinel_is_up(struct link *l)
{
    struct span ask[] = {span_str("SENTINEL"), span_str("GET-MASTER-ADDR-BY-NAME"), span_str(l->owner->master_name)};
    struct span listen[] = {span_str("SUBSCRIBE"), span_str("+switch-master")};
    link_command(l, on_address, l, 3, ask);
    link_command(l, NULL, NULL, 2, listen);
}

/* A subscribed connection takes no questions: the next Sentinel is asked on a new one. */
void sentinel_ask(struct redis *r)
{
    r->want_address = true;
    if (r->guide->state != LINK_UP)
        return; /* it is on its way, and will ask */
    r->guide->is_leaving = true;
    link_drop_soon(r->guide, "asking another Sentinel");
}

/* "message" "+switch-master" "NAME OLD-HOST OLD-PORT HOST PORT" */
bool sentinel_take_push(struct link *l, const struct redis_reply *reply)
{
    struct redis *r = l->owner;
    if (!span_is(redis_item(reply, 0)->text, "message"))
        return false;
    struct span rest = redis_item(reply, 2)->text, word[5] = {{0}};
    for (size_t i = 0; i < ARRAY_LEN(word) && rest.n; i++) {
        const uint8_t *space = memchr(rest.p, ' ', rest.n);
        word[i] = span_of(rest.p, space ? (size_t)(space - rest.p) : rest.n);
        rest = span_from(rest, word[i].n + (space != NULL));
    }
    if (span_is(word[0], r->master_name) && !take_address(r, word[3], word[4]))
        log_event_limited(&r->limit, LOG_WARN, "sentinel_message_unread", "host=%s port=%u", l->host, l->port);
    return true;
}
