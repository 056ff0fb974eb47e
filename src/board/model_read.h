/* Answers of the scripts into the model. */
#pragma once

#include "board/model.h"

void model_take_waiting(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply);
void model_take_sessions(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply);
void model_take_open(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply);
void model_take_hour(struct model *m, unsigned shard, unsigned hour, const struct redis_reply *reply);
void model_take_sizes(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply);
/* NULL: there are too many. */
struct agent *model_agent_get(struct model *m, struct span id);
/* Adds up the figures anew from the answers at hand: the agents' days began elsewhere, or another hour is the first. */
void model_recount(struct model *m, int64_t first_hour);
/* If a day begins elsewhere than before: hours that were read stay, and those before them are to be read yet. */
void model_turn_day(struct model *m);
/* model_zone.c: what Redis tells of shops with days of their own; an agent works for another shop. */
void model_zones_take(struct model *m, struct span text);
void model_zone_changed(struct model *m, struct agent *a);
unsigned model_zone_of(const struct model *m, struct span shop);
/* Each zone's day at that moment: true when one is not what it was. The first hour of all goes to *first_hour. */
bool model_zones_turn(struct model *m, int64_t *first_hour);
void model_zones_fini(struct model *m);
/* Agents' waiting customers, and which agents look different now. */
void model_count_waiting(struct model *m);
void model_forget_all(struct model *m);
