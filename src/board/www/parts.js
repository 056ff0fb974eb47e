// What several pages are made of.
import { errorText } from "./cases.js";
import { dayOf, timeOf } from "./lang.js";
import { h, setText } from "./dom.js";

const REFRESH_MS = 5000;

// A table; head: [text, is number]; rows: lists of cells (text or element)
export function table(head, rows, kind) {
  return h("div", { class: "scroll" }, h("table", { class: kind },
    h("thead", {}, h("tr", {}, head.map(([text, num]) => h("th", { scope: "col", class: num ? "num" : null }, text)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((c, i) => h("td", { class: head[i][1] ? "num" : null }, c)))))));
}
export const panel = (title, extra, ...body) => h("section", { class: "panel apart" }, h("div", { class: "head" }, h("h2", {}, title), extra), ...body);
// A name of people's or programs' making may be of any length: the whole of it is in the title.
export const clip = (text, tag = "span", attributes = {}) => h(tag, { class: "clip", title: text, ...attributes }, text);
export const stamp = (ms) => h("span", {}, timeOf(ms), h("small", {}, dayOf(ms)));
export const empty = (text) => h("p", { class: "empty" }, text);

const focusable = (e) => [...e.querySelectorAll("a, button, select, input")];

// Reads again and again, and draws when the answer is another; what had the focus has it again.
export function polled(read, draw, every = REFRESH_MS) {
  let timer = 0, ended = false, last = "";
  const message = h("p", { class: "error", role: "alert", hidden: true }), body = h("div");
  async function load() {
    try {
      const d = await read();
      if (ended) return;
      const text = JSON.stringify(d);
      if (text !== last) {
        const at = focusable(body).indexOf(document.activeElement), scrolled = [...body.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
        body.replaceChildren(...draw(d));
        if (at >= 0) focusable(body)[at]?.focus({ preventScroll: true });
        body.querySelectorAll(".scroll").forEach((e, i) => { if (scrolled[i]) e.scrollLeft = scrolled[i]; });
      }
      last = text;
      message.hidden = true;
    } catch (e) {
      if (ended) return;
      message.hidden = false;
      setText(message, errorText(e));
    }
    timer = setTimeout(load, every);
  }
  load();
  return { page: h("div", {}, message, body), load: () => { clearTimeout(timer); last = ""; load(); }, end() { ended = true; clearTimeout(timer); } };
}
