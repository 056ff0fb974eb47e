// Login, pages, keys, theme and language.
import { agentsPage } from "./agents.js";
import { call, session } from "./api.js";
import { casesPage, errorText } from "./cases.js";
import { h, setClass, setText } from "./dom.js";
import { heldPage } from "./held.js";
import { foreignZone, language, setLanguage, setZone, stored, t } from "./lang.js";
import { Feed, nowPage } from "./now.js";
import { rulesPage } from "./rules.js";
import { remindersPage } from "./reminders.js";
import { healthPage } from "./tables.js";
import { violationsPage } from "./violations.js";

// name: [scope, page]
const PAGES = { now: ["now", () => nowPage(feed)], cases: ["cases", () => casesPage()], held: ["held", () => heldPage()], agents: ["agents", agentsPage],
  violations: ["violations", violationsPage], reminders: ["reminders", remindersPage], rules: ["rules", rulesPage], health: ["health", healthPage] };
const app = document.getElementById("app");
const banner = h("p", { class: "banner", role: "status", hidden: true });
const main = h("main", { id: "main", tabindex: "-1" });
let view = null;
const feed = new Feed(() => { view?.update?.(); second(); });

const pages = () => Object.keys(PAGES).filter((p) => session.data.scopes.includes(PAGES[p][0]));
const page = () => {
  const name = location.hash.slice(1).split("/")[0];
  return pages().includes(name) ? name : pages()[0];
};
const detail = () => {
  try { return decodeURIComponent(location.hash.split("/").slice(1).join("/")); } catch { return ""; }
};

const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (stored.get("theme") ?? (dark.matches ? "dark" : "light")) === "dark";
const applyTheme = () => { document.documentElement.dataset.theme = isDark() ? "dark" : "light"; };
dark.addEventListener("change", applyTheme);

function switchTheme() {
  stored.set("theme", isDark() ? "light" : "dark");
  applyTheme();
}
function switchLanguage() {
  setLanguage(language() === "zh" ? "en" : "zh");
  draw();
}
const tools = (...more) => h("div", { class: "tools" }, more,
  h("button", { type: "button", id: "theme", title: t("theme"), "aria-label": t("theme"), onclick: switchTheme }, "◐"),
  h("button", { type: "button", id: "language", lang: language() === "zh" ? "en" : "zh", onclick: switchLanguage }, t("language")));

function loginPage(reason) {
  const user = h("input", { name: "user", autocomplete: "username", required: true, maxlength: 64, autocapitalize: "none" });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true, maxlength: 512 });
  const error = h("p", { class: "error", role: "alert" }, reason ?? ""), button = h("button", { class: "main" }, t("log_in"));
  const submit = async (e) => {
    e.preventDefault();
    button.disabled = true;
    try {
      session.data = await call("POST", "/api/v1/login", { user: user.value, password: password.value });
      setZone(session.data);
      feed.reset();
      if (session.data.scopes.includes("now")) feed.start();
      draw();
    } catch (x) {
      setText(error, errorText(x));
      button.disabled = false;
      password.select();
    }
  };
  app.replaceChildren(h("div", { class: "login" }, h("form", { onsubmit: submit }, h("h1", {}, `chatgate · ${t("title")}`),
    h("label", {}, t("user"), user), h("label", {}, t("password"), password), error, button), tools()));
  user.focus();
}

async function logout() {
  feed.stop(); // the server ends the stream with the login: a browser that still reads calls that an error
  try { await call("POST", "/api/v1/logout"); } catch { /* the login is over or will expire */ }
  leave();
}
function leave(reason) {
  session.data = null;
  feed.stop();
  view?.end?.();
  view = null;
  draw(reason);
}
session.onEnd = () => leave(t("e_login"));

function second() {
  if (!session.data) return;
  const b = feed.banner();
  banner.hidden = !b;
  if (b) {
    setText(banner, b[1]);
    setClass(banner, b[0] === "red" ? "banner" : "banner note");
  }
  setClass(main, b?.[0] === "red" ? "old" : "");
  view?.second?.(feed.now());
}

function draw(reason) {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.title = `${t("title")} · chatgate`;
  if (!session.data) { loginPage(typeof reason === "string" ? reason : null); return; }
  view?.end?.();
  view = PAGES[page()][1](detail());
  const links = pages().map((p) => h("a", { href: "#" + p, "aria-current": p === page() ? "page" : null }, t(p)));
  const kbd = (k) => `[${k}]`;
  app.replaceChildren(h("a", { class: "skip", href: "#main", onclick: (e) => { e.preventDefault(); main.focus(); } }, t("skip")),
    h("header", { class: "bar" }, h("span", { class: "brand" }, t("title")), h("nav", {}, links),
      tools(h("span", { class: "who", title: t("role_" + session.data.role) }, session.data.user), h("button", { type: "button", id: "logout", onclick: logout }, t("log_out")))),
    banner, main);
  main.replaceChildren(view.page, h("p", { class: "keys" }, t("keys", kbd(`1–${links.length}`), kbd("/"), kbd("d"), kbd("l"), kbd("j k"))),
    foreignZone() ? h("p", { class: "zone" }, t("times_in", foreignZone())) : "");
  view.update?.();
  second();
}

addEventListener("hashchange", () => draw());
addEventListener("keydown", (e) => {
  if (!session.data || e.ctrlKey || e.altKey || e.metaKey) return;
  if (e.target.closest?.("input, textarea, select")) {
    if (e.key === "Escape") e.target.blur();
    return;
  }
  const at = Number(e.key) - 1;
  if (pages()[at]) location.hash = pages()[at];
  else if (view?.key?.(e.key)) { /* the page's own */ }
  else if (e.key === "d") switchTheme();
  else if (e.key === "l") switchLanguage();
  else if (e.key === "/") location.hash = "cases";
  else return;
  e.preventDefault();
});
setInterval(second, 1000);

applyTheme();
try {
  session.data = await call("GET", "/api/v1/session");
  setZone(session.data);
  if (session.data.scopes.includes("now")) feed.start();
} catch { /* nobody is logged in */ }
draw();
