/* The readable page of an export: one file without scripts, pictures or links, for printing and for reading. */
#include <inttypes.h>
#include <time.h>

#include "base/xalloc.h"
#include "cli/cli_case.h"
#include "cli/cli_evidence.h"
#include "cli/cli_tracked.h"
#include "cli/table.h"
#include "track/evidence.h"

enum { HIST_AT = 1, HIST_FROM, HIST_TO, HIST_WHO, HIST_WHY, HIST_ACT, HIST_VALUE };

static const char head[] =
    "<!doctype html>\n<html lang=\"zh\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    "body{font:15px/1.6 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;color:#222}\n"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3em .6em;"
    "border-bottom:1px solid #ddd}\n"
    "td.t{white-space:nowrap;color:#666;font-variant-numeric:tabular-nums}td.x{white-space:pre-wrap;"
    "overflow-wrap:anywhere}\n"
    "tr.in td.x{background:#f4f6fa}tr.step td{background:#fdf6e3;font-style:italic}tr.no "
    "td.x{text-decoration:line-through;"
    "color:#a00}\n"
    "code{font-size:12px;overflow-wrap:anywhere}.note{color:#666;font-size:13px}\n</style>\n";

static void put_escaped(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '<':
            buf_append_str(b, "&lt;");
            break;
        case '>':
            buf_append_str(b, "&gt;");
            break;
        case '&':
            buf_append_str(b, "&amp;");
            break;
        case '"':
            buf_append_str(b, "&quot;");
            break;
        case '\'':
            buf_append_str(b, "&#39;");
            break;
        default:
            buf_append(b, s.p[i] < 0x20 && s.p[i] != '\n' ? (const void *)" " : (const void *)&s.p[i], 1);
        }
    }
}

/* A column of the case in the words of those who will read the page. */
static const char *in_chinese(const char *column)
{
    static const char *const names[][2] = {{"id", "编号"},
                                           {"state", "状态"},
                                           {"severity", "严重程度"},
                                           {"kinds", "类型"},
                                           {"customer", "顾客"},
                                           {"agent", "客服"},
                                           {"team", "团队"},
                                           {"shop", "店铺"},
                                           {"opened_ms", "立案"},
                                           {"updated_ms", "最近变化"},
                                           {"complaints", "投诉次数"},
                                           {"orders", "订单号"},
                                           {"conversation", "会话"},
                                           {"rule", "规则"},
                                           {"words", "内容"},
                                           {"done_ms", "结束"},
                                           {"last_news_ms", "最近答复顾客"},
                                           {"assigned", "负责人"},
                                           {"snoozed_ms", "暂停提醒至"},
                                           {"calls", "电话"},
                                           {"last_call_ms", "最近通话"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i][0], column) == 0)
            return names[i][1];
    return "";
}

/* The zone of the page's times: whoever reads it may sit elsewhere. */
static const char *zone_at(int64_t at_ms, char out[16])
{
    time_t t = at_ms / 1000;
    struct tm tm;
    localtime_r(&t, &tm);
    long minutes = tm.tm_gmtoff / 60, far = minutes < 0 ? -minutes : minutes;
    snprintf(out, 16, "UTC%c%02ld:%02ld", minutes < 0 ? '-' : '+', far / 60 % 100, far % 60);
    return out;
}

static void put_about(struct buf *b, const struct evidence_case *c)
{
    const struct redis_reply *row = redis_item(c->of, 1);
    char when[TRACKED_TIME_MAX];
    buf_append_str(b, "<table>");
    for (size_t i = 0; i < CASE_COLUMNS; i++) {
        bool is_time = strstr(case_column_name(i), "_ms");
        struct span text = is_time ? span_str(tracked_time(tracked_int(row, i), when)) : tracked_text(row, i);
        if (!text.n || span_is(text, "-"))
            continue;
        buf_printf(b, "<tr><th>%s %.*s</th><td class=\"x\">", in_chinese(case_column_name(i)),
                   (int)strlen(case_column_name(i)) - (is_time ? 3 : 0), case_column_name(i));
        put_escaped(b, text);
        buf_append_str(b, "</td></tr>\n");
    }
    buf_append_str(b, "</table>\n");
}

static void put_time(struct buf *b, int64_t at_ms)
{
    char when[TRACKED_TIME_MAX];
    buf_printf(b, "<td class=\"t\">%s</td><td>", tracked_time(at_ms, when));
}

static void put_entry(struct buf *b, const struct redis_reply *e)
{
    bool is_in = span_is(tracked_text(e, SAID_KIND), "in");
    bool is_out = span_is(tracked_text(e, SAID_KIND), "out"), is_delivered = tracked_text(e, SAID_DELIVERED).n > 0;
    struct span action = tracked_text(e, SAID_ACTION);
    buf_printf(b, "<tr class=\"%s%s\">", is_in ? "in" : "out", is_out && !is_delivered ? " no" : "");
    put_time(b, tracked_int(e, SAID_AT));
    put_escaped(b, is_in ? tracked_text(e, SAID_SENDER) : tracked_text(e, SAID_AGENT));
    buf_append_str(b, "</td><td class=\"x\">");
    put_escaped(b, tracked_text(e, SAID_TEXT));
    if (tracked_text(e, SAID_CUT).n)
        buf_append_str(b, " […]");
    buf_append_str(b, "</td><td>");
    if (tracked_text(e, SAID_EDIT).n)
        buf_append_str(b, "edit ");
    if (!is_in && !is_out)
        put_escaped(b, tracked_text(e, SAID_KIND));
    else if (action.n && !span_is(action, "pass"))
        put_escaped(b, action);
    buf_printf(b, "</td><td class=\"t\">%" PRId64 "</td></tr>\n", tracked_int(e, SAID_NO));
}

static void put_step(struct buf *b, const struct redis_reply *h)
{
    buf_append_str(b, "<tr class=\"step\">");
    put_time(b, tracked_int(h, HIST_AT));
    put_escaped(b, tracked_text(h, HIST_WHO));
    buf_append_str(b, "</td><td class=\"x\">");
    if (tracked_text(h, HIST_ACT).n) {
        put_escaped(b, tracked_text(h, HIST_ACT));
        buf_append_str(b, " ");
        put_escaped(b, tracked_text(h, HIST_VALUE));
    } else {
        put_escaped(b, tracked_text(h, HIST_FROM));
        buf_append_str(b, " → ");
        put_escaped(b, tracked_text(h, HIST_TO));
    }
    buf_append_str(b, tracked_text(h, HIST_WHY).n ? ": " : "");
    put_escaped(b, tracked_text(h, HIST_WHY));
    buf_append_str(b, "</td><td>case</td><td></td></tr>\n");
}

/* Messages in the order of their numbers, steps of the case where their time puts them. */
static void put_timeline(struct buf *b, const struct evidence_case *c)
{
    size_t step = 2;
    char zone[16];
    buf_printf(
        b,
        "<table><tr><th>时间 time (%s)</th><th>谁 who</th><th>内容 what</th><th>处理 verdict</th><th>序号 no</th>"
        "</tr>\n",
        zone_at(c->exported_ms, zone));
    for (size_t i = 0; i < c->n_entries; i++) {
        for (; step < c->of->n && tracked_int(c->of->item[step], HIST_AT) <= tracked_int(c->entry[i], SAID_AT); step++)
            put_step(b, c->of->item[step]);
        put_entry(b, c->entry[i]);
    }
    for (; step < c->of->n; step++)
        put_step(b, c->of->item[step]);
    buf_append_str(b, "</table>\n");
}

void evidence_write_page(struct buf *out, const struct evidence_case *c, const char *digest)
{
    char when[TRACKED_TIME_MAX], zone[16];
    buf_append_str(out, head);
    buf_printf(out, "<title>投诉 case %s</title></head><body>\n<h1>投诉 case %s</h1>\n", c->id, c->id);
    put_about(out, c);
    buf_append_str(out, "<h2>对话 conversation</h2>\n");
    put_timeline(out, c);
    buf_printf(out, "<p class=\"note\">导出于 exported %s (%s), ", tracked_time(c->exported_ms, when),
               zone_at(c->exported_ms, zone));
    put_escaped(out, span_str(c->by));
    buf_printf(
        out,
        "。本页仅供阅读，证据以签名文件为准；加删除线的消息没有送达。 This page is for reading; the evidence is the "
        "signed file "
        "with SHA-256 <code>%s</code>, key <code>%s</code>, which <code>chatgate cases verify --key PUB FILE</code> "
        "checks. Struck out: not delivered.</p>\n</body></html>\n",
        digest, c->key_id);
}
