/* The model as JSON, cut down to what one user may see. */
#pragma once

#include "base/json_out.h"
#include "board/board.h"

/* Members `full`, `set`, `del`, `agents` of an object: with is_full all, else what changed in this tick. */
void view_changes(struct json_out *j, const struct model *m, const struct user *u, bool is_full);
/* An object: today's figures of the agents whom the user sees, and by hour. Undefined is null, and so is an hour that
 * was not read. */
void view_today(struct json_out *j, const struct model *m, const struct user *u);
/* One agent's members, within an object: those of the Now page, and when long a day's figures. */
enum view_length { VIEW_SHORT, VIEW_LONG };
void view_agent_members(struct json_out *j, const struct agent *a, enum view_length length);
/* A team's or shop's members, of a row of agent_days. */
/* "measured": the figures by the deployment's own definition, null without one. */
void view_measured(struct json_out *j, const struct model *m, const struct agent *a);
/* How many replies came in time by that definition, or -1. */
int64_t view_in_time(const struct model *m, const struct agent *a);
void view_group_members(struct json_out *j, const struct agent *g);
/* Member `distribution`: replies by how long they took, plain and in business hours. */
void view_distribution(struct json_out *j, const struct agent *a);
/* The short members as an object. */
void view_agent(struct json_out *j, const struct agent *a);
/* The agents whom the user sees, by name; *n of them, freed by the caller. */
const struct agent **view_agents(const struct model *m, const struct user *u, size_t *n);
/* Members `hours` of an object: one entry per hour of today, of one agent. */
void view_hours(struct json_out *j, const struct model *m, const struct agent *a);
/* A quantile in ms of HIST_BUCKETS counts (or NULL); -1: there are none. */
int64_t view_quantile(const uint32_t *bucket, double q);
bool agent_is_online(const struct agent *a);
