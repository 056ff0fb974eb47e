// The Agents page: a day's figures by agent, team or shop, beside another day's; one agent with the rounds behind them.
import { call } from "./api.js";
import { atHour, dateName, dayName, isoDay, measureName, measureWords, number, percent, seconds, t } from "./lang.js";
import { drawSpark, h, spark } from "./dom.js";
import { clip, empty, panel, polled, stamp, table } from "./parts.js";

const DAYS = 8;
const view = { day: "", than: "", by: "agent", time: "plain" }; // kept while other pages are looked at

// The noons of today and the days before: a change of clocks does not matter there.
const dayOptions = (today) => Array.from({ length: DAYS }, (_, i) => atHour(today, 12 - 24 * i));

const sources = { replies: (a) => a, mean: (a) => a.first.mean_ms };
const of = (a) => (view.time === "business" ? { ...a.business, mean: a.business.first_mean_ms } : { ...sources.replies(a), mean: sources.mean(a) });
// [heading, value, how it is shown, is more better]
const COLUMNS = [["replies", (a) => of(a).replies, number, 1], ["short_30", (a) => of(a).within_30s, percent, 1], ["short_180", (a) => of(a).within_180s, percent, 1], ["p50", (a) => of(a).p50_ms, seconds, -1],
  ["p90", (a) => of(a).p90_ms, seconds, -1], ["p99", (a) => of(a).p99_ms, seconds, -1], ["first", (a) => of(a).mean, seconds, -1], ["blocked", (a) => a.blocked, number, -1], ["rewritten", (a) => a.rewritten, number, -1],
  ["warned", (a) => a.warned, number, -1], ["kept", (a) => a.promises_kept, number, 1], ["broken", (a) => a.promises_broken, number, -1]];

// By the deployment's own definition.
const MEASURED = [["counted", (a) => a.measured?.counted, number, 1], ["unanswered", (a) => a.measured?.unanswered, number, -1], ["answered", (a) => a.measured?.answered, percent, 1],
  ["on_time", (a) => a.measured?.in_time, percent, 1], ["mean", (a) => a.measured?.mean_ms, seconds, -1]];
const columns = () => (view.time === "measured" ? MEASURED : COLUMNS);

function cell([, value, show, better], a, other) {
  const v = value(a), w = other ? value(other) : undefined;
  if (!other) return show(v);
  const change = v == null || w == null || v === w ? "" : (v - w) * better > 0 ? "green" : "red";
  return h("span", {}, show(v), h("small", { class: change }, `${change === "green" ? "▲ " : change === "red" ? "▼ " : ""}${show(w)}`));
}

const query = (day) => "/api/v1/agents?" + new URLSearchParams({ by: view.by, ...(day ? { day } : {}) });

function agentsTable() {
  const bar = h("form", { class: "filters" });
  const body = polled(async () => ({ d: await call("GET", query(view.day)), than: view.than ? await call("GET", query(view.than)) : null }), ({ d, than }) => {
    drawBar(d);
    const rows = d.agents ?? d.groups, others = new Map((than?.agents ?? than?.groups ?? []).map((x) => [x.agent ?? x.name, x]));
    const name = (a) => (d.by === "agent" ? h("span", {}, h("span", { class: a.online ? "dot" : "dot off", role: "img", "aria-label": a.online ? t("online") : t("offline_short") }),
      clip(a.agent, "a", { href: `#agents/${encodeURIComponent(a.agent)}` }), a.day === d.day ? null : h("small", { class: "own-day" }, ` ${dateName(a.day)}`)) : clip(a.name || t("none_named")));
    const link = "/api/v1/agents.csv?" + new URLSearchParams({ by: view.by, ...(view.day ? { day: view.day } : {}) });
    return [panel(`${t(d.by === "agent" ? "agents" : d.by)} · ${d.today ? t("today") : dayName(d.start_ms)}`, h("a", { href: link, download: "" }, t("csv")), rows.length ? table(
      [[t(d.by)], ...(d.by === "agent" ? [[t("team")], [t("shop")]] : []), ...(d.today ? [...(d.by === "agent" ? [] : [[t("online"), 1]]), [t("open"), 1], [t("waits"), 1]] : []), ...columns().map(([k]) => [k[0] === "p" ? k : t(k), 1])],
      rows.map((a) => [name(a), ...(d.by === "agent" ? [clip(a.team || "–"), clip(a.shop || "–")] : []), ...(d.today ? [...(d.by === "agent" ? [] : [number(a.online)]), number(a.open), number(a.waiting)] : []),
        ...columns().map((c) => cell(c, a, than ? others.get(a.agent ?? a.name) ?? EMPTY : null))]), "dense") : empty(t("nobody")), view.time === "measured" && d.measure ? h("p", { class: "note" }, t("colon", measureName(d.measure), measureWords(d.measure))) : null)];
  });
  let today = 0, shown = "";
  function drawBar(d) {
    today = d.today && d.start_ms > 0 ? d.start_ms : atHour(Date.now(), 0); // before Redis has told its time there is none
    if (view.time === "measured" && !d.measure) view.time = "plain";
    const text = JSON.stringify([today, view, d.measure?.name]);
    if (text === shown) return;
    shown = text;
    const pick = (key, label, options) => {
      const e = h("select", { id: "agents-" + key, onchange: () => { view[key] = e.value; body.load(); } }, options.map(([v, name]) => h("option", { value: v, selected: view[key] === v }, name)));
      return h("label", {}, label, e);
    };
    const days = dayOptions(today).map((x, i) => [i ? isoDay(x) : "", i ? dayName(x) : t("today")]);
    const held = document.activeElement?.id;
    bar.replaceChildren(pick("day", t("day"), days), pick("than", t("compare"), [["", t("nothing")], ...days.slice(1)]),
      pick("by", t("rows_by"), ["agent", "team", "shop"].map((k) => [k, t(k)])), pick("time", t("hours_of"), [["plain", t("plain_time")], ["business", t("business_time")], ...(d.measure ? [["measured", measureName(d.measure)]] : [])]));
    if (held) document.getElementById(held)?.focus();
  }
  return { page: h("div", {}, bar, body.page), end: body.end };
}
const NONE = { replies: null, within_30s: null, within_180s: null, p50_ms: null, p90_ms: null, p99_ms: null };
const EMPTY = { ...NONE, first: { mean_ms: null }, business: { ...NONE, first_mean_ms: null } }; // was not there on that day

function hourLines(hours) {
  const tile = (name, member, top) => {
    const line = spark();
    drawSpark(line, hours.map((x) => x[member]), top, t("by_hour", name));
    return h("div", {}, h("div", { class: "note" }, t("by_hour", name)), line);
  };
  return h("div", { class: "lines" }, tile(t("replies"), "replies"), tile(t("within_30"), "within_30s", 1), tile(t("within_180"), "within_180s", 1), tile(t("blocked"), "blocked"));
}

// Bars as table cells: how many replies took how long, plain and in business hours.
function distribution(d) {
  const most = Math.max(1, ...d.plain, ...d.business), short = (s) => (s < 60 ? t("seconds", s) : t("minutes", s / 60));
  const label = (i) => (i === d.bounds_s.length ? `> ${short(d.bounds_s[i - 1])}` : `≤ ${short(d.bounds_s[i])}`);
  const bar = (n, kind) => {
    const b = h("span", { class: `bin ${kind}` });
    b.style.width = `${(100 * n) / most}%`;
    return h("div", { class: "bin-row" }, b, h("span", { class: "n" }, n ? number(n) : ""));
  };
  return h("table", { class: "dist" }, h("caption", {}, t("distribution"), " ", h("span", { class: "bin key plain" }), t("plain_time"), " ", h("span", { class: "bin key business" }), t("business_time")),
    h("tbody", {}, d.plain.map((n, i) => h("tr", {}, h("th", { scope: "row" }, label(i)), h("td", {}, bar(n, "plain"), bar(d.business[i], "business"))))));
}

const FILTERS = { all: () => true, first: (r) => r.first, next: (r) => !r.first, in30: (r) => r.end_ms - r.start_ms <= 30_000, over30: (r) => r.end_ms - r.start_ms > 30_000, over180: (r) => r.end_ms - r.start_ms > 180_000 };
let filter = "all";

// What a round's units came to: times, unanswered, or not of the window.
const units = (text) => (text ?? "").split(",").filter(Boolean).map((v) => (v === "unanswered" ? t("unanswered") : v === "-" ? "–" : seconds(Number(v)))).join(", ");

function roundsPanel(rounds) {
  const body = h("div"), pick = h("select", { id: "rounds", "aria-label": t("show"), onchange: () => { filter = pick.value; draw(); } },
    Object.keys(FILTERS).map((k) => h("option", { value: k, selected: filter === k }, t("rounds_" + k))));
  function draw() {
    const rows = rounds.filter(FILTERS[filter]), isMeasured = rounds.some((r) => r.measured);
    body.replaceChildren(rows.length ? table([[t("at")], [t("customer")], [t("replied_after"), 1], [t("business_time"), 1], [t("messages_head"), 1], [t("kind_of_reply")], ...(isMeasured ? [[t("measured_units")]] : [])],
      rows.map((r) => [stamp(r.end_ms), clip(r.customer || r.conversation), seconds(r.end_ms - r.start_ms), seconds(r.business_ms), number(r.messages), r.first ? t("first") : t("next"), ...(isMeasured ? [units(r.measured)] : [])])) : empty("–"));
  }
  draw();
  return panel(t("rounds"), pick, body);
}

function rulesPanel(violations) {
  const hits = new Map();
  for (const v of violations) for (const r of v.rules) hits.set(r, (hits.get(r) ?? 0) + 1);
  const rows = [...hits].sort((a, b) => b[1] - a[1]);
  return panel(t("violations"), null, rows.length ? table([[t("rule")], [t("hits"), 1]], rows.map(([r, n]) => [h("span", { class: "ids" }, r), number(n)])) : empty(t("no_violations")));
}

function casesPanel(cases) {
  return panel(t("cases"), null, cases.length ? table([[t("opened")], [t("customer")], [t("show")], [t("words_head")]], cases.slice(0, 30).map((c) => [stamp(c.opened_ms), clip(c.customer), t("state_" + c.state), h("span", { class: "long" }, c.words)])) : empty(t("no_cases")));
}

// One agent: figures, lines by the hour, how the times lie, the rounds behind them, rules, cases.
function agentPage(id) {
  const q = view.day ? `?day=${view.day}` : "", name = encodeURIComponent(id);
  const read = async () => {
    const a = await call("GET", `/api/v1/agents/${name}${q}`);
    const [v, c] = await Promise.all([call("GET", `/api/v1/violations?agent=${name}`), call("GET", `/api/v1/cases?which=all&agent=${name}`)]);
    return { a, violations: v.violations, cases: c.cases };
  };
  return polled(read, ({ a, violations, cases }) => {
    const line = (r, p) => `${number(r.replies)} · ${seconds(r.mean_ms)} · ${percent(r.within_30s)} ${t("short_30")}${p ? ` · p50 ${seconds(r.p50_ms)} · p90 ${seconds(r.p90_ms)} · p99 ${seconds(r.p99_ms)}` : ""}`;
    const pairs = [[t("node"), a.online ? a.node || "–" : t("offline_short")], [t("open"), number(a.open)], [t("waits"), number(a.waiting)], [t("replies"), line(a, true)], [t("business_time"), line(a.business, true)],
      [t("first"), line(a.first)], [t("next"), line(a.next)], [`${t("blocked")} · ${t("rewritten")} · ${t("warned")}`, [a.blocked, a.rewritten, a.warned].map(number).join(" · ")],
      ...(a.measured ? [[measureName(a.measure), `${number(a.measured.counted)} · ${t("unanswered")} ${number(a.measured.unanswered)} · ${t("on_time")} ${percent(a.measured.in_time)} · ${t("mean")} ${seconds(a.measured.mean_ms)}`]] : []),
      [`${t("kept")} · ${t("broken")}`, [a.promises_kept, a.promises_broken].map(number).join(" · ")]];
    return [panel([a.agent, a.team, a.shop, a.today && a.day === isoDay(Date.now()) ? t("today") : dateName(a.day)].filter(Boolean).join(" · "), h("a", { href: "#agents" }, t("close_detail")), h("div", { class: "detail" },
      h("dl", {}, pairs.flatMap(([k, v]) => [h("dt", {}, k), h("dd", {}, v)])), a.hours ? hourLines(a.hours) : null, distribution(a.distribution))),
    roundsPanel(a.rounds), h("div", { class: "columns" }, casesPanel(cases), rulesPanel(violations))];
  });
}

export const agentsPage = (id) => (id ? agentPage(id) : agentsTable());
