// Agents, Reminders, Health and the audit trail: tables that are read again every few seconds.
import { call } from "./api.js";
import { duration, number, percent, seconds, t, when, word } from "./lang.js";
import { drawSpark, h, spark } from "./dom.js";
import { empty, panel, polled, stamp, table } from "./parts.js";

const agentsTable = () => polled(() => call("GET", "/api/v1/agents"), (d) => [
  panel(`${t("agents")} · ${t("today")}`, h("a", { href: "/api/v1/agents.csv", download: "" }, t("csv")),
    d.agents.length ? table([[t("agent")], [t("team")], [t("shop")], [t("open"), 1], [t("waits"), 1], [t("replies"), 1], [t("short_30"), 1],
      [t("short_180"), 1], ["p50", 1], ["p90", 1], ["p99", 1], [t("first"), 1], [t("blocked"), 1], [t("rewritten"), 1], [t("warned"), 1], [t("kept"), 1], [t("broken"), 1]],
    d.agents.map((a) => [h("span", {}, h("span", { class: a.online ? "dot" : "dot off", role: "img", "aria-label": a.online ? t("online") : t("offline_short") }),
      h("a", { href: `#agents/${encodeURIComponent(a.agent)}` }, a.agent)),
      a.team || "–", a.shop || "–", number(a.open), number(a.waiting), number(a.replies), percent(a.within_30s), percent(a.within_180s), seconds(a.p50_ms),
      seconds(a.p90_ms), seconds(a.p99_ms), seconds(a.first.mean_ms), number(a.blocked), number(a.rewritten), number(a.warned), number(a.promises_kept),
      number(a.promises_broken)])) : empty(t("nobody")))]);

function hourLines(hours) {
  const tile = (name, member, top) => {
    const line = spark();
    drawSpark(line, hours.map((x) => x[member]), top, t("by_hour", name));
    return h("div", {}, h("div", { class: "note" }, t("by_hour", name)), line);
  };
  return h("div", { class: "lines" }, tile(t("replies"), "replies"), tile(t("within_30"), "within_30s", 1), tile(t("within_180"), "within_180s", 1), tile(t("blocked"), "blocked"));
}

// One agent: figures, lines by the hour, the rounds behind them.
const agentPage = (id) => polled(() => call("GET", `/api/v1/agents/${encodeURIComponent(id)}`), (a) => [
  panel([a.agent, a.team, a.shop].filter(Boolean).join(" · "), h("a", { href: "#agents" }, t("close_detail")), h("div", { class: "detail" },
    h("dl", {}, [[t("node"), a.online ? a.node || "–" : t("offline_short")], [t("open"), number(a.open)], [t("waits"), number(a.waiting)], [t("replies"), number(a.replies)],
      [t("first"), `${number(a.first.replies)} · ${seconds(a.first.mean_ms)} · ${percent(a.first.within_30s)} ${t("short_30")}`],
      [t("next"), `${number(a.next.replies)} · ${seconds(a.next.mean_ms)} · ${percent(a.next.within_30s)} ${t("short_30")}`],
      ["p50 · p90 · p99", [a.p50_ms, a.p90_ms, a.p99_ms].map(seconds).join(" · ")],
      [`${t("blocked")} · ${t("rewritten")} · ${t("warned")}`, [a.blocked, a.rewritten, a.warned].map(number).join(" · ")],
      [`${t("kept")} · ${t("broken")}`, [a.promises_kept, a.promises_broken].map(number).join(" · ")]].flatMap(([k, v]) => [h("dt", {}, k), h("dd", {}, v)])),
    hourLines(a.hours))),
  panel(t("rounds"), null, a.rounds.length ? table([[t("at")], [t("customer")], [t("replied_after"), 1], [t("messages_head"), 1], [t("kind_of_reply")]],
    a.rounds.map((r) => [stamp(r.end_ms), r.customer || r.conversation, seconds(r.end_ms - r.start_ms), number(r.messages), r.first ? t("first") : t("next")])) : empty("–"))]);

export const agentsPage = (id) => (id ? agentPage(id) : agentsTable());

export const remindersPage = () => polled(() => call("GET", "/api/v1/reminders"), (d) => [
  panel(t("reminders"), null, d.reminders.length ? table([[t("at")], [t("what")], [t("result")], [t("to")], [t("agent")], [t("customer")], [t("since")]],
    d.reminders.map((r) => [stamp(r.at_ms), word("rem_", r.kind), word("rem_", r.what), r.to ? word("to_", r.to) : "–", r.agent || "–", r.customer || "–", when(r.since_ms)]))
    : empty(t("no_reminders")))]);

export const healthPage = () => polled(async () => ({ health: await call("GET", "/api/v1/health"), audit: await call("GET", "/api/v1/audit") }),
  ({ health: d, audit }) => [h("div", { class: "columns" },
    panel(t("health"), null, table([[t("what")], ["", 1]], [...Object.entries(d.totals).map(([k, v]) => [t("h_" + k), number(v)]),
      [t("shards"), number(d.shards)], [t("h_connects"), number(d.redis_connects)], [t("h_error"), d.redis_last_error || "–"], [t("h_pages"), number(d.pages)], [t("h_logins"), number(d.logins)]])),
    panel(t("gateways"), null, d.nodes.length ? table([[t("node")], [t("agents_online"), 1], [t("sessions"), 1], [t("journal_lag"), 1]], d.nodes.map((n) => [
      h("span", {}, h("span", { class: n.lost ? "dot off" : "dot", role: "img", "aria-label": n.lost ? t("lost") : t("there") }), n.node,
        h("small", {}, n.lost ? t("seen_ago", duration(d.now_ms - n.seen_ms)) : n.draining ? t("draining") : n.ready ? `${n.version} · ${t("since")} ${when(n.started_ms)}` : n.why)),
      number(n.agents), number(n.sessions), h("span", { class: n.journal?.oldest_unsent_ms > 10000 ? "red" : "" }, seconds(n.journal?.oldest_unsent_ms), h("small", {}, n.journal?.error || t("ring_used", percent(n.journal ? n.journal.unsent_bytes / n.journal.ring_bytes : null))))]))
      : empty(t("no_nodes")))),
  panel(t("audit"), null, table([[t("at")], [t("who")], [t("action")], [t("target")], [t("why")], [t("result")], [t("from")]],
    audit.entries.map((e) => [stamp(e.at_ms), e.who, e.action, e.target || "–", e.why || "–", e.result, e.from])))]);
