// Health and the audit trail: tables that are read again every few seconds.
import { call } from "./api.js";
import { duration, number, percent, seconds, t, when, word } from "./lang.js";
import { h } from "./dom.js";
import { clip, empty, panel, polled, stamp, table } from "./parts.js";

const wrap = (text) => h("span", { class: "wrap" }, text);

const gatewayRows = (d) => d.nodes.map((n) => [
  h("span", {}, h("span", { class: n.lost ? "dot off" : "dot", role: "img", "aria-label": n.lost ? t("lost") : t("there") }), n.node,
    h("small", {}, n.lost ? t("seen_ago", duration(d.now_ms - n.seen_ms)) : n.draining ? t("draining") : n.ready ? `${n.version} · ${t("since")} ${when(n.started_ms)}` : n.why)),
  h("span", { class: `chip ${n.mode === "enforce" ? "s1" : "s3"}` }, t("mode_" + n.mode)), number(n.agents), number(n.sessions),
  h("span", { class: n.journal?.oldest_unsent_ms > 10000 ? "red" : "" }, seconds(n.journal?.oldest_unsent_ms), h("small", {}, n.journal?.error || t("ring_used", percent(n.journal ? n.journal.unsent_bytes / n.journal.ring_bytes : null)))),
  number(n.journal?.lost)]);

const hookRows = (d) => d.hooks.map((k) => [
  h("span", {}, h("span", { class: k.in_a_row ? "dot off" : "dot" }), k.target, h("small", {}, `${k.kind} · ${k.host}`)),
  h("span", {}, `${number(k.sent)} · ${number(k.failed)}`, k.gave_up ? h("small", { class: "red" }, t("gave_up", number(k.gave_up))) : null), when(k.ok_ms),
  h("span", { class: "wrap" }, when(k.failed_ms), k.error ? h("small", {}, k.error) : null, k.closed_until_ms > d.now_ms ? h("small", { class: "amber" }, t("closed_until", when(k.closed_until_ms))) : null)]);

const ownRows = (d) => [...Object.entries(d.totals).map(([k, v]) => [t("h_" + k), number(v)]), [t("shards"), number(d.shards)],
  [t("h_redis"), h("span", { class: "wrap" }, d.redis, d.redis_whole ? null : h("small", { class: "red" }, t("h_not_whole")))], [t("h_hooks"), number(d.hooks_waiting)],
  [t("h_connects"), number(d.redis_connects)], [t("h_error"), wrap(d.redis_last_error || "–")], [t("h_pages"), number(d.pages)], [t("h_logins"), number(d.logins)]];

export const healthPage = () => polled(async () => ({ d: await call("GET", "/api/v1/health"), audit: await call("GET", "/api/v1/audit") }), ({ d, audit }) => [
  panel(t("gateways"), null, d.nodes.length ? table([[t("node")], [t("mode")], [t("agents_online"), 1], [t("sessions"), 1], [t("journal_lag"), 1], [t("h_lost"), 1]], gatewayRows(d)) : empty(t("no_nodes"))),
  h("div", { class: "columns even" }, panel(t("health"), null, table([[t("what")], [t("value"), 1]], ownRows(d))), h("div", { class: "stack" },
    panel(t("webhooks"), null, d.hooks.length ? table([[t("target")], [t("sent_failed"), 1], [t("last_ok")], [t("last_failure")]], hookRows(d)) : empty(t("no_webhooks"))),
    panel(t("gaps"), null, d.gaps.length ? table([[t("at")], [t("node")], [t("h_lost"), 1]], d.gaps.map((g) => [when(g.at_ms), g.node, number(g.events)])) : empty(t("no_gaps"))))),
  panel(t("audit"), null, table([[t("at")], [t("who")], [t("action")], [t("target")], [t("why")], [t("result")], [t("from")]],
    audit.entries.map((e) => [stamp(e.at_ms), clip(e.who), word("audit_", e.action), clip(e.target || "–"), wrap(e.why || "–"), word("result_", e.result), e.from])))]);
