/* The words of a reminder, for agents who read Chinese. */
#include <inttypes.h>
#include <stdio.h>

#include "base/utf8.h"
#include "track/reminder.h"

enum { NAME_MAX_BYTES = REMINDER_NAME_MAX - 2 };

void reminder_duration(int64_t ms, char out[REMINDER_DURATION_MAX])
{
    int64_t s = MAX_OF(ms, 0) / 1000;
    if (s < 60)
        snprintf(out, REMINDER_DURATION_MAX, "%" PRId64 " 秒", s);
    else if (s < 3600)
        snprintf(out, REMINDER_DURATION_MAX, "%" PRId64 " 分钟", s / 60);
    else if (s < 48 * 3600)
        snprintf(out, REMINDER_DURATION_MAX, s / 60 % 60 ? "%" PRId64 " 小时 %" PRId64 " 分钟" : "%" PRId64 " 小时",
                 s / 3600, s / 60 % 60);
    else
        snprintf(out, REMINDER_DURATION_MAX, "%" PRId64 " 天", s / 86400);
}

void reminder_name(struct span id, char out[REMINDER_NAME_MAX])
{
    size_t n = utf8_valid_prefix(span_of(id.p, MIN_OF(id.n, (size_t)NAME_MAX_BYTES)));
    bool is_shown = id.n && utf8_is_valid(id);
    for (size_t i = 0; is_shown && i < n; i++)
        is_shown = id.p[i] >= 0x20 && id.p[i] != 0x7f;
    snprintf(out, REMINDER_NAME_MAX, "%s%.*s", is_shown ? " " : "", is_shown ? (int)n : 0, (const char *)id.p);
}

/* Kinds about a case: what it is called, and the words before and behind the time. */
static const struct {
    const char *kind, *noun, *before, *after;
} case_text[] = {
    {"stale_case", "投诉", "已有 ", "没有进展，请告知客户最新情况。"},
    {"cold_case", "投诉", "有了变化，但已有 ", "没有告知客户，请告知客户最新情况。"},
    {"review_chat", "评价", "已有 ", "无人跟进，请先在聊天中联系客户。"},
    {"review_call", "评价", "已在聊天中联系 ", "，客户没有回复，可以电话联系，每天最多两次。"},
    {"follow_up", "投诉", "已解决 ", "，请回访客户。"},
};

void reminder_text(struct span kind, struct span customer, struct span ref, int64_t since_ms, int64_t now_ms,
                   char out[REMINDER_TEXT_MAX])
{
    char name[REMINDER_NAME_MAX], time[REMINDER_DURATION_MAX], id[REMINDER_NAME_MAX];
    uint64_t due_ms = 0;
    reminder_name(customer, name);
    reminder_duration(now_ms - since_ms, time);
    if (span_is(kind, "unanswered")) {
        snprintf(out, REMINDER_TEXT_MAX, "提醒：客户%s 已等待 %s，请尽快回复。", name, time);
        return;
    }
    reminder_name(ref, id);
    for (size_t i = 0; i < ARRAY_LEN(case_text); i++) {
        if (!span_is(kind, case_text[i].kind))
            continue;
        snprintf(out, REMINDER_TEXT_MAX, "提醒：客户%s 的%s%s %s%s%s", name, case_text[i].noun, id, case_text[i].before,
                 time, case_text[i].after);
        return;
    }
    if (span_u64(ref, &due_ms) && (int64_t)due_ms > now_ms) {
        reminder_duration((int64_t)due_ms - now_ms, time);
        snprintf(out, REMINDER_TEXT_MAX, "提醒：您答应客户%s 的时间还剩 %s，请按时回复。", name, time);
    } else {
        snprintf(out, REMINDER_TEXT_MAX, "提醒：您答应客户%s 的时间已到，请立即回复。", name);
    }
}
