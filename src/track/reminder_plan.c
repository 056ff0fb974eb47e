#include "track/reminder_plan.h"

#include <inttypes.h>
#include <stdio.h>

enum { STEP_MAX_BYTES = 40 };

static void write_steps(char out[REMINDER_PLAN_TEXT], const struct conf_reminder_step *step, size_t n)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < n && at + STEP_MAX_BYTES < REMINDER_PLAN_TEXT; i++)
        at += (size_t)snprintf(out + at, REMINDER_PLAN_TEXT - at, "%s%" PRId64 ":%s%s", i ? "," : "", step[i].after_ms,
                               step[i].to_supervisor ? "supervisor" : "agent", step[i].is_call ? ":call" : "");
}

void reminder_plan_init(struct reminder_plan *p, const struct conf *conf)
{
    write_steps(p->text[0], conf->reminders.unanswered, conf->reminders.n_unanswered);
    write_steps(p->text[1], conf->reminders.stale_case, conf->reminders.n_stale_case);
    snprintf(p->text[2], REMINDER_PLAN_TEXT, "%" PRId64, conf->reminders.commitment_before_ms);
    write_steps(p->text[3], conf->reminders.commitment, conf->reminders.n_commitment);
    write_steps(p->text[4], conf->reminders.cold_case, conf->reminders.n_cold_case);
    write_steps(p->text[5], conf->reminders.review, conf->reminders.n_review);
    write_steps(p->text[6], conf->reminders.follow_up, conf->reminders.n_follow_up);
}
