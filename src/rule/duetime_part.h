/* Between the files of the times: what stands in a day (duetime_hours.c), spans (duetime_span.c), days and dates
 * (duetime_date.c). A reader steps over what it has read; where one that returns false has left off, is undefined. */
#pragma once

#include "base/calendar.h"
#include "rule/duetime_word.h"

/* 前, 之内 and the like behind a time. NULL-terminated. */
extern const char16_t *const duetime_before[];

bool duetime_is_workday(const struct reader *r, int64_t day);
/* The end of that day's hours, local; of a closed day, of 21:00. */
int64_t duetime_close_of(const struct reader *r, int64_t day);
/* The end of work today, or of the next day on which there is some. */
int64_t duetime_next_close(const struct reader *r);
/* When work begins the next time. */
int64_t duetime_next_open(const struct reader *r);
/* The end of work so many working days on. */
int64_t duetime_workdays_on(const struct reader *r, int n);
/* What may stand behind a day: a part of it, an hour, 前; else the time is `otherwise`, or the end of its hours. */
void duetime_read_rest_or(struct reader *r, int64_t day, int64_t *due, int64_t otherwise);
void duetime_read_rest_of_day(struct reader *r, int64_t day, int64_t *due);

/* N小时, 半小时, 一个半小时, N分钟, 一刻钟, N天, N个工作日, N周 + 内 / 后 */
bool duetime_read_span(struct reader *r, int64_t *due);
/* 今天, 明早, 下班前 … */
bool duetime_read_day(struct reader *r, int64_t *due);
/* 周三, 下周, 本周内 … */
bool duetime_read_week(struct reader *r, int64_t *due);
/* 3月5号, 5号, 月底, 年底 … */
bool duetime_read_date(struct reader *r, int64_t *due);
/* 晚上, 下午, 中午前, X点前 without a day: today, or tomorrow when that has passed. */
bool duetime_read_bare_hour(struct reader *r, int64_t *due);
/* The same in English, words without their blanks: within2hours, bytomorrownoon, in3to5businessdays. */
bool duetime_read_english(struct reader *r, int64_t *due);
