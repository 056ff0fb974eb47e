// Reminders, Health and the audit trail: tables that are read again every few seconds.
import { call } from "./api.js";
import { duration, number, percent, seconds, t, when, word } from "./lang.js";
import { h } from "./dom.js";
import { empty, panel, polled, stamp, table } from "./parts.js";

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
