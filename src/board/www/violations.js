// The Violations page: what rules did, newest first; was it right? And the rules by their hits.
import { call, session } from "./api.js";
import { errorText } from "./cases.js";
import { number, percent, t } from "./lang.js";
import { drawSpark, h, setText, spark } from "./dom.js";
import { empty, panel, stamp } from "./parts.js";

const REFRESH_MS = 5000, RULES_MS = 15000, CHIP = { block: "chip s3", rewrite: "chip s2", warn: "chip s2", hold: "chip s2", pass: "chip" };
const WORDS = { wrong: "r_wrong", right: "r_right" };

export function violationsPage() {
  const may = (scope) => session.data.scopes.includes(scope);
  const rows = new Map(), list = h("ul", { class: "feed", "aria-label": t("violations") }), none = h("p", { class: "empty", hidden: true });
  const side = h("div"), message = h("p", { class: "error", role: "alert", hidden: true });
  let timer = 0, rulesTimer = 0, ended = false, listed = [];

  function row(v) {
    const said = h("p", { class: "error", role: "alert" }), verdict = h("span", { class: "buttons" }), text = h("blockquote", { class: "said", hidden: !v.text }, v.text);
    let now = v;
    const judge = async (to) => {
      try {
        await call("POST", `/api/v1/violations/${encodeURIComponent(v.id)}/feedback`, { verdict: to });
        now = { ...now, feedback: to === "none" ? null : { verdict: to, who: session.data.user } };
        draw(now);
        setText(said, "");
        loadRules();
      } catch (e) { setText(said, errorText(e)); }
    };
    const unmask = h("button", { type: "button", "data-unmask": "", onclick: async () => {
      try {
        setText(text, (await call("POST", `/api/v1/violations/${encodeURIComponent(v.id)}/text`, { why: t("why_unmask") })).text);
        unmask.remove();
      } catch (e) { setText(said, errorText(e)); }
    } }, t("unmask"));
    function draw(x) {
      now = x;
      const f = x.feedback?.verdict;
      verdict.replaceChildren(...(may("violations.feedback") ? ["wrong", "right"].map((k) => h("button", { type: "button", "data-verdict": k, "aria-pressed": f === k ? "true" : "false",
        title: f === k ? `${t("this_" + k)} — ${x.feedback.who}` : t("this_" + k), onclick: () => judge(f === k ? "none" : k) }, t(WORDS[k]))) : f ? [h("span", { class: "note" }, t(WORDS[f]))] : []));
    }
    draw(v);
    const li = h("li", { "data-violation": v.id }, h("div", { class: "when" }, stamp(v.at_ms)),
      h("div", {}, h("div", { class: "top" }, h("span", { class: CHIP[v.action] }, t("act_" + v.action)), v.shadow.length ? h("span", { class: "chip" }, v.would ? t("would", t("act_" + v.would)) : t("trials")) : null,
        h("span", { class: "note" }, [v.agent, v.team, v.shop].filter(Boolean).join(" · "), " → ", v.customer || v.conversation)), text,
      h("div", { class: "note ids" }, [...v.rules, ...v.shadow.map((r) => t("shadow", r))].join(" · "))),
      h("div", { class: "judge" }, verdict, v.has_full && may("violations.unmask") ? unmask : null, said));
    return { li, draw, text: JSON.stringify(v.feedback) };
  }

  async function load() {
    clearTimeout(timer);
    try {
      const d = await call("GET", "/api/v1/violations"), keep = new Set(d.violations.map((v) => v.id));
      if (ended) return;
      listed = d.violations;
      for (const [id, r] of rows) if (!keep.has(id)) { r.li.remove(); rows.delete(id); }
      let at = list.firstElementChild;
      for (const v of d.violations) {
        let r = rows.get(v.id);
        if (!r) rows.set(v.id, r = row(v));
        else if (r.text !== JSON.stringify(v.feedback)) { r.text = JSON.stringify(v.feedback); r.draw(v); }
        if (r.li === at) at = at.nextElementSibling;
        else list.insertBefore(r.li, at);
      }
      none.hidden = d.violations.length > 0;
      setText(none, t("no_violations"));
      message.hidden = true;
    } catch (e) {
      if (ended) return;
      message.hidden = false;
      setText(message, errorText(e));
    }
    timer = setTimeout(load, REFRESH_MS);
  }

  // The figures of whole days; without the right to see rules those of the list.
  function byList() {
    const hits = new Map();
    for (const v of listed) for (const r of [...v.rules, ...v.shadow]) hits.set(r, (hits.get(r) ?? 0) + 1);
    return [...hits].map(([id, n]) => ({ id, n }));
  }
  async function loadRules() {
    clearTimeout(rulesTimer);
    let d = null;
    try { d = may("rules") ? await call("GET", "/api/v1/rules") : null; } catch { /* the feed says what is wrong */ }
    if (ended) return;
    const sum = (a) => a.reduce((x, y) => x + y, 0);
    const found = d ? d.rules.filter((r) => sum(r.hits.days) + sum(r.hits.trial_days)).map((r) => ({ ...r, n: sum(r.hits.days) + sum(r.hits.trial_days) })) : byList();
    found.sort((a, b) => b.n - a.n);
    side.replaceChildren(panel(d ? t("by_rule_days") : t("by_rule"), null, found.length ? h("ul", { class: "rule-hits" }, found.slice(0, 60).map((r) => {
      const line = r.hits ? spark() : null;
      if (line) drawSpark(line, r.hits.days.map((n, i) => n + r.hits.trial_days[i]), undefined, t("by_day", r.id));
      return h("li", { "data-rule": r.id }, h("div", { class: "ids" }, h("strong", {}, r.title || r.id), h("div", { class: "note" }, r.title ? r.id : "", r.shadow ? ` · ${t("trials")}` : "")), line ?? h("span"),
        h("div", { class: "n" }, number(r.n), r.hits?.precision != null ? h("small", { title: t("precision_of", r.hits.right, r.hits.wrong) }, t("precision", percent(r.hits.precision))) : null));
    })) : empty(t("no_violations"))));
    rulesTimer = setTimeout(loadRules, RULES_MS);
  }
  load().then(loadRules);
  return {
    page: h("div", {}, message, h("div", { class: "columns wide-left" }, h("section", { class: "panel" }, h("div", { class: "head" }, h("h2", {}, t("violations"))), list, none), side)),
    end() { ended = true; clearTimeout(timer); clearTimeout(rulesTimer); },
  };
}
