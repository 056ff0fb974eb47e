// A form to open a case by hand: somebody complained by telephone, or no rule knew the words.
import { call } from "./api.js";
import { errorText } from "./cases.js";
import { t } from "./lang.js";
import { h, setText } from "./dom.js";

const KINDS = ["not_delivered", "not_as_described", "damaged", "wrong_item", "refund", "attitude", "fake", "invoice", "promise_broken", "regulator", "review_bad", "review_middling", "other"];

// done(id), or done() when nothing was opened.
export function openForm(done) {
  const field = (name, e) => { e.name = name; return e; };
  const customer = field("customer", h("input", { required: true, maxlength: 200 })), agent = field("agent", h("input", { maxlength: 200 }));
  const kind = field("kind", h("select", {}, KINDS.map((k) => h("option", { value: k }, t("kind_" + k)))));
  const severity = field("severity", h("select", {}, [1, 2, 3, 4].map((n) => h("option", { value: n, selected: n === 2 }, t("s" + n)))));
  const words = field("words", h("textarea", { maxlength: 200 })), why = field("why", h("input", { required: true, maxlength: 130 }));
  const said = h("p", { class: "error", role: "alert" }), button = h("button", { class: "main" }, t("do_open"));
  const submit = async (e) => {
    e.preventDefault();
    button.disabled = true;
    try {
      done((await call("POST", "/api/v1/cases", { customer: customer.value.trim(), kind: kind.value, severity: Number(severity.value), agent: agent.value.trim(), words: words.value.trim(), why: why.value.trim() })).id);
    } catch (x) {
      setText(said, x.word === "agent" && x.status === 403 ? t("e_agent_scope") : errorText(x));
      button.disabled = false;
    }
  };
  return h("form", { class: "panel apart open-case", onsubmit: submit, onkeydown: (e) => { if (e.key === "Escape") { e.stopPropagation(); done(); } } },
    h("div", { class: "head" }, h("h2", {}, t("open_case"))), h("div", { class: "fields" },
      h("label", {}, t("customer_id"), customer), h("label", {}, t("kind"), kind), h("label", {}, t("severity"), severity), h("label", {}, t("agent_optional"), agent),
      h("label", { class: "wide" }, t("words_said"), words), h("label", { class: "wide" }, t("reason"), why),
      h("div", { class: "buttons" }, button, h("button", { type: "button", onclick: () => done() }, t("cancel"))), said));
}
