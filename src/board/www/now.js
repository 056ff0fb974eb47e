// The Now page: who waits, how today goes, which agents are there. Fed by server-sent events; ages run on by themselves.
import { clock, duration, number, percent, t } from "./lang.js";
import { drawSpark, h, setClass, setText, spark } from "./dom.js";
import { session } from "./api.js";

const ROWS_MOST = 200; // a longer list is for nobody's eyes; the counters count all

export function nowPage(feed) {
  const tiles = {};
  const tile = (key, name) => {
    const value = h("div", { class: "value" }, "–"), under = h("div", { class: "under" }), line = spark();
    tiles[key] = { value, under, line };
    return h("section", { class: "tile", "data-tile": key, "aria-label": name }, h("div", { class: "name" }, name), value, under, line);
  };
  const list = h("ul", { class: "waits", "aria-label": t("who_waits") });
  const none = h("p", { class: "empty" }), more = h("p", { class: "empty" });
  const agents = h("tbody");
  const noAgents = h("p", { class: "empty" }, t("none_online"));
  const page = h("div", { class: "live" },
    h("div", { class: "tiles" }, tile("waiting", t("waiting")), tile("longest", t("longest")), tile("w30", t("within_30")),
      tile("w180", t("within_180")), tile("online", t("online")), tile("blocked", t("blocked")), tile("rewritten", t("rewritten")),
      tile("warned", t("warned"))),
    h("div", { class: "columns" },
      h("section", { class: "panel" },
        h("div", { class: "head" }, h("h2", {}, t("who_waits")), h("span", { class: "note" }, t("longest_first"))), list, none, more),
      h("section", { class: "panel" }, h("div", { class: "head" }, h("h2", {}, t("online"))),
        h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("agent")),
          h("th", { scope: "col", class: "num" }, t("open")), h("th", { scope: "col", class: "num" }, t("waits")),
          h("th", { scope: "col", class: "num" }, t("longest")))), agents)), noAgents)));
  for (const key of ["waiting", "longest", "online"]) tiles[key].line.remove();

  const light = (ms) => (ms >= session.data.red_ms ? "red" : ms >= session.data.amber_ms ? "amber" : "green");
  const MARK = { green: "●", amber: "▲", red: "■" };
  const rows = new Map();

  function waitRow(w) {
    const mark = h("span", { class: "mark", "aria-hidden": "true" }), time = h("span");
    const cust = h("div", { class: "cust" }), shop = h("small"), agent = h("div"), team = h("small"), n = h("div", { class: "n" });
    const li = h("li", { "data-key": w.key }, h("div", { class: "time" }, mark, time), h("div", { class: "cust" }, cust, shop),
      h("div", { class: "agent" }, agent, team), n);
    return { li, mark, time, cust, shop, agent, team, n };
  }
  function fill(r, w, age) {
    const color = light(age);
    setClass(r.li, `wait is-${color}`);
    setText(r.mark, MARK[color]);
    setText(r.time, clock(age));
    setText(r.cust, w.customer || w.conversation);
    setText(r.shop, w.shop);
    setText(r.agent, w.agent || t("no_agent"));
    r.cust.title = w.customer || w.conversation;
    r.agent.title = w.agent;
    setText(r.team, w.team);
    setText(r.n, t("messages", w.messages));
  }

  function showWaiting(now) {
    const all = feed.sorted(), shown = all.slice(0, ROWS_MOST), keep = new Set();
    let at = list.firstElementChild;
    for (const w of shown) {
      keep.add(w.key);
      let r = rows.get(w.key);
      if (!r) rows.set(w.key, r = waitRow(w));
      fill(r, w, now - w.since_ms);
      if (r.li === at) at = at.nextElementSibling;
      else list.insertBefore(r.li, at);
    }
    for (const [key, r] of rows) if (!keep.has(key)) { r.li.remove(); rows.delete(key); }
    const count = { green: 0, amber: 0, red: 0 };
    for (const w of all) count[light(now - w.since_ms)]++;
    const known = feed.state.data_ms !== null;
    setText(tiles.waiting.value, known ? number(all.length) : "–");
    setClass(tiles.waiting.value, `value ${count.red ? "red" : count.amber ? "amber" : ""}`);
    tiles.waiting.under.replaceChildren(...["red", "amber", "green"].filter((c) => count[c]).map((c) => h("span", { class: c }, `${MARK[c]} ${count[c]}`)));
    const oldest = all.length ? now - all[0].since_ms : null;
    setText(tiles.longest.value, oldest === null ? "–" : clock(oldest));
    setClass(tiles.longest.value, `value ${oldest === null ? "" : light(oldest)}`);
    setText(tiles.longest.under, oldest === null ? "" : all[0].agent || t("no_agent"));
    none.hidden = all.length > 0;
    setText(none, known ? t("nobody_waits") : "–");
    more.hidden = all.length <= ROWS_MOST;
    setText(more, t("more", all.length - ROWS_MOST));
  }

  function showToday() {
    const d = feed.today;
    if (!d) return;
    const share = { w30: "within_30s", w180: "within_180s" }, counts = ["blocked", "rewritten", "warned"];
    for (const [key, member] of Object.entries(share)) {
      setText(tiles[key].value, percent(d[member]));
      setText(tiles[key].under, t("replies_today", number(d.replies)));
      drawSpark(tiles[key].line, d.hours.map((x) => x[member]), 1, t("by_hour", t(key === "w30" ? "within_30" : "within_180")));
    }
    for (const key of counts) {
      setText(tiles[key].value, d.complete ? number(d[key]) : "–");
      setText(tiles[key].under, t("today"));
      drawSpark(tiles[key].line, d.hours.map((x) => x[key]), undefined, t("by_hour", t(key)));
    }
  }

  function showAgents(now) {
    const online = [...feed.agents.values()].filter((a) => a.online)
      .sort((a, b) => (a.longest_since_ms ?? Infinity) - (b.longest_since_ms ?? Infinity) || b.open - a.open || (a.agent < b.agent ? -1 : 1));
    setText(tiles.online.value, feed.state.data_ms === null ? "–" : number(online.length));
    setText(tiles.online.under, t("open_convs", number(online.reduce((n, a) => n + a.open, 0))));
    noAgents.hidden = online.length > 0;
    agents.parentNode.hidden = !online.length;
    online.slice(0, ROWS_MOST).forEach((a, i) => {
      let tr = agents.children[i];
      if (!tr) {
        tr = h("tr", {}, h("td", {}, h("span", { class: "clip" }), h("small", { class: "clip" })), h("td", { class: "num" }), h("td", { class: "num" }), h("td", { class: "num" }));
        agents.append(tr);
      }
      const [name, open, waits, longest] = tr.children, age = a.longest_since_ms === null ? null : now - a.longest_since_ms;
      setText(name.children[0], a.agent);
      name.title = [a.agent, a.team, a.shop].filter(Boolean).join(" · ");
      setText(name.children[1], [a.team, a.shop].filter(Boolean).join(" · "));
      setText(open, number(a.open));
      setText(waits, number(a.waiting));
      setText(longest, age === null ? "–" : clock(age));
      setClass(longest, `num ${age === null ? "" : light(age)}`);
    });
    while (agents.children.length > Math.min(online.length, ROWS_MOST)) agents.lastElementChild.remove();
  }

  return {
    page,
    update() { showToday(); },
    second(now) { showWaiting(now); showAgents(now); },
  };
}

// What the events brought so far.
export class Feed {
  constructor(onChange) {
    this.onChange = onChange;
    this.reset();
  }
  reset() {
    Object.assign(this, { waiting: new Map(), agents: new Map(), today: null, order: null, offset: 0, connected: false,
      state: { redis: true, data_ms: null, cut: false, seen: false } });
  }
  start() {
    this.stop();
    this.source = new EventSource("/api/v1/events");
    this.source.addEventListener("tick", (e) => this.take(JSON.parse(e.data)));
    this.source.onerror = () => {
      this.connected = false;
      this.onChange();
      if (this.source && this.source.readyState === EventSource.CLOSED) {
        clearTimeout(this.again);
        this.again = setTimeout(() => this.start(), 3000);
      }
    };
  }
  stop() {
    clearTimeout(this.again);
    if (this.source) this.source.close();
    this.source = null;
  }
  take(d) {
    this.connected = true;
    this.state = { redis: d.redis, empty: d.empty, data_ms: d.data_ms, cut: d.cut, modes: d.modes, seen: true };
    if (d.redis) this.offset = d.now_ms - Date.now();
    if (d.full) { this.waiting.clear(); this.agents.clear(); }
    if (d.full || d.del?.length || d.set?.length) this.order = null;
    for (const key of d.del ?? []) this.waiting.delete(key);
    for (const w of d.set ?? []) this.waiting.set(w.key, w);
    for (const a of d.agents ?? []) this.agents.set(a.agent, a);
    if (d.today) this.today = d.today;
    this.onChange();
  }
  sorted() {
    return (this.order ??= [...this.waiting.values()].sort((a, b) => a.since_ms - b.since_ms || (a.key < b.key ? -1 : 1)));
  }
  now() { return Date.now() + this.offset; }
  banner() {
    if (!this.connected && this.state.seen) return ["red", t("offline")];
    if (!this.state.seen) return null;
    if (this.state.empty) return ["note", t("e_no_gateway")];
    if (!this.state.redis) return ["red", this.state.data_ms ? t("no_redis", duration(this.now() - this.state.data_ms)) : t("no_redis_yet")];
    if (this.state.modes?.length) return ["note", t("modes", this.state.modes.map((m) => `${m.node}: ${t("mode_" + m.mode)}`).join(" · "))];
    if (this.state.cut) return ["note", t("cut")];
    if (this.today && !this.today.complete) return ["note", t("loading_day")];
    return null;
  }
}
