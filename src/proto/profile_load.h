/* Reading the parts of a profile file. Every error is reported; loading goes on to find them all. */
#pragma once

#include "proto/profile_impl.h"

struct profile_loader {
    struct profile *p;
    struct arena *a; /* the profile's */
    struct err_list *errs;
};

/* Number of items: of a list, or 1 for anything else. */
size_t load_count(const struct ynode *at);
/* Item i of a list; anything else is its own only item. */
const struct ynode *load_item(const struct ynode *at, size_t i);
/* True when the node is a map; reports otherwise, and every key that is not allowed. */
bool load_map(struct profile_loader *l, const struct ynode *at, const char *what, const char *const *allowed);

void load_sockets(struct profile_loader *l, const struct ynode *ws);
void load_deny(struct profile_loader *l, const struct ynode *deny);
/* `refusals:` and the fallback `refuse:`. */
void load_refusals(struct profile_loader *l, const struct ynode *refusals, const struct ynode *fallback);
const struct refusal *load_refusal_name(struct profile_loader *l, const struct ynode *name);
/* {send|ack|event: template, if: {has_ack: …}} */
bool load_action(struct profile_loader *l, const struct ynode *at, struct action *out);
/* `xmpp:`, after the sockets. */
void load_xmpp(struct profile_loader *l, const struct ynode *root, const struct ynode *xmpp);
void load_rules(struct profile_loader *l, const struct ynode *rules);
/* Makes the names that any rule captures known, before templates are read. */
void load_capture_names(struct profile_loader *l, const struct ynode *rules);
