/* Between the files of the session: session.c (states, life, end), session_bytes.c (what comes in and whose turn it
 * is), session_client.c and session_backend.c (the two connections). */
#pragma once

#include "gate/session.h"

enum { LINGER_MS = 3000 }; /* for what is queued, and for the peer's close frame, at the end */

extern const struct conn_handlers session_client_handlers, session_backend_handlers;

/* A connection is gone, with what it means for the other one. */
void session_client_gone(struct session *s, enum end_reason why);
void session_backend_gone(struct session *s);
/* Something was written while lingering: the end may have come. */
void session_go_on_lingering(struct session *s);

/* Reads a side until nothing is left or its share of the turn is used up. */
void session_read_client(struct session *s);
void session_read_backend(struct session *s);
/* Switches reading from the client on or off, after whatever may have changed it. */
void session_update_reading(struct session *s);

/* A listener for XMPP over TCP. */
bool session_is_xmpp(const struct session *s);
/* The client's connection is ready for the protocol: TLS and PROXY header, where there are some, are behind. */
void session_begin(struct session *s);
