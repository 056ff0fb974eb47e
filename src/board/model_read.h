/* Answers of the scripts into the model. */
#pragma once

#include "board/model.h"

void model_take_waiting(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply);
void model_take_sessions(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply);
void model_take_open(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply);
void model_take_hour(struct model *m, unsigned shard, unsigned hour, const struct redis_reply *reply);
void model_take_sizes(struct model *m, unsigned shard, unsigned unused, const struct redis_reply *reply);
/* Agents' waiting customers, and which agents look different now. */
void model_count_waiting(struct model *m);
void model_forget_all(struct model *m);
