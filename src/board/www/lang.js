// Texts in English and Chinese. The language is the reader's choice, else the browser's.
const TEXTS = {
  title: ["Service desk", "客服看板"], now: ["Now", "实时"], cases: ["Cases", "投诉"], agents: ["Agents", "客服"],
  violations: ["Violations", "违规"], reminders: ["Reminders", "提醒"], health: ["Health", "运行状态"], audit: ["Audit trail", "审计记录"],
  user: ["Name", "用户名"], password: ["Password", "密码"], log_in: ["Log in", "登录"], log_out: ["Log out", "退出"],
  theme: ["Dark or light", "深色或浅色"], language: ["中文", "English"], skip: ["To the content", "跳到正文"],
  role_viewer: ["viewer", "只读"], role_supervisor: ["supervisor", "主管"], role_admin: ["administrator", "管理员"],
  e_credentials: ["Name or password is wrong.", "用户名或密码错误。"],
  e_locked: ["Too many failed logins. Try again later.", "登录失败次数过多，请稍后再试。"],
  e_busy: ["Many people are logging in. Try again.", "登录人数较多，请重试。"],
  e_login: ["Your login has ended.", "登录已失效，请重新登录。"],
  e_role: ["Your role does not allow this.", "你的角色无权执行此操作。"],
  e_redis: ["Redis cannot be reached. Nothing was changed as far as we know; try again.", "无法连接 Redis，请重试。"],
  e_no_gateway: ["No gateway has written to this Redis yet.", "尚无网关向该 Redis 写入数据。"],
  e_illegal_move: ["The case has moved on meanwhile.", "该投诉的状态已经变化。"],
  e_other_case: ["Another case of this customer is open.", "该顾客另有未结投诉。"],
  e_case: ["There is no such case.", "没有这个投诉。"], e_why: ["Please give a reason.", "请填写原因。"],
  e_network: ["The dashboard's server does not answer.", "看板服务器没有响应。"],
  e_other: ["That did not work.", "操作失败。"],
  offline: ["No connection to the dashboard's server. What you see is old.", "与看板服务器的连接已断开，当前数据已过期。"],
  no_redis: ["Redis cannot be reached. What you see is {0} old.", "无法连接 Redis，当前数据已过期 {0}。"],
  no_redis_yet: ["Redis cannot be reached, or has not been read yet.", "无法连接 Redis，或尚未读取数据。"],
  loading_day: ["Today's figures are still being read.", "今日数据仍在读取中。"],
  cut: ["More customers wait than are shown.", "等待的顾客多于此处显示的数量。"],
  waiting: ["Customers waiting", "等待中的顾客"], longest: ["Longest wait", "最长等待"],
  within_30: ["Reply ≤ 30 s", "30 秒内回复"], within_180: ["Reply ≤ 3 min", "3 分钟内回复"],
  online: ["Agents online", "在线客服"], open_convs: ["{0} open conversations", "{0} 个进行中的会话"],
  blocked: ["Blocked", "已拦截"], rewritten: ["Rewritten", "已改写"], warned: ["Warned", "已警告"],
  today: ["today", "今日"], today_head: ["Today", "今日"], replies_today: ["{0} replies today", "今日 {0} 次回复"],
  who_waits: ["Who waits", "谁在等待"], longest_first: ["longest wait first", "等待最久的在前"],
  nobody_waits: ["Nobody waits.", "没有顾客在等待。"], more: ["and {0} more", "另有 {0} 位"],
  messages: ["{0} msg", "{0} 条"], no_agent: ["no agent", "无客服"],
  agent: ["Agent", "客服"], team: ["Team", "团队"], shop: ["Shop", "店铺"], open: ["Open", "会话"],
  waits: ["Waiting", "等待"], replies: ["Replies", "回复数"], first: ["First reply", "首次回复"], mean: ["Mean", "平均"],
  short_30: ["≤ 30 s", "≤ 30 秒"], short_180: ["≤ 3 min", "≤ 3 分钟"], kept: ["Promises kept", "守约"], broken: ["broken", "失约"], offline_short: ["offline", "离线"],
  nobody: ["No agent was seen yet.", "尚未见到任何客服。"], none_online: ["No agent is online.", "没有客服在线。"],
  csv: ["Download CSV", "下载 CSV"], find: ["Find", "查找"], find_case: ["customer, order, words …", "顾客、订单号、内容…"],
  show: ["Show", "显示"], which_open: ["unfinished", "未结"], which_all: ["all", "全部"],
  severity: ["Severity", "严重程度"], any: ["any", "不限"], s1: ["minor", "一般"], s2: ["serious", "较重"], s3: ["grave", "严重"], s4: ["critical", "紧急"],
  no_cases: ["No case fits.", "没有符合条件的投诉。"], n_cases: ["{0} cases", "{0} 个投诉"],
  age: ["{0}", "{0}"], no_news: ["no news {0}", "{0} 无进展"],
  customer: ["Customer", "顾客"], orders: ["Orders", "订单号"], opened: ["Opened", "立案"], updated: ["Last change", "最近变化"],
  news: ["Last news to the customer", "最近答复顾客"], complaints: ["Complaints", "投诉次数"], rule: ["Rule", "规则"],
  conversation: ["Conversation", "会话"], history: ["History", "经过"], close_detail: ["Back to the list", "返回列表"],
  state_open: ["open", "待处理"], state_acknowledged: ["acknowledged", "已受理"], state_waiting: ["waiting", "等待中"],
  state_solved: ["solved", "已解决"], state_closed: ["closed", "已关闭"], state_reopened: ["reopened", "重新打开"],
  do_acknowledged: ["Acknowledge", "受理"], do_waiting: ["Wait", "等待"], do_solved: ["Solve", "解决"],
  do_closed: ["Close", "关闭"], do_reopened: ["Reopen", "重新打开"],
  reason: ["Reason (needed)", "原因（必填）"], done_move: ["Done: {0}", "已完成：{0}"],
  transcript: ["What was said", "聊天记录"], show_transcript: ["Show what was said", "查看聊天记录"], no_transcript: ["No transcript is kept.", "未保留聊天记录。"],
  coming: ["Coming up", "即将提醒"], snoozed_list: ["Snoozed", "已暂停"], raised_list: ["Raised", "已提醒"], no_coming: ["Nothing is to be reminded of.", "没有待提醒事项。"], when_next: ["Next", "下次"], due_now: ["due", "已到期"], in_time: ["in {0}", "{0}后"],
  due_at: ["due {0}", "{0} 到期"], since_when: ["since {0}", "始于 {0}"], n_raised: ["{0} raised", "已提醒 {0} 次"], reason_snooze: ["Why it is put off", "暂停原因"], r_wait_stock: ["Waiting for the warehouse", "等待仓库答复"], rem_snoozed: ["snoozed", "已暂停"],
  rem_cold_case: ["customer hears nothing", "顾客未获进展"], rem_review_chat: ["review, by chat", "差评跟进（聊天）"], rem_review_call: ["review, by telephone", "差评跟进（电话）"], rem_follow_up: ["visit after solving", "解决后回访"],
  e_reminder: ["There is no such reminder.", "没有这个提醒。"], e_until: ["That time does not fit.", "时间无效。"], webhooks: ["Webhooks", "外部通知"], no_webhooks: ["No webhook was used yet.", "尚未使用外部通知。"], target_head: ["Target", "目标"], sent_failed: ["Sent · failed", "成功 · 失败"],
  last_ok: ["Last success", "最近成功"], last_failure: ["Last failure", "最近失败"], gave_up: ["{0} given up", "放弃 {0} 条"], closed_until: ["closed until {0}", "{0} 前停用"], gaps: ["Gaps in the data", "数据缺口"], no_gaps: ["No gap.", "没有缺口。"],
  h_redis: ["Redis", "Redis"], h_not_whole: ["a part cannot be reached", "部分不可达"], h_hooks: ["Events for webhooks", "待发外部通知"],
  day: ["Day", "日期"], compare: ["Compare with", "对比"], nothing: ["nothing", "不对比"], rows_by: ["Rows", "按"], hours_of: ["Time", "计时"], plain_time: ["plain", "自然时间"], business_time: ["business hours", "营业时间"],
  counted: ["Counted", "计入"], unanswered: ["Unanswered", "未回复"], answered: ["Answered", "已回复"], on_time: ["In time", "及时率"], measured_units: ["As measured", "按口径"],
  unit_message: ["messages", "顾客消息"], unit_round: ["rounds", "轮次"], unit_session: ["sessions behind {0} of silence", "静默 {0}后的新会话"], unit_customer_day: ["customers by day", "每位顾客当日首条消息"],
  counts_start: ["begun {0}", "{0} 开始的"], counts_touch: ["begun or answered {0}", "{0} 开始或得到回复的"], counts_clip: ["open time {0}", "只计 {0} 的时间"], shop_hours: ["in the shop's hours", "店铺营业时间内"],
  m_within: ["answered within {0}", "{0}内回复为及时"], m_midnight: ["unanswered at midnight", "当日 24 点前未回复计为未回复"], m_after: ["unanswered after {0}", "超过 {0}计为未回复"], comma: [", ", "，"], full_hours: ["{0} h", "{0} 小时"], colon: ["{0}: {1}", "{0}：{1}"],
  preset_taobao: ["Taobao", "淘宝"], preset_jd: ["JD", "京东"], preset_douyin: ["Douyin", "抖音"], preset_pdd: ["Pinduoduo", "拼多多"], preset_kuaishou: ["Kuaishou", "快手"], preset_wecom: ["WeCom", "企业微信"],
  preset_zendesk: ["Zendesk", "Zendesk"], preset_custom: ["own definition", "自定义口径"],
  none_named: ["(none)", "（无）"], distribution: ["How long replies took", "回复用时分布"], rounds_all: ["all rounds", "全部轮次"], rounds_first: ["first replies", "首次回复"], rounds_next: ["next replies", "后续回复"],
  rounds_in30: ["within 30 s", "30 秒内"], rounds_over30: ["slower than 30 s", "超过 30 秒"], rounds_over180: ["slower than 3 min", "超过 3 分钟"], words_head: ["Words", "内容"],
  r_wrong: ["Wrong", "误判"], r_right: ["Right", "判对"], this_wrong: ["This was wrong", "这是误判"], this_right: ["This was right", "判得对"], unmask: ["Show unmasked", "查看原文"], why_unmask: ["looked at on the Violations page", "在违规页面查看"],
  would: ["trial: would be {0}", "试运行：将{0}"], by_rule_days: ["By rule, last 7 days", "按规则统计（近 7 天）"], by_day: ["{0} by day", "{0}（每天）"], precision: ["{0} right", "准确率 {0}"], precision_of: ["{0} right, {1} wrong", "判对 {0} 次，误判 {1} 次"],
  precision_head: ["Precision", "准确率"], e_judged: ["A supervisor has judged this one.", "主管已作出判断。"], e_not_kept: ["The unmasked text is not kept.", "未保留原文。"], e_violation: ["There is no such message, or it is too old.", "没有这条记录，或已过期。"],
  mode: ["Mode", "模式"], mode_enforce: ["enforced", "执行"], mode_observe: ["observe only", "仅观察"], mode_bypass: ["bypassed", "旁路"], modes: ["Rules are not enforced: {0}", "规则未执行：{0}"], rule_set: ["Rule set", "规则版本"], loaded: ["Loaded", "加载时间"],
  failures: ["Failure", "失败"], n_rules: ["{0} rules", "{0} 条规则"], n_reloads: ["{0} reloads, {1} failed", "重载 {0} 次，失败 {1} 次"], reload_failed: ["last reload failed", "最近一次重载失败"], lost: ["lost", "失联"], there: ["there", "在线"],
  seen_ago: ["last seen {0} ago", "{0}前在线"], not_everywhere: ["not on every gateway", "并非所有网关都在运行"], versions_differ: ["{0} different rule sets", "{0} 个不同版本"], packs: ["Packs", "规则包"], n_trial: ["{0} on trial", "{0} 条试运行"],
  norm: ["Norm", "规范"], action_head: ["Action", "动作"], trend: ["Trend", "趋势"], last_days: ["last {0} days", "近 {0} 天"], hits_own: ["your agents, last {0} days", "你可见的客服，近 {0} 天"], sessions: ["Sessions", "连接"],
  journal_lag: ["Journal lag", "日志延迟"], ring_used: ["{0} in use", "已用 {0}"], draining: ["draining", "正在排空"],
  held: ["Held", "待审消息"], held_past: ["Decided lately", "最近处理"], no_held: ["No message waits for approval.", "没有待审消息。"], n_held: ["{0} wait", "{0} 条待审"],
  no_held_past: ["Nothing was decided yet.", "尚无处理记录。"], do_approve: ["Approve", "批准发送"], do_refuse: ["Refuse", "拒绝"], reason_refuse: ["Reason, told to the agent", "拒绝原因（会告知客服）"],
  time_over: ["over", "已超时"], is_edit: ["an edit", "修改消息"], text: ["Text", "内容"],
  r_held_wording: ["Say it differently", "请换一种说法"], r_held_private: ["No private contact", "不得留站外联系方式"], r_held_promise: ["We cannot promise this", "无法承诺"],
  held_waiting: ["waiting", "待审"], held_approved: ["approved, not sent yet", "已批准，待发送"], held_sending: ["being sent", "发送中"], held_sent: ["sent", "已发送"], held_blocked: ["blocked by the rules now", "现行规则拦截"],
  held_uncertain: ["perhaps sent", "可能已发送"], held_unsent: ["agent was away", "客服离线未发送"], held_refused: ["refused", "已拒绝"], held_expired: ["expired", "已过期"],
  e_ended: ["Somebody decided already, or the time is over.", "该消息已被处理或已超时。"], e_held: ["There is no such message.", "没有这条消息。"],
  assign: ["Works on it", "负责人"], assigned: ["Works on it", "负责人"], do_assign: ["Assign", "指派"], call_logged: ["Call logged", "电话记录"], call_answered: ["answered", "已接通"], call_no_answer: ["no answer", "未接听"],
  call_busy: ["busy", "占线"], calls: ["Calls", "电话"], force: ["Log it all the same", "仍然记录"], e_call_limit: ["Two calls a day are the limit.", "每天最多拨打两次。"], e_chat_first: ["A review is followed up by chat first.", "评价问题请先在聊天中跟进。"],
  e_value: ["That value does not fit.", "填写内容无效。"], snooze: ["Snooze", "稍后提醒"], snooze_1h: ["1 h", "1 小时"], snooze_4h: ["4 h", "4 小时"], snooze_tomorrow: ["tomorrow 9:00", "明天 9:00"], snooze_3d: ["3 days", "3 天"],
  snooze_end: ["wake", "取消"], asleep: ["asleep until {0}", "{0} 前不提醒"], asleep_until: ["Asleep until", "暂停提醒至"], more_acts: ["More", "更多"], do_news: ["Customer was told", "已告知顾客"], do_note: ["Note", "备注"],
  act_done_assign: ["assigned to {0}", "指派给 {0}"], act_done_call: ["call: {0}", "电话：{0}"], act_done_news: ["customer was told", "已告知顾客"], act_done_snooze: ["snoozed until {0}", "暂停提醒至 {0}"], act_done_order: ["order {0}", "订单 {0}"],
  act_done_severity: ["severity {0}", "严重程度 {0}"], act_done_note: ["note", "备注"],
  role_agent: ["agent", "客服"],
  r_called: ["Called the customer", "已电话联系顾客"], r_refund: ["Refund issued", "已退款"],
  r_resent: ["Goods sent again", "已补发"], r_wait_courier: ["Waiting for the courier", "等待快递核实"],
  r_not_justified: ["Not a complaint", "不属于投诉"], look_only: ["Your role may look only.", "你的角色只能查看。"],
  kind_not_delivered: ["not delivered", "未收到货"], kind_not_as_described: ["not as described", "描述不符"],
  kind_damaged: ["damaged or lost", "破损丢失"], kind_wrong_item: ["wrong item", "发错货"], kind_refund: ["refund", "退款"],
  kind_attitude: ["attitude", "服务态度"], kind_fake: ["fake goods", "假货"], kind_invoice: ["invoice", "发票"],
  kind_promise_broken: ["promise broken", "未守承诺"], kind_promise: ["promise broken", "未守承诺"],
  kind_regulator: ["will go to the regulator", "将投诉监管部门"], kind_bad_review: ["bad review", "差评"],
  kind_other: ["other", "其他"], kind_complaint: ["complaint", "投诉"],
  at: ["When", "时间"], what: ["What", "事项"], to: ["To", "对象"], result: ["Result", "结果"],
  rem_unanswered: ["unanswered customer", "顾客未获回复"], rem_stale_case: ["case without news", "投诉无进展"],
  rem_commitment: ["promise due", "承诺到期"], rem_raised: ["raised", "已提醒"], rem_delivered: ["shown in the chat", "已送达聊天窗口"],
  rem_undelivered: ["not shown", "未送达"], rem_uncertain: ["perhaps shown", "可能已送达"],
  rem_cold_case: ["customer hears nothing", "顾客未获进展"], rem_review_chat: ["review, by chat", "评价跟进（聊天）"],
  rem_review_call: ["review, by telephone", "评价跟进（电话）"], rem_follow_up: ["visit after solving", "解决后回访"],
  rem_snoozed: ["snoozed", "已推迟"],
  to_agent: ["agent", "客服"], to_supervisor: ["supervisor", "主管"], since: ["since", "始于"],
  next: ["Next replies", "后续回复"], rounds: ["Rounds, newest first", "最近的问答轮次"], replied_after: ["Replied after", "回复用时"],
  messages_head: ["Messages", "消息数"], kind_of_reply: ["Kind", "类型"], e_agent: ["There is no such agent.", "没有这位客服。"],
  no_violations: ["No message was touched yet.", "暂无被处理的消息。"], by_rule: ["By rule, of those listed", "按规则统计（当前列表）"],
  rules: ["Rules", "规则"], hits: ["Hits", "命中"], act_block: ["blocked", "拦截"], act_rewrite: ["rewritten", "改写"], act_warn: ["warned", "警告"],
  act_hold: ["held", "待审"], act_pass: ["passed", "放行"], shadow: ["trial: {0}", "试运行：{0}"], trials: ["On trial", "试运行"],
  no_reminders: ["No reminder yet.", "暂无提醒。"],
  node: ["Gateway", "网关"], gateways: ["Gateways", "网关"], agents_online: ["Agents online", "在线客服"], shards: ["Shards", "分片"],
  h_events: ["Events recorded", "已记录事件"], h_lost: ["Events lost (gaps in the data)", "丢失的事件（数据缺口）"],
  h_late: ["Events too late to count", "过迟未计入的事件"], h_dup: ["Copies left out", "已忽略的重复"],
  h_bad: ["Events that could not be read", "无法读取的事件"], h_forgotten: ["Forgotten waiting customers", "因过久而移除的等待"],
  h_connects: ["Connections to Redis since start", "启动以来的 Redis 连接次数"], h_error: ["Last error of the link", "最近的连接错误"],
  h_pages: ["Pages with live updates", "实时页面数"], h_logins: ["Logins", "登录数"], no_nodes: ["No gateway has agents.", "没有网关有在线客服。"],
  who: ["Who", "操作人"], action: ["Action", "操作"], target: ["Target", "目标"], why: ["Reason", "原因"], from: ["From", "来源"],
  days: ["{0} d {1} h", "{0} 天 {1} 小时"], hours: ["{0} h {1} min", "{0} 小时 {1} 分"], minutes: ["{0} min", "{0} 分钟"], seconds: ["{0} s", "{0} 秒"],
  keys: ["Keys: {0} pages · {1} find · {4} up and down in lists · {2} theme · {3} language", "快捷键：{0} 切换页面 · {1} 查找 · {4} 列表上下移动 · {2} 主题 · {3} 语言"],
  times_in: ["Times are those of {0}.", "时间按 {0} 显示。"], value: ["Value", "数值"],
  open_case: ["Open a case", "新建投诉"], customer_id: ["Customer, as these pages show the name", "顾客（与本页面显示的名称一致）"], kind: ["Kind", "类型"], words_said: ["What the customer said", "顾客原话"],
  agent_optional: ["Agent (decides team and shop)", "客服（决定所属团队和店铺）"], do_open: ["Open", "立案"], cancel: ["Cancel", "取消"],
  e_customer: ["Who is the customer?", "请填写顾客。"], e_kind: ["That kind does not fit.", "类型无效。"], e_words: ["At most 600 bytes.", "内容过长（最多 600 字节）。"],
  e_privacy_key: ["The server cannot read the key of the pseudonyms.", "服务器无法读取假名密钥。"], e_agent_scope: ["Name an agent of a team and shop that you see.", "请填写你可见团队和店铺的客服。"],
  kind_review_bad: ["bad review", "差评"], kind_review_middling: ["middling review", "中评"],
  who_customer: ["customer", "顾客"], who_agent: ["agent", "客服"],
  does_block: ["block", "拦截"], does_rewrite: ["rewrite", "改写"], does_warn: ["warn", "警告"], does_hold: ["hold", "待审"], does_pass: ["note", "仅记录"],
  audit_login: ["login", "登录"], audit_logout: ["logout", "退出"], audit_case_opened: ["case opened", "新建投诉"], audit_case_acknowledged: ["case acknowledged", "受理投诉"], audit_case_waiting: ["case waits", "投诉等待"],
  audit_case_solved: ["case solved", "解决投诉"], audit_case_closed: ["case closed", "关闭投诉"], audit_case_reopened: ["case reopened", "重新打开投诉"], audit_case_assign: ["case assigned", "指派投诉"], audit_case_call: ["call logged", "记录电话"],
  audit_case_news: ["customer was told", "已告知顾客"], audit_case_snooze: ["case snoozed", "暂停投诉提醒"], audit_case_order: ["order number added", "添加订单号"], audit_case_severity: ["severity set", "修改严重程度"], audit_case_note: ["note", "备注"],
  result_ok: ["done", "成功"], result_refused: ["refused", "被拒绝"], result_none: ["there is none", "不存在"], result_locked: ["locked", "已锁定"], result_unknown: ["unknown", "不明"], result_not_visible: ["not visible", "无权查看"],
  by_hour: ["{0} by hour", "{0}（每小时）"],
};
const AT = { en: 0, zh: 1 };

export const stored = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* private window: for this page only */ } },
};

let lang = stored.get("lang");
if (!(lang in AT)) {
  lang = (navigator.languages || [navigator.language]).map((l) => l.slice(0, 2)).find((l) => l in AT) || "en";
}

export const language = () => lang;
export function setLanguage(to) {
  lang = to;
  stored.set("lang", to);
}
export function t(key, ...args) {
  const pair = TEXTS[key];
  return pair ? pair[AT[lang]].replace(/\{(\d)\}/g, (_, i) => args[i] ?? "") : key;
}
// The text of a word from the data, or the word itself when it is none of ours.
export const word = (prefix, w) => (TEXTS[prefix + w] ? t(prefix + w) : w);

export function duration(ms) {
  if (ms == null) return "–";
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return t("seconds", s);
  if (s < 3600) return t("minutes", Math.floor(s / 60));
  if (s < 86400) return t("hours", Math.floor(s / 3600), String(Math.floor(s / 60) % 60).padStart(2, "0"));
  return t("days", Math.floor(s / 86400), Math.floor(s / 3600) % 24);
}
// 0:07, 12:34, 3:04:05
export function clock(ms) {
  const s = Math.max(0, Math.floor(ms / 1000)), pad = (n) => String(n).padStart(2, "0");
  return s < 3600 ? `${Math.floor(s / 60)}:${pad(s % 60)}` : `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}`;
}
export const percent = (v) => (v == null ? "–" : new Intl.NumberFormat(lang, { style: "percent", maximumFractionDigits: v < 1 && v > 0.9 ? 1 : 0 }).format(v));
export const number = (v) => (v == null ? "–" : new Intl.NumberFormat(lang).format(v));
export const seconds = (ms) => (ms == null ? "–" : ms < 10000 ? t("seconds", (ms / 1000).toFixed(1)) : ms < 60000 ? duration(ms) : clock(ms));

// They are dear to make and made for every row.
const formatters = new Map();
function formatter(locale, options) {
  const key = locale + JSON.stringify(options);
  if (!formatters.has(key)) formatters.set(key, new Intl.DateTimeFormat(locale, options));
  return formatters.get(key);
}

// Times are those of the desk: of the zone in which the server's days begin, wherever the page is looked at.
const DAY_MS = 86_400_000;
const knows = (timeZone) => { try { new Intl.DateTimeFormat("en", { timeZone }); return true; } catch { return false; } };
const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
let zone = own;
export function setZone({ timezone, utc_offset_min: minutes }) {
  const at = `${minutes < 0 ? "-" : "+"}${String(Math.floor(Math.abs(minutes) / 60)).padStart(2, "0")}:${String(Math.abs(minutes) % 60).padStart(2, "0")}`;
  const whole = `Etc/GMT${minutes > 0 ? "-" : "+"}${Math.abs(minutes) / 60}`; // POSIX counts westwards
  zone = [timezone, at, minutes % 60 ? "" : whole].find((z) => z && knows(z)) ?? own;
}
// The zone's name where the reader's own clock shows something else; "" elsewhere.
export const foreignZone = () => (offset(Date.now(), zone) === offset(Date.now(), own) ? "" : zone);
const parts = (ms, timeZone) => Object.fromEntries(formatter("en-US", { timeZone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit" }).formatToParts(ms).map((p) => [p.type, p.value]));
function offset(ms, timeZone) {
  const p = parts(ms, timeZone);
  return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second) - Math.floor(ms / 1000) * 1000;
}
// The moment of a local time so many hours after the midnight before `ms`.
export function atHour(ms, hours) {
  const local = Math.floor((ms + offset(ms, zone)) / DAY_MS) * DAY_MS + hours * 3_600_000;
  return local - offset(local - offset(ms, zone), zone);
}
// 2026-11-22
export const isoDay = (ms) => { const p = parts(ms, zone); return `${p.year}-${p.month}-${p.day}`; };

const format = (options, ms) => formatter(lang === "zh" ? "zh-CN" : "en-GB", { timeZone: zone, ...options }).format(ms);
const dateOf = (ms) => format(lang === "zh" ? { year: "numeric", month: "2-digit", day: "2-digit" } : { year: "numeric", month: "short", day: "numeric" }, ms);
export const when = (ms) => (ms ? `${dateOf(ms)} ${timeOf(ms)}` : "–");
// Time of day, and the day when that is not today.
export const timeOf = (ms) => (ms ? format({ timeStyle: "medium" }, ms) : "–");
export const dayOf = (ms) => (!ms || isoDay(ms) === isoDay(Date.now()) ? "" : dateOf(ms));
// 14:05, or with its day when that is not today.
export const clockOf = (ms) => [dayOf(ms), format({ timeStyle: "short" }, ms)].filter(Boolean).join(" ");
export const dayName = (ms) => format({ weekday: "short", month: "numeric", day: "numeric" }, ms);
// Of a date as the server says it, wherever it is that date: "2026-11-22".
export const dateName = (iso) => formatter(lang === "zh" ? "zh-CN" : "en-GB", { timeZone: "UTC", weekday: "short", month: "numeric", day: "numeric" }).format(Date.parse(`${iso}T12:00:00Z`));

// How the deployment measures, in words.
export const measureName = (m) => word("preset_", m.name);
export function measureWords(m) {
  const clockAt = (ms) => `${String(Math.floor(ms / 3_600_000)).padStart(2, "0")}:${String(Math.floor(ms / 60_000) % 60).padStart(2, "0")}`;
  const time = (ms) => (ms % 3_600_000 ? duration(ms) : t("full_hours", ms / 3_600_000));
  const span = m.from_ms == null ? t("shop_hours") : `${clockAt(m.from_ms)}-${clockAt(m.to_ms)}`;
  return [`${t("unit_" + m.unit, m.session_gap_ms ? time(m.session_gap_ms) : "")}${t("comma")}${t("counts_" + m.counts, span)}`, m.within_ms ? t("m_within", time(m.within_ms)) : "",
    m.horizon_ms == null ? "" : m.horizon_ms ? t("m_after", time(m.horizon_ms)) : t("m_midnight")].filter(Boolean).join(t("comma"));
}
