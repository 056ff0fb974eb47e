// The Cases page: a queue by severity and age, one case in detail, and what may be done with it.
import { call, session } from "./api.js";
import { atHour, clockOf, duration, t, when, word } from "./lang.js";
import { openForm } from "./case_open.js";
import { h, setText } from "./dom.js";

const MOVES = { open: ["acknowledged", "waiting", "solved", "closed"], acknowledged: ["waiting", "solved", "closed"],
  waiting: ["acknowledged", "solved", "closed"], reopened: ["acknowledged", "waiting", "solved", "closed"],
  solved: ["closed", "reopened"], closed: ["reopened"] }; // to show the right buttons; Redis decides
const REASONS = ["r_called", "r_refund", "r_resent", "r_wait_courier", "r_not_justified"];
const REFRESH_MS = 5000, HOUR_MS = 3_600_000;
export const SNOOZES = [["1h", () => "+" + HOUR_MS], ["4h", () => "+" + 4 * HOUR_MS], ["tomorrow", () => String(atHour(Date.now(), 33))], ["3d", () => "+" + 72 * HOUR_MS]];
const CALLS = ["answered", "no_answer", "busy"];
const filters = { which: "open", severity: "", team: "", q: "" }; // kept while other pages are looked at

export const errorText = (e) => {
  const text = t("e_" + e.word);
  return text === "e_" + e.word ? t("e_other") : text;
};
const grade = (n) => Math.min(Math.max(n, 1), 4);
const chip = (severity) => h("span", { class: `chip s${grade(severity)}` }, t("s" + grade(severity)));
const actText = (x) => t("act_done_" + x.what, x.what === "call" ? t("call_" + x.value) : x.what === "snooze" ? (x.value === "0" ? "–" : when(Number(x.value))) : x.value);
const kinds = (c) => c.kinds.map((k) => word("kind_", k)).join(" · ");

export function casesPage() {
  let chosen = null, shown = "", timer = 0, ended = false, busy = null;
  const list = h("ul", { class: "case-list" }), none = h("p", { class: "empty" }), total = h("span", { class: "note" });
  const detail = h("section", { class: "panel", hidden: true, "aria-live": "polite" });
  const message = h("p", { class: "error", role: "alert", hidden: true });
  const pick = (key, options) => {
    const e = h("select", { onchange: () => { filters[key] = e.value; load(); } }, options.map(([v, text]) => h("option", { value: v, selected: filters[key] === v }, text)));
    return e;
  };
  const find = h("input", { type: "search", id: "find", placeholder: t("find_case"), value: filters.q, maxlength: 90 });
  const team = h("input", { size: 10, value: filters.team, maxlength: 90 });
  for (const [e, key] of [[find, "q"], [team, "team"]]) e.addEventListener("input", () => {
    filters[key] = e.value.trim();
    clearTimeout(busy);
    busy = setTimeout(load, 250);
  });
  const columns = h("div", { class: "columns cases no-detail" },
    h("section", { class: "panel" }, h("div", { class: "head" }, h("h2", {}, t("cases")), total), list, none), detail);
  const form = h("div", { hidden: true });
  function toggleForm() {
    form.hidden = !form.hidden;
    form.replaceChildren(...(form.hidden ? [] : [openForm((done) => { toggleForm(); if (done) { load(); open(done); } else page.querySelector("[data-open-case]").focus(); })]));
    if (!form.hidden) form.querySelector("input").focus();
  }
  const page = h("div", {},
    h("form", { class: "filters", onsubmit: (e) => { e.preventDefault(); load(); } },
      h("label", {}, t("show"), pick("which", [["open", t("which_open")], ["all", t("which_all")]])),
      h("label", {}, t("severity"), pick("severity", [["", t("any")], ["2", t("s2") + " +"], ["3", t("s3") + " +"], ["4", t("s4")]])),
      h("label", {}, t("team"), team), h("label", {}, t("find"), find),
      session.data.scopes.includes("cases.act") ? h("button", { type: "button", "data-open-case": "", onclick: () => toggleForm() }, t("open_case")) : null), message, form, columns);

  const fail = (e) => { message.hidden = !e; if (e) setText(message, errorText(e)); };

  function row(c, now) {
    const age = c.done_ms ? word("state_", c.state) : t("age", duration(now - c.opened_ms));
    return h("li", {}, h("button", { type: "button", "data-case": c.id, "aria-current": c.id === chosen ? "true" : null, onclick: () => open(c.id) },
      h("span", {}, chip(c.severity)),
      h("span", { class: "words" }, h("span", { class: "words" }, c.words || kinds(c)),
        h("div", { class: "meta" }, [word("state_", c.state), kinds(c), c.customer, c.assigned ? "→ " + c.assigned : c.agent, c.shop].filter(Boolean).join(" · "))),
      h("span", { class: "age" }, age, c.done_ms ? null : c.snoozed_ms > now ? h("small", {}, t("asleep", clockOf(c.snoozed_ms))) : h("small", {}, t("no_news", duration(now - Math.max(c.updated_ms, c.news_ms ?? 0)))))));
  }

  async function load() {
    clearTimeout(timer);
    const query = new URLSearchParams(Object.entries(filters).filter(([, v]) => v));
    try {
      const d = await call("GET", `/api/v1/cases?${query}`);
      if (ended) return;
      const held = list.contains(document.activeElement) ? document.activeElement.dataset.case : null;
      list.replaceChildren(...d.cases.map((c) => row(c, d.now_ms)));
      if (held) [...list.querySelectorAll("button")].find((b) => b.dataset.case === held)?.focus();
      setText(total, t("n_cases", d.total));
      none.hidden = d.cases.length > 0;
      setText(none, t("no_cases"));
      fail(null);
    } catch (e) { if (!ended) fail(e); }
    if (!ended) timer = setTimeout(load, REFRESH_MS);
  }

  function actions(c) {
    if (!session.data.scopes.includes("cases.act")) return h("p", { class: "note act" }, t("look_only"));
    const why = h("textarea", { id: "why", maxlength: 130, rows: 2 }), said = h("p", { class: "error", role: "alert" });
    const send = async (path, body, button) => {
      if (!why.value.trim()) { setText(said, t("e_why")); why.focus(); return; }
      button.disabled = true;
      try {
        await call("POST", `/api/v1/cases/${encodeURIComponent(c.id)}/${path}`, { ...body, why: why.value.trim() });
        await open(c.id, true);
        load();
      } catch (e) {
        setText(said, errorText(e));
        button.disabled = false;
        if (e.word === "illegal_move" || e.word === "other_case") open(c.id, true);
        else if (e.word === "call_limit" || e.word === "chat_first") forced(body, e);
      }
    };
    const button = (text, path, body, attributes) => {
      const b = h("button", { type: "button", ...attributes, onclick: () => send(path, typeof body === "function" ? body() : body, b) }, text);
      return b;
    };
    const forced = (body) => extra.replaceChildren(button(t("force"), "act", { ...body, force: true }, { "data-act": "force" }));
    const extra = h("span", {}), to = h("input", { id: "assign-to", maxlength: 190, size: 12, value: c.assigned || c.agent, "aria-label": t("agent") });
    const row = (name, ...items) => h("div", { class: "row" }, h("span", { class: "note" }, name), items);
    return h("div", { class: "act" }, h("label", { for: "why" }, t("reason")), why,
      h("div", { class: "reasons" }, REASONS.map((r) => h("button", { type: "button", onclick: () => { why.value = t(r); why.focus(); } }, t(r)))),
      h("div", { class: "buttons" }, (MOVES[c.state] ?? []).map((s, i) => button(t("do_" + s), "move", { to: s }, { class: i === 0 ? "main" : null, "data-move": s }))),
      row(t("assign"), to, button(t("do_assign"), "act", () => ({ what: "assign", value: to.value.trim() }), { "data-act": "assign" })),
      row(t("call_logged"), CALLS.map((v) => button(t("call_" + v), "act", { what: "call", value: v }, { "data-act": "call-" + v })), extra),
      row(t("snooze"), SNOOZES.map(([k, v]) => button(t("snooze_" + k), "act", () => ({ what: "snooze", value: v() }), { "data-act": "snooze-" + k })),
        c.snoozed_ms ? button(t("snooze_end"), "act", { what: "snooze", value: "0" }, { "data-act": "snooze-end" }) : null),
      row(t("more_acts"), button(t("do_news"), "act", { what: "news" }, { "data-act": "news" }), button(t("do_note"), "act", { what: "note" }, { "data-act": "note" })), said);
  }

  // What was said: read when it is asked for, since every look is audited.
  function talk(c) {
    const box = h("div", { class: "talk" }), b = h("button", { type: "button", "data-transcript": "", onclick: async () => {
      try {
        const d = await call("GET", `/api/v1/cases/${encodeURIComponent(c.id)}/transcript`);
        b.remove();
        box.append(h("h3", {}, t("transcript")), d.entries.length ? h("ol", {}, d.entries.filter((e) => e.text).map((e) => h("li", { class: e.kind === "in" ? "in" : e.delivered ? "out" : "out stopped" },
          h("small", {}, `${when(e.at_ms)} · ${e.kind === "in" ? e.sender || c.customer : e.agent}`, e.action && e.action !== "pass" ? ` · ${t("act_" + e.action)}` : ""), h("p", {}, e.text, e.cut ? " …" : "")))) : h("p", { class: "note" }, t("no_transcript")));
      } catch (e) { fail(e); }
    } }, t("show_transcript"));
    box.append(b);
    return box;
  }

  function show(c) {
    const pairs = [[t("customer"), c.customer], [t("agent"), [c.agent, c.team, c.shop].filter(Boolean).join(" · ") || "–"], [t("orders"), c.orders.join(", ") || "–"],
      [t("assigned"), c.assigned || "–"], [t("opened"), when(c.opened_ms)], [t("updated"), when(c.updated_ms)], [t("news"), when(c.news_ms)], [t("complaints"), String(c.complaints)],
      [t("calls"), c.calls ? `${c.calls} · ${when(c.last_call_ms)}` : "–"], [t("asleep_until"), when(c.snoozed_ms)],
      [t("rule"), c.rule], [t("conversation"), c.conversation]];
    detail.replaceChildren(h("div", { class: "head" }, h("h2", { tabindex: "-1" }, c.id), h("button", { type: "button", onclick: close }, t("close_detail"))),
      h("div", { class: "detail" },
        h("div", { class: "title" }, chip(c.severity), h("span", { class: "chip", "data-state": c.state }, word("state_", c.state)), h("strong", {}, kinds(c))),
        c.words ? h("blockquote", {}, c.words) : null, actions(c), h("dl", { class: "two" }, pairs.map(([k, v]) => h("div", {}, h("dt", {}, k), h("dd", {}, v || "–")))),
        session.data.scopes.includes("cases.transcript") ? talk(c) : null,
        h("div", {}, h("h3", {}, t("history")), h("ol", { class: "history" }, [...c.history].reverse().map((x) => h("li", {},
          h("strong", {}, x.what ? actText(x) : word("state_", x.to)), ` — ${x.why}`, h("br"), h("small", {}, `${when(x.at_ms)} · ${word("who_", x.who)}`)))))));
  }

  async function open(id, again) {
    chosen = id;
    for (const b of list.querySelectorAll("button")) b.toggleAttribute("aria-current", b.dataset.case === id);
    try {
      const c = await call("GET", `/api/v1/cases/${encodeURIComponent(id)}`);
      if (ended || chosen !== id) return;
      shown = id;
      show(c);
      detail.hidden = false;
      columns.classList.remove("no-detail");
      if (!again) {
        detail.querySelector("h2").focus({ preventScroll: true });
        if (matchMedia("(max-width: 1000px)").matches) detail.scrollIntoView({ block: "start" });
      }
      fail(null);
    } catch (e) { if (!ended) fail(e); }
  }
  function close() {
    const last = chosen;
    chosen = null;
    shown = "";
    detail.hidden = true;
    columns.classList.add("no-detail");
    for (const b of list.querySelectorAll("button")) {
      b.removeAttribute("aria-current");
      if (b.dataset.case === last) b.focus();
    }
  }
  function step(by) {
    const all = [...list.querySelectorAll("button")];
    const at = all.indexOf(document.activeElement);
    all[Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
  }
  load();
  return {
    page,
    key(k) {
      if (k === "j") step(1);
      else if (k === "k") step(-1);
      else if (k === "Escape" && shown) close();
      else if (k === "/") find.focus();
      else return false;
      return true;
    },
    end() { ended = true; clearTimeout(timer); clearTimeout(busy); },
  };
}
