// The Reminders page: what will be reminded of, put off with one click and a reason; and what was.
import { call, session } from "./api.js";
import { errorText, SNOOZES } from "./cases.js";
import { clockOf, duration, number, t, when, word } from "./lang.js";
import { h, setText } from "./dom.js";
import { clip, empty, panel, polled, stamp, table } from "./parts.js";

export function remindersPage() {
  const may = session.data.scopes.includes("reminders.snooze"), said = h("p", { class: "error", role: "alert" });
  const why = h("input", { id: "why", maxlength: 130, size: 28, placeholder: t("reason"), "aria-label": t("reason") });
  const reasons = h("span", { class: "buttons" }, ["r_wait_courier", "r_called", "r_wait_stock"].map((r) => h("button", { type: "button", onclick: () => { why.value = t(r); why.focus(); } }, t(r))));
  const snooze = async (c, until) => {
    if (!why.value.trim()) { setText(said, t("e_why")); why.focus(); return; }
    try {
      await call("POST", `/api/v1/reminders/${encodeURIComponent(c.id)}/snooze`, { until, why: why.value.trim() });
      setText(said, "");
      body.load();
    } catch (e) { setText(said, errorText(e)); }
  };
  const about = (c) => h("span", {}, word("rem_", c.kind), h("small", {}, c.kind === "commitment" ? t("due_at", clockOf(Number(c.ref))) : t("since_when", clockOf(c.since_ms)), c.steps ? ` · ${t("n_raised", c.steps)}` : ""));
  const buttons = (c) => (may ? h("span", { class: "buttons" }, SNOOZES.map(([k, v]) => h("button", { type: "button", "data-snooze": k, onclick: () => snooze(c, v()) }, t("snooze_" + k))),
    c.snoozed_ms && !c.at_case ? h("button", { type: "button", "data-snooze": "end", onclick: () => snooze(c, "0") }, t("snooze_end")) : null) : "");
  const coming = (list, now) => table([[t("when_next")], [t("what")], [t("agent")], [t("customer")], [t("snooze")]], list.map((c) => [
    c.snoozed_ms ? h("span", { class: "chip s2" }, t("asleep", clockOf(c.snoozed_ms))) : c.next_ms <= now ? h("span", { class: "chip s3" }, t("due_now")) : h("span", {}, t("in_time", duration(c.next_ms - now))),
    about(c), h("span", {}, clip(c.agent || "–"), clip([c.team, c.shop].filter(Boolean).join(" · "), "small")), clip(c.customer || c.conversation || "–"), buttons(c)]));
  const body = polled(() => call("GET", "/api/v1/reminders"), (d) => {
    const asleep = d.coming.filter((c) => c.snoozed_ms), awake = d.coming.filter((c) => !c.snoozed_ms);
    return [panel(t("coming"), h("span", { class: "note" }, number(d.total)), awake.length ? coming(awake, d.now_ms) : empty(t("no_coming"))),
      asleep.length ? panel(t("snoozed_list"), null, coming(asleep, d.now_ms)) : "",
      panel(t("raised_list"), null, d.reminders.length ? table([[t("at")], [t("what")], [t("result")], [t("to")], [t("agent")], [t("customer")], [t("since")]],
        d.reminders.map((r) => [stamp(r.at_ms), word("rem_", r.kind), word("rem_", r.what), r.to ? word("to_", r.to) : "–", clip(r.agent || "–"), clip(r.customer || "–"), when(r.since_ms)])) : empty(t("no_reminders")))];
  });
  return { page: h("div", {}, may ? h("form", { class: "filters", onsubmit: (e) => e.preventDefault() }, h("label", {}, t("reason_snooze"), why), reasons, said) : null, body.page), end: body.end };
}
