/* Agents' figures of one day: today's from the model, an earlier day's from Redis when asked; by agent, team or shop.
 * Of each shop with a calendar of its own it is the day there (model_zone_start). */
#pragma once

#include "board/job.h"
#include "board/model.h"

enum { AGENT_DAYS = 8 }; /* today and the seven days before: so long Redis keeps hours */

enum agent_by { BY_AGENT, BY_TEAM, BY_SHOP };

struct agent_days {
    struct job *job;
    void (*fn)(struct agent_days *d);
    unsigned days_ago;
    int64_t start_ms;
    enum agent_by by;
    char only[WEB_ID_MAX]; /* one agent; empty: all that the user sees */
    bool is_complete;
    struct agent *row; /* by name; id, team, shop and `node` belong to it. By team or shop: id is its name, open and
                        * n_waiting are sums, on_ms is how many are online */
    size_t n, next;    /* next: of the row that is asked next */
};

/* "2026-11-22" of a day's start, in the board's zone. */
const char *agent_day_name(const struct model *m, int64_t start_ms, char out[16]);
/* In an agent's zone. */
const char *agent_day_name_in(const struct model *m, unsigned zone, int64_t start_ms, char out[16]);
/* Reads `day` (a date, or empty: today) and `by` (agent, team, shop, or empty) of the query; false: it was answered. */
bool agent_days_query(const struct request *r, struct agent_days *d) MUST_CHECK;
/* Collects the rows that the job's user sees, then calls d->fn, perhaps before it returns; frees d and answers itself
 * when that fails. */
void agent_days_ask(struct agent_days *d);
void agent_days_free(struct agent_days *d);
