// Held messages: what waits for approval, the one with the least time left first, and what was decided lately.
import { call, session } from "./api.js";
import { errorText } from "./cases.js";
import { clock, t, when, word } from "./lang.js";
import { h, setClass, setText } from "./dom.js";
import { clip } from "./parts.js";

const REFRESH_MS = 2000, SOON_MS = 120_000, REASONS = ["r_held_wording", "r_held_private", "r_held_promise"];

export function heldPage() {
  let timer = 0, ended = false, offset = 0, decided = "";
  const cards = new Map(), list = h("div", { class: "held" }), none = h("p", { class: "empty" }), past = h("div");
  const message = h("p", { class: "error", role: "alert", hidden: true }), total = h("span", { class: "note" });
  const page = h("div", {}, message, h("section", { class: "panel apart" }, h("div", { class: "head" }, h("h2", {}, t("held")), total), list, none), past);

  function card(m) {
    const time = h("div", { class: "time" }), why = h("input", { maxlength: 130, placeholder: t("reason_refuse"), "aria-label": t("reason_refuse") });
    const said = h("p", { class: "error", role: "alert" });
    const decide = async (decision) => {
      if (decision === "refuse" && !why.value.trim()) { setText(said, t("e_why")); why.focus(); return; }
      for (const b of buttons) b.disabled = true;
      try {
        await call("POST", `/api/v1/held/${encodeURIComponent(m.id)}/decide`, { decision, why: why.value.trim() });
        load();
      } catch (e) {
        setText(said, errorText(e));
        for (const b of buttons) b.disabled = false;
        if (e.status === 409) load();
      }
    };
    const buttons = ["approve", "refuse"].map((d) => h("button", { type: "button", class: d === "approve" ? "main" : null, "data-decide": d, onclick: () => decide(d) }, t("do_" + d)));
    const may = session.data.scopes.includes("held.decide");
    const root = h("article", { class: "hold", "data-held": m.id, tabindex: "-1" }, time,
      h("div", { class: "what" }, h("blockquote", {}, m.text),
        h("p", { class: "note" }, [m.agent, m.team, m.shop].filter(Boolean).join(" · "), " → ", m.customer || m.conversation, m.edit ? ` · ${t("is_edit")}` : ""),
        h("p", { class: "note ids" }, m.rules.join(", "))),
      may ? h("div", { class: "decide" }, buttons[0], h("div", { class: "refuse" }, why, buttons[1]),
        h("div", { class: "reasons" }, REASONS.map((r) => h("button", { type: "button", onclick: () => { why.value = t(r); why.focus(); } }, t(r)))), said) : null);
    return { root, time, m };
  }

  function tick() {
    for (const c of cards.values()) {
      const left = c.m.expires_ms - (Date.now() + offset);
      setText(c.time, left > 0 ? clock(left) : t("time_over"));
      setClass(c.time, left <= 0 ? "time red" : left < SOON_MS ? "time amber" : "time");
    }
  }

  function showPast(rows) {
    const text = JSON.stringify(rows);
    if (text === decided) return;
    decided = text;
    past.replaceChildren(h("section", { class: "panel apart" }, h("div", { class: "head" }, h("h2", {}, t("held_past"))), rows.length ? h("div", { class: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["at", "result", "text", "agent", "who", "why"].map((k) => h("th", { scope: "col" }, t(k))))),
      h("tbody", {}, rows.map((m) => h("tr", { "data-past": m.id }, h("td", {}, when(m.ended_ms ?? m.decided_ms ?? m.at_ms)), h("td", {}, h("span", { class: `chip ${m.state === "sent" ? "s1" : m.state === "approved" || m.state === "sending" ? "s2" : ""}` }, word("held_", m.state))),
        h("td", { class: "long" }, m.text), h("td", {}, clip(m.agent)), h("td", {}, clip(m.who || "–")), h("td", { class: "long" }, m.why || "–")))))) : h("p", { class: "empty" }, t("no_held_past"))));
  }

  async function load() {
    clearTimeout(timer);
    try {
      const d = await call("GET", "/api/v1/held?which=all");
      if (ended) return;
      offset = d.now_ms - Date.now();
      const waits = d.held.filter((m) => m.state === "waiting"), keep = new Set(waits.map((m) => m.id));
      for (const [id, c] of cards) if (!keep.has(id)) { c.root.remove(); cards.delete(id); }
      waits.forEach((m, i) => {
        let c = cards.get(m.id);
        if (!c) cards.set(m.id, c = card(m));
        if (list.children[i] !== c.root) list.insertBefore(c.root, list.children[i] ?? null);
      });
      setText(total, waits.length ? t("n_held", waits.length) : "");
      none.hidden = waits.length > 0;
      setText(none, t("no_held"));
      showPast(d.held.filter((m) => m.state !== "waiting").slice(0, 50));
      tick();
      message.hidden = true;
    } catch (e) {
      if (ended) return;
      message.hidden = false;
      setText(message, errorText(e));
    }
    timer = setTimeout(load, REFRESH_MS);
  }
  function step(by) {
    const all = [...list.children], at = all.indexOf(document.activeElement?.closest?.(".hold"));
    all[Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
  }
  load();
  return {
    page,
    second: tick,
    key(k) {
      if (k === "j") step(1);
      else if (k === "k") step(-1);
      else return false;
      return true;
    },
    end() { ended = true; clearTimeout(timer); },
  };
}
