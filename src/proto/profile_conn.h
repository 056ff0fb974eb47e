/* What a connection remembers between messages: identity, what a notice needs, sends that await their answer. */
#pragma once

#include "proto/profile_impl.h"

struct conn_ext *conn_ext(struct profile_conn *c);
/* Learns from one document: login asked or answered, subscription made. */
void conn_learn(struct profile_scratch *s, enum profile_dir dir, struct layer *root);
/* Learns from a Socket.IO packet: a namespace that was accepted, the namespace that messages use. */
void conn_learn_packet(struct profile_conn *c, enum profile_dir dir, const struct packet *p);
/* Remembers a send, so that its answer can be told. */
void conn_remember(struct profile_conn *c, struct span corr, struct span mid, struct span conv);
/* The send with this correlation id (or, when empty, this message id), or NULL. */
const struct sent *conn_find(const struct profile_conn *c, struct span corr, struct span mid);
