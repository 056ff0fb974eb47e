// The Rules page: what every gateway runs, and every rule with its hits and what people think of them.
import { call } from "./api.js";
import { duration, number, percent, t, when } from "./lang.js";
import { drawSpark, h, spark } from "./dom.js";
import { empty, panel, polled, table } from "./parts.js";

const sum = (a) => a.reduce((x, y) => x + y, 0);

function nodeRow(n, d) {
  const r = n.rules ?? {}, failed = r.last_failed_ms > r.last_reload_ms;
  return [h("span", {}, h("span", { class: n.lost ? "dot off" : "dot", role: "img", "aria-label": n.lost ? t("lost") : t("there") }), n.node, h("small", {}, n.lost ? t("seen_ago", duration(d.now_ms - n.seen_ms)) : n.version)),
    h("span", { class: `chip ${n.mode === "enforce" ? "s1" : "s3"}` }, t("mode_" + n.mode)),
    h("span", {}, h("code", {}, r.version ?? "–"), h("small", {}, t("n_rules", number(r.count)))),
    h("span", {}, when(r.loaded_ms), h("small", {}, t("n_reloads", number(r.reloads), number(r.reloads_failed)))),
    failed ? h("span", { class: "long" }, h("span", { class: "chip s3" }, t("reload_failed")), h("small", {}, when(r.last_failed_ms)), h("small", { class: "why" }, r.last_error)) : "–"];
}

function packs(nodes) {
  const of = new Map();
  for (const n of nodes) for (const p of n.packs ?? []) of.set(p.pack, { ...(of.get(p.pack) ?? { rules: 0, shadow: 0 }), ...p });
  return [...of.values()];
}

function ruleRow(r, versions) {
  const line = spark(), hits = r.hits && sum(r.hits.days), trial = r.hits && sum(r.hits.trial_days);
  if (r.hits) drawSpark(line, r.hits.days.map((n, i) => n + r.hits.trial_days[i]), undefined, t("by_day", r.id));
  return [h("span", { class: "ids" }, h("strong", {}, r.title || r.id), h("small", {}, r.id), r.versions.length < versions ? h("small", { class: "amber" }, t("not_everywhere")) : null),
    r.norm || "–", h("span", {}, h("span", { class: `chip ${r.shadow ? "" : r.action === "block" ? "s3" : r.action === "pass" ? "" : "s2"}` }, t("does_" + r.action)), r.shadow ? h("small", {}, t("trials")) : null),
    r.hits ? number(sum(Object.values(r.hits.today))) : "–", r.hits ? h("div", { class: "trend" }, line) : "–", r.hits ? number(hits + trial) : "–",
    r.hits?.precision != null ? h("span", { title: t("precision_of", r.hits.right, r.hits.wrong) }, percent(r.hits.precision), h("small", {}, `${number(r.hits.right)} / ${number(r.hits.right + r.hits.wrong)}`)) : "–"];
}

export const rulesPage = () => polled(() => call("GET", "/api/v1/rules"), (d) => {
  const alive = d.nodes.filter((n) => !n.lost), versions = new Set(alive.map((n) => n.rules?.version)).size;
  const order = [...d.rules].sort((a, b) => (b.hits ? sum(b.hits.days) + sum(b.hits.trial_days) : 0) - (a.hits ? sum(a.hits.days) + sum(a.hits.trial_days) : 0) || (a.id < b.id ? -1 : 1));
  return [panel(t("gateways"), versions > 1 ? h("span", { class: "chip s2" }, t("versions_differ", versions)) : null,
    d.nodes.length ? table([[t("node")], [t("mode")], [t("rule_set")], [t("loaded")], [t("failures")]], d.nodes.map((n) => nodeRow(n, d))) : empty(t("no_nodes"))),
  panel(t("packs"), null, h("p", { class: "packs" }, packs(alive).map((p) => h("span", { class: "chip" }, `${p.pack} ${p.rules}`, p.shadow ? ` · ${t("n_trial", p.shadow)}` : "")))),
  panel(t("rules"), h("span", { class: "note" }, d.whole ? t("last_days", d.days.length) : t("hits_own", d.days.length)), order.length ? table([[t("rule")], [t("norm")], [t("action_head")], [t("today_head"), 1], [t("trend")], [t("hits"), 1], [t("precision_head"), 1]],
    order.map((r) => ruleRow(r, versions))) : empty("–"))];
}, 10000);
