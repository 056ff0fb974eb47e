/* Pages with live updates: server-sent events (WHATWG HTML, section 9.2). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct board;
struct request;
struct stream_page;

struct live {
    struct stream_page *first;
    unsigned n;
};

/* Sends every page what changed, after a tick of the model. Ends pages whose login ended or that read too slowly (they
 * come back by themselves and get everything). */
void live_publish(struct board *b);
void live_end_all(struct board *b);
