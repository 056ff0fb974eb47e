"""The dashboard's API: who may do what, logins, tokens, scope, and the OpenAPI file against the server."""

import csv
import http.client
import io
import hmac
import json
import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import jsonschema
import pytest
import yaml
from board_rig import PASSWORD, PROGRAM, SOURCE, USERS, Board, Client, Story, afternoon, passwd
from gateway import PATIENCE, Process, Redis, wait_for
from track_redis import Shard

OPENAPI = yaml.safe_load((SOURCE / "docs" / "openapi.yaml").read_text())
ROLE_ORDER = ["nobody", "agent", "viewer", "supervisor", "admin"]


def scopes_of_the_server():
    text = (SOURCE / "src" / "board" / "users.h").read_text()
    return {i: (name, role.lower()) for i, name, role in re.findall(r'X\(SCOPE_(\w+), "([^"]+)", ROLE_(\w+)\)', text)}


SCOPES = scopes_of_the_server()
TOKEN_SCOPES = [name for i, (name, _) in SCOPES.items() if i not in ("NONE", "SESSION")]


def routes_of_the_server():
    """(method, path, scope, least role)"""
    text = (SOURCE / "src" / "board" / "web.h").read_text()
    found = re.findall(r'X\(EVHTTP_REQ_(\w+),\s*"([^"]+)",\s*SCOPE_(\w+),\s*(\w+)\)', text)
    assert len(found) > 15
    return [(m, p, *SCOPES[s]) for m, p, s, _ in found]


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    for name, team, shop in [("ann", "red", "s1"), ("bob", "blue", "s2"), ("=cmd", "red", "s2")]:
        story.agent(name, team, shop)
    for i, (cust, agent, team, shop) in enumerate([("u1", "ann", "red", "s1"), ("u2", "bob", "blue", "s2"), ("u3", "=cmd", "red", "s2")]):
        story.says(i, cust, 5000 + i, agent, team, shop, ckind="refund", sev=i + 1, crule="complaint.refund", words=f"refund of {cust}")
        story.says(i, "w" + cust, 60_000, agent, team, shop)
    story.says(3, "done", 120_000, "ann", "red", "s1")
    story.answers(3, "done", 100_000, "ann", "red", "s1")
    board = Board(folder / "board", redis.socket, extra="login: {tries: 3, lock: 8s}\n",
                  tokens={**{"only-" + s.replace(".", "-"): (s, "*", "*") for s in TOKEN_SCOPES}, "all": (",".join(TOKEN_SCOPES), "*", "*"),
                          "red": (",".join(TOKEN_SCOPES), "red", "*"), "nowhere": (",".join(TOKEN_SCOPES), "", "")})
    for one in (redis, board):
        Process.started.remove(one.proc)
    client = {name: Client(board, name) for name in USERS}
    client["vera"].now_until("the whole day", lambda d: d["today"]["complete"] and d["today"]["replies"] == 1)
    yield board, redis, client, folder
    board.stop()
    redis.stop()


def cases_of(client):
    return {c["customer"]: c for c in client.get("/api/v1/cases")["cases"]}


# --- who may do what ---

def ask_route(board, who, method, path):
    """The status of a route asked for something that does not exist, with an empty body."""
    url = path.replace("{id}", "0-99999")
    if path.endswith("/events"):
        return stream(board, who)[0]
    headers = {**who.headers(), "Content-Type": "application/json"}
    return who.raw(method, url, "{}" if method == "POST" else None, headers)[0]


def test_every_route_by_role(rig):
    board, _, client, _ = rig
    by_role = {"nobody": Client(board), "agent": client["ann"], "viewer": client["vera"], "supervisor": client["sue"], "admin": client["adam"]}
    for method, path, _, least in routes_of_the_server():
        if path in ("/api/v1/logout", "/api/v1/login"):
            continue  # test_login and test_logout
        for role, who in by_role.items():
            code = ask_route(board, who, method, path)
            if ROLE_ORDER.index(role) >= ROLE_ORDER.index(least):
                assert code in (200, 400, 404), (method, path, role, code)
            else:
                assert code == (401 if role == "nobody" else 403), (method, path, role, code)


def test_every_route_by_token_scope(rig):
    board, _, _, _ = rig
    for method, path, scope, _ in routes_of_the_server():
        if path == "/api/v1/login":
            continue
        for held in TOKEN_SCOPES:
            code = ask_route(board, Client(board, token=board.token["only-" + held.replace(".", "-")]), method, path)
            if held == scope:
                assert code in (200, 400, 404), (method, path, held, code)
            else:
                assert code == 403, (method, path, held, code)
        assert (ask_route(board, Client(board, token=board.token["all"]), method, path) == 403) == (scope == "session"), path


SEES = {"vera": {"u1", "u2", "u3"}, "sue": {"u1", "u2", "u3"}, "adam": {"u1", "u2", "u3"}, "red-view": {"u1", "u3"},
        "red-sup": {"u1", "u3"}, "shop-sup": {"u2", "u3"}, "none-sup": set(), "token:all": {"u1", "u2", "u3"}, "token:red": {"u1", "u3"}, "token:nowhere": set()}
AGENT_OF = {"u1": "ann", "u2": "bob", "u3": "=cmd"}


@pytest.mark.parametrize("name", sorted(SEES))
def test_scope_everywhere(rig, name):
    board, redis, client, _ = rig
    who, sees = client.get(name) or Client(board, token=board.token[name.removeprefix("token:")]), SEES[name]
    is_viewer = name in USERS and USERS[name][0] == "viewer"
    assert set(cases_of(who)) == sees
    now = who.get("/api/v1/now")
    assert {w["customer"] for w in now["set"]} - {"u1", "u2", "u3"} == {"w" + u for u in sees}
    agents = {AGENT_OF[u] for u in sees}
    assert {a["agent"] for a in now["agents"]} == agents
    assert {a["agent"] for a in who.get("/api/v1/agents")["agents"]} == agents
    assert now["today"]["replies"] == (1 if "u1" in sees else 0)
    if not now["today"]["replies"]:
        assert now["today"]["within_30s"] is None and now["today"]["mean_ms"] is None
    rows = list(csv.DictReader(io.StringIO(who.raw("GET", "/api/v1/agents.csv", headers=who.headers())[2].decode())))
    assert {r["agent"].removeprefix("'") for r in rows} == agents
    for agent in AGENT_OF.values():
        assert who.call("GET", "/api/v1/agents/" + quote(agent))[0] == (200 if agent in agents else 404)
    tick = json.loads(stream(board, who)[1])
    assert {a["agent"] for a in tick["agents"]} == agents
    for cust, case in cases_of(client["adam"]).items():
        code, body = who.call("GET", f"/api/v1/cases/{case['id']}")
        assert code == (200 if cust in sees else 404), (name, cust, body)
        code, body = who.call("POST", f"/api/v1/cases/{case['id']}/move", {"to": "open-sesame", "why": "x"})
        assert code == (403 if is_viewer else 400)
        if cust not in sees and not is_viewer:
            assert who.call("POST", f"/api/v1/cases/{case['id']}/move", {"to": "solved", "why": "x"})[0] == 404
            assert who.call("POST", f"/api/v1/cases/{case['id']}/act", {"what": "note", "why": "x"})[0] == 404
            assert client["adam"].get(f"/api/v1/cases/{case['id']}")["state"] != "solved"


def test_the_rounds_behind_the_figures(rig):
    ann = rig[2]["vera"].get("/api/v1/agents/ann")
    assert [(r["customer"], r["end_ms"] - r["start_ms"], r["first"]) for r in ann["rounds"]] == [("done", 20000, True)]
    assert ann["replies"] == 1 and ann["mean_ms"] == 20000 and 20000 <= ann["p50_ms"] < 20000 * 1.016 and ann["within_30s"] == 1
    assert sum(x["replies"] for x in ann["hours"]) == 1
    check("get", "/api/v1/agents/{id}", 200, ann)
    check("get", "/api/v1/agents/{id}", 404, rig[2]["vera"].call("GET", "/api/v1/agents/nobody")[1])


def csv_of(who, query=""):
    code, head, body = who.raw("GET", "/api/v1/agents.csv" + query, headers=who.headers())
    assert code == 200 and head["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(body.decode())))


def same_as_csv(rows, table):
    assert [next(iter(r.values())).removeprefix("'") for r in rows] == [a.get("agent", a.get("name")) for a in table]
    for row, a in zip(rows, table):
        measured = a["measured"] or dict.fromkeys(("counted", "unanswered", "answered", "in_time", "mean_ms"))
        shown = {**a, "first_mean_ms": a["first"]["mean_ms"], **{"business_" + k: v for k, v in a["business"].items()},
                 **{"measured_" + k: v for k, v in measured.items()}}
        if shown["open"] is None:
            shown["online"] = None
        for key, text in row.items():
            if key == "day":
                assert text == a["day"]
            elif key not in ("agent", "team", "shop"):
                assert (None if text == "" else json.loads(text)) == pytest.approx(shown[key], abs=1e-4), (row, key)


def test_the_csv_is_what_the_page_shows(rig):
    who = rig[2]["vera"]
    for by, key in (("agent", "agents"), ("team", "groups"), ("shop", "groups")):
        d = who.get(f"/api/v1/agents?by={by}")
        check("get", "/api/v1/agents", 200, d)
        assert d["by"] == by and d[key]
        same_as_csv(csv_of(who, f"?by={by}"), d[key])


def test_days_teams_and_shops(folder):
    """Another day's figures come from Redis, those of a team or shop are its agents' sums; nobody gets more than their own."""
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    people = [("ann", "red", "s1"), ("bob", "red", "s2"), ("cy", "blue", "s2"), *((f"x{i:02}", "many", "s3") for i in range(60))]
    hour = 3_600_000
    for i, (name, team, shop) in enumerate(people):
        story.agent(name, team, shop, i % 4)
        for ago, took in ((2 * hour, 10_000 + i * 100), (26 * hour, 40_000), (27 * hour, 200_000), (50 * hour, 20_000)):
            cust = f"{name}.{ago}"
            hours = {"ob": 900_000_000, "oc": 7} if name == "ann" else {}  # business time, and of which calendar
            story.says(i % 4, cust, ago, name, team, shop, **hours)
            story.answers(i % 4, cust, ago - took, name, team, shop, **({**hours, "ob": hours["ob"] + 4000} if hours else {}))
        story.put(i % 4, {"k": "out", "at": story.now - 25 * hour, "act": 4, "conv": "c", "cust": "u", "agent": name, "team": team, "shop": shop, "rules": "r.x"})
    board = Board(folder / "board", redis.socket)
    vera, red = Client(board, "vera"), Client(board, "red-view")
    vera.now_until("the whole day", lambda d: d["today"]["complete"] and d["today"]["replies"] == len(people))
    today = vera.get("/api/v1/agents")
    zone = today["start_ms"]
    yesterday, before = (day_name(zone, k, today["day"]) for k in (1, 2))
    d = vera.get(f"/api/v1/agents?day={yesterday}")
    check("get", "/api/v1/agents", 200, d)
    ann = {a["agent"]: a for a in d["agents"]}["ann"]
    assert (ann["replies"], ann["mean_ms"], ann["within_30s"], ann["within_180s"], ann["blocked"], ann["open"]) == (2, 120_000, 0, 0.5, 1, None)
    assert len(d["agents"]) == len(people) and all(a["replies"] == 2 for a in d["agents"]) and not d["today"] and d["start_ms"] == zone - 24 * hour
    assert (ann["business"]["replies"], ann["business"]["mean_ms"], ann["business"]["within_30s"]) == (2, 4000, 1)
    bob = next(a for a in d["agents"] if a["agent"] == "bob")
    assert bob["business"]["replies"] == 0 and bob["business"]["p50_ms"] is None  # whose shop has no calendar
    assert next(a for a in today["agents"] if a["agent"] == "ann")["business"]["replies"] == 1
    same_as_csv(csv_of(vera, f"?day={yesterday}"), d["agents"])
    teams = vera.get(f"/api/v1/agents?day={yesterday}&by=team")
    check("get", "/api/v1/agents", 200, teams)
    assert [(g["name"], g["replies"], g["blocked"]) for g in teams["groups"]] == [("blue", 2, 1), ("many", 120, 60), ("red", 4, 2)]
    same_as_csv(csv_of(vera, f"?day={yesterday}&by=team"), teams["groups"])
    assert [(g["name"], g["replies"]) for g in vera.get("/api/v1/agents?by=shop")["groups"]] == [("s1", 1), ("s2", 2), ("s3", 60)]
    assert [(g["name"], g["replies"]) for g in red.get(f"/api/v1/agents?day={yesterday}&by=shop")["groups"]] == [("s1", 2), ("s2", 2)]
    assert vera.get(f"/api/v1/agents?day={before}")["agents"][0]["replies"] == 1
    for bad in ("?day=2001-01-01", "?day=x", "?by=king"):
        code, body = vera.call("GET", "/api/v1/agents" + bad)
        check("get", "/api/v1/agents", code, body)
        assert code == 400, bad
    one = vera.get(f"/api/v1/agents/ann?day={yesterday}")
    check("get", "/api/v1/agents/{id}", 200, one)
    assert [r["end_ms"] - r["start_ms"] for r in one["rounds"]] == [40_000, 200_000] and "hours" not in one
    assert one["distribution"]["plain"] == [0, 0, 0, 1, 0, 0, 1, 0, 0, 0] and one["distribution"]["business"] == [0, 2, 0, 0, 0, 0, 0, 0, 0, 0] and {r["business_ms"] for r in one["rounds"]} == {4000}
    assert red.call("GET", f"/api/v1/agents/cy?day={yesterday}")[0] == 404
    assert [v["agent"] for v in vera.get("/api/v1/violations?agent=cy")["violations"]] == ["cy"]
    assert red.get("/api/v1/violations?agent=cy")["violations"] == []
    board.stop()
    redis.stop()


def test_days_of_shops_elsewhere(folder):
    """At the desk it is evening, in one shop the next morning already, in another one still the evening before: each agent's
    figures are those of the day there, today's and an earlier date's; and of the desk's day when the shop is no longer elsewhere."""
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    hour, desk = 3_600_000, 18 - time.gmtime().tm_hour     # 18:00 to 19:00; elsewhere 2:00 and 22:00: no midnight is near

    def name(offset):
        return f"{offset:+03d}:00 {offset * hour}"
    for shard in story.shard:
        shard.counting, shard.zones = (name(desk), ""), f"{name(desk + 8)}\teast\t\n{name(desk - 20)}\twest\tother\t\n"
    people = [("ann", "red", "here"), ("eva", "red", "east"), ("will", "blue", "west")]
    for i, (agent, team, shop) in enumerate(people):
        story.agent(agent, team, shop, i)
        for ago in hour // 2, 5 * hour, 20 * hour, 30 * hour:
            story.says(i, f"{agent}.{ago}", ago + 60_000, agent, team, shop)
            story.answers(i, f"{agent}.{ago}", ago, agent, team, shop)
    board = Board(folder / "board", redis.socket)
    vera = Client(board, "vera")

    def replies(query=""):
        d = vera.get("/api/v1/agents" + query)
        check("get", "/api/v1/agents", 200, d)
        if "by" not in query:
            same_as_csv(csv_of(vera, query), d["agents"])
        return d["day"], {a.get("agent", a.get("name")): a["replies"] for a in d.get("agents", d.get("groups"))}, [a.get("day") for a in d.get("agents", [])]
    vera.now_until("the whole day", lambda d: d["today"]["complete"] and d["today"]["replies"] == 2 + 1 + 3)
    today, counts, days = replies()
    assert counts == {"ann": 2, "eva": 1, "will": 3} and days == [today, day_name(0, -1, today), day_name(0, 1, today)]
    assert replies("?by=team")[1] == {"red": 3, "blue": 3} and replies("?by=shop")[1] == {"here": 2, "east": 1, "west": 3}
    for ago, want in (1, {"ann": 2, "eva": 1, "will": 3}), (2, {"ann": 0, "eva": 0, "will": 1}):
        date = day_name(0, ago, today)
        assert replies(f"?day={date}") == (date, want, [date] * 3)
    for who, query, n in ("eva", "", 1), ("eva", f"?day={day_name(0, 1, today)}", 1), ("will", "", 3), ("ann", "", 2):
        one = vera.get(f"/api/v1/agents/{who}{query}")
        check("get", "/api/v1/agents/{id}", 200, one)
        assert (one["replies"], len(one["rounds"])) == (n, n) and all(r["end_ms"] >= one["start_ms"] for r in one["rounds"])
    story.agent("will", "blue", "here", 2)      # for another shop from now on
    vera.now_until("his day is another one", lambda d: d["today"]["replies"] == 2 + 1 + 2)
    for shard in story.shard:
        shard.zones = "-"
    story.agent("ann", "red", "here", 0)
    vera.now_until("nobody is elsewhere", lambda d: d["today"]["complete"] and d["today"]["replies"] == 2 + 2 + 2)
    assert replies() == (today, {"ann": 2, "eva": 2, "will": 2}, [today] * 3)
    board.stop()
    redis.stop()


def test_as_the_deployment_measures(folder):
    """Figures, CSV and rounds by the gateways' own definition, and days of their zone where board.yaml names none."""
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    hours = int(afternoon()[3:]) * -1
    for shard in story.shard:
        shard.counting = (f"{hours:+03d}:00 {hours * 3_600_000}", f"custom message human start 0 86400000 60000 30000")
    story.agent("ann", "red", "s1")
    for i, (ago, took) in enumerate(((900_000, 20_000), (800_000, 40_000), (700_000, 61_000))):
        story.says(i, f"u{i}", ago, "ann", "red", "s1")
        story.says(i, f"u{i}", ago - 10_000, "ann", "red", "s1")
        story.answers(i, f"u{i}", ago - took, "ann", "red", "s1")
    story.says(3, "waits", 300_000, "ann", "red", "s1")   # since five minutes, one is the horizon
    board = Board(folder / "board", redis.socket)
    board.stop()
    board.config.write_text("".join(line for line in board.config.read_text().splitlines(True) if not line.startswith("timezone")))
    board.begin()
    vera = Client(board, "vera")
    vera.now_until("the whole day", lambda d: d["today"]["complete"] and d["today"]["replies"] == 3 and d["set"])
    d = vera.get("/api/v1/agents")
    check("get", "/api/v1/agents", 200, d)
    assert d["measure"] == {"name": "custom", "unit": "message", "within_ms": 30_000,
                            "measures": "messages, begun 00:00-24:00, answered within 30 s, unanswered after 60 s",
                            "counts": "start", "session_gap_ms": None, "from_ms": 0, "to_ms": 86_400_000, "horizon_ms": 60_000}
    # 20 10, 40 30, and of the last only the second: 51; its first message and the one who waits are past the horizon
    (ann,) = d["agents"]
    assert ann["measured"] == {"counted": 7, "unanswered": 2, "answered": pytest.approx(5 / 7), "in_time": pytest.approx(3 / 7),
                               "mean_ms": (20 + 10 + 40 + 30 + 51) * 1000 // 5}
    same_as_csv(csv_of(vera), d["agents"])
    teams = vera.get("/api/v1/agents?by=team")
    check("get", "/api/v1/agents", 200, teams)
    assert teams["groups"][0]["measured"] == ann["measured"]
    same_as_csv(csv_of(vera, "?by=team"), teams["groups"])
    one = vera.get("/api/v1/agents/ann")
    check("get", "/api/v1/agents/{id}", 200, one)
    assert [r["measured"] for r in one["rounds"]] == ["unanswered,51000", "40000,30000", "20000,10000"]
    session = vera.get("/api/v1/session")
    assert session["utc_offset_min"] == hours * 60, "days are those of the gateways"
    assert (d["start_ms"] + hours * 3_600_000) % 86_400_000 == 0
    board.stop()
    redis.stop()


def day_name(start_ms, days_ago, today):
    """The board's zone has no changes of clocks, so a day is 24 hours."""
    import datetime
    del start_ms
    return (datetime.date.fromisoformat(today) - datetime.timedelta(days=days_ago)).isoformat()


def test_a_formula_stays_text_in_the_csv(rig):
    text = rig[2]["vera"].raw("GET", "/api/v1/agents.csv", headers=rig[2]["vera"].headers())[2].decode()
    assert '"\'=cmd"' in text


def stream(board, who):
    """(code, data of the first tick)"""
    c = http.client.HTTPConnection("127.0.0.1", board.port, timeout=2 * PATIENCE)
    c.request("GET", "/api/v1/events", headers=who.headers())
    answer = c.getresponse()
    data = b""
    while answer.status == 200 and not data.endswith(b"\n\n"):
        data += answer.read1(65536)
    c.close()
    return answer.status, data.partition(b"data: ")[2].decode() if data else ""


# --- changes ---

def test_moves(rig):
    _, redis, client, _ = rig
    sue = client["sue"]
    case = cases_of(sue)["u2"]["id"]
    url = f"/api/v1/cases/{case}/move"
    for body in ({}, {"to": "solved"}, {"to": "solved", "why": "  "}, {"to": "solved", "why": "x" * 401}, {"to": 3, "why": "x"}):
        assert sue.call("POST", url, body)[0] == 400, body
    assert sue.call("POST", url, {"to": "acknowledged", "why": "查看中 \"quoted\" \n line"}) == (200, {"id": case, "state": "acknowledged"})
    code, body = sue.call("POST", url, {"to": "acknowledged", "why": "again"})
    assert code == 409 and body["error"] == "illegal_move" and set(body["legal"]) == {"waiting", "solved", "closed"}
    assert sue.call("POST", "/api/v1/cases/x/move", {"to": "solved", "why": "x"})[0] == 404
    entry = next(e for e in client["adam"].get("/api/v1/audit")["entries"] if e["result"] == "ok" and e["target"] == case)
    assert entry["who"] == "sue" and entry["why"] == "查看中 \"quoted\" \n line" and entry["action"] == "case_acknowledged"
    assert redis.client().xlen("cg:audit") > 0


def test_changes_need_the_token_and_our_own_page(rig):
    board, _, client, _ = rig
    sue = client["sue"]
    url = f"/api/v1/cases/{cases_of(sue)['u1']['id']}/move"
    body = json.dumps({"to": "acknowledged", "why": "x"})
    good = {"Cookie": sue.cookie, "X-CSRF-Token": sue.csrf, "Content-Type": "application/json"}
    for change, code in [({"X-CSRF-Token": "0" * 64}, 403), ({"X-CSRF-Token": ""}, 403), ({"Content-Type": "text/plain"}, 415),
                         ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403), ({"Cookie": "chatgate=" + "0" * 64}, 401)]:
        assert sue.raw("POST", url, body, {**good, **change})[0] == code, change
    assert sue.raw("POST", url, "[1]", good)[0] == 400
    assert sue.raw("POST", url, "x" * 9000, good)[0] in (400, 413)
    assert sue.raw("GET", url, None, good)[0] == 405
    assert client["adam"].get(url.removesuffix("/move"))["state"] == "open"
    assert sue.raw("POST", "/api/v1/login", json.dumps({"user": "sue", "password": PASSWORD}),
                   {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"})[0] == 403


# --- logins ---

def test_login_cookie_and_lock(rig):
    board = rig[0]
    c = Client(board, "vera")
    assert re.fullmatch(r"chatgate=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict; Max-Age=\d+", c.set_cookie)
    assert c.session["role"] == "viewer" and c.session["teams"] == "*"
    for name in ("red-view", "nobody-of-that-name"):  # the same answers: names cannot be guessed
        for _ in range(3):
            assert Client(board).call("POST", "/api/v1/login", {"user": name, "password": "wrong"})[0] == 401
        who = Client(board)
        code, body = who.call("POST", "/api/v1/login", {"user": name, "password": PASSWORD})
        assert code == 429 and body["error"] == "locked" and 1 <= int(who.got["Retry-After"]) <= 9
        over = time.monotonic() + int(who.got["Retry-After"])
    wait_for("the lock ends", lambda: time.monotonic() > over)
    assert Client(board).call("POST", "/api/v1/login", {"user": "red-view", "password": PASSWORD})[0] == 200
    results = [e["result"] for e in rig[2]["adam"].get("/api/v1/audit")["entries"] if e["who"] == "red-view"]
    assert "refused" in results and "locked" in results and results[0] == "ok"
    assert "password" not in board.text() and PASSWORD not in board.text()


def test_logout_ends_the_login(rig):
    c = Client(rig[0], "vera")
    old = c.cookie
    assert c.call("POST", "/api/v1/logout", {})[0] == 200
    assert "Max-Age=0" in c.set_cookie
    c.cookie = old
    assert c.call("GET", "/api/v1/session")[0] == 401


def test_an_open_page_keeps_its_login_and_a_closed_one_does_not(folder):
    redis = Redis(folder / "redis")
    Story(redis.client())
    board = Board(folder / "board", redis.socket, extra="login: {idle: 4s, life: 12s}\n")
    who = Client(board, "vera")
    c = http.client.HTTPConnection("127.0.0.1", board.port, timeout=2 * PATIENCE)
    start = time.monotonic()
    c.request("GET", "/api/v1/events", headers=who.headers())
    answer = c.getresponse()
    while time.monotonic() < start + 7:
        assert answer.readline()
    assert who.call("GET", "/api/v1/session")[0] == 200
    while answer.readline():
        pass  # until the server ends the page, since the login is too old
    assert time.monotonic() - start > 11
    assert who.call("GET", "/api/v1/session")[0] == 401
    who = Client(board, "vera")
    at = time.monotonic()
    wait_for("time goes by", lambda: time.monotonic() - at > 4.5)
    assert who.call("GET", "/api/v1/session")[0] == 401
    board.stop()
    redis.stop()


def replace_file(path, text):
    """At once, as editors do: who looks meanwhile sees the old or the new one, and none that is half written."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o600)
    new.rename(path)


def test_users_file_changes_take_effect_at_once_and_a_bad_one_none(folder):
    redis = Redis(folder / "redis")
    Story(redis.client())
    board = Board(folder / "board", redis.socket, users={"eva": ("supervisor", "*", "*"), "max": ("admin", "*", "*")})
    eva, boss = Client(board, "eva"), Client(board, "max")
    passwd(board.users, "eva", "--role", "viewer", "--keep-password")
    wait_for("eva may only look", lambda: eva.get("/api/v1/session")["role"] == "viewer")
    good = board.users.read_text()
    replace_file(board.users, good + "broken line\n")
    board.wait_line(r"users_error at=.*users:3:1: must be name:hash:role:teams:shops")
    assert eva.get("/api/v1/session")["user"] == "eva"
    replace_file(board.users, good)
    passwd(board.users, "eva", password="another password")
    wait_for("the old login ended with the old password", lambda: eva.call("GET", "/api/v1/session")[0] == 401)
    Client(board, "eva", "another password")
    passwd(board.users, "max", "--delete")
    wait_for("max is gone", lambda: boss.call("GET", "/api/v1/session")[0] == 401)
    board.stop()
    redis.stop()


def test_passwd_refuses(folder):
    users = folder / "users"
    for args, password, word in [(["eva"], "short", "10 to 512"), (["e:va"], PASSWORD, "name must be"), (["eva", "--role", "king"], PASSWORD, "must be agent, viewer"),
                                 (["eva", "--teams", "a:b"], PASSWORD, "must not contain"), (["eva", "--delete"], PASSWORD, "no user eva"),
                                 (["eva", "--keep-password"], PASSWORD, "no user eva")]:
        done = passwd(users, *args, password=password, check=False)
        assert done.returncode == 1 and word in done.stderr, (args, done.stderr)
    assert not users.exists()
    passwd(users, "eva", "--teams", "红队,蓝队", "--role", "admin")
    assert re.fullmatch(r"eva:\$y\$[^:]+:admin:红队,蓝队:\*\n", users.read_text())
    assert users.stat().st_mode & 0o777 == 0o600


def test_tokens(folder):
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    story.agent("ann", "red", "s1")
    story.says(1, "u1", 5000, "ann", "red", "s1", ckind="refund", sev=2, crule="complaint.refund", words="refund")
    board = Board(folder / "board", redis.socket, tokens={"reports": ("agents,now", "*", "*"), "bot.1_a": ("cases,cases.act", "red", "*")})
    good = board.token["reports"]
    line = next(x for x in board.tokens.read_text().splitlines() if x.startswith("reports:"))
    assert re.fullmatch(r"cgt_reports_[0-9a-f]{64}", good) and good[-64:] not in board.tokens.read_text() and "$5$" in line
    assert board.tokens.stat().st_mode & 0o777 == 0o600
    reports, bot = Client(board, token=good), Client(board, token=board.token["bot.1_a"])
    reports.now_until("data", lambda d: d["agents"])
    assert reports.get("/api/v1/agents")["agents"][0]["agent"] == "ann"
    for text in (good[:-1] + ("0" if good[-1] != "0" else "1"), good[:-1], good + "0", "cgt_reports_", "cgt_nobody_" + "0" * 64, "x" * 4000):
        who = Client(board, token=text)
        code, head, body = who.raw("GET", "/api/v1/agents", headers=who.headers())
        assert code == 401 and head["WWW-Authenticate"] == "Bearer" and json.loads(body)["error"] == "token", text
    code, body = Client(board).raw("GET", "/api/v1/agents", headers={"Authorization": "Basic eDp5"})[::2]
    assert code == 401
    case = bot.get("/api/v1/cases")["cases"][0]["id"]  # a change by a token needs no CSRF token, and is audited by its name
    assert bot.call("POST", f"/api/v1/cases/{case}/act", {"what": "assign", "value": "ann", "why": "a bot said so"})[0] == 200
    adam = Client(board, "adam")
    assert [(e["who"], e["role"], e["action"]) for e in adam.get("/api/v1/audit")["entries"] if e["target"]][0] == ("token:bot.1_a", "token", "case_assign")
    both = Client(board, "adam")  # a token counts alone, whatever cookie comes with it
    both.token = good
    assert both.call("GET", "/api/v1/audit")[0] == 403
    stream_of_bot = http.client.HTTPConnection("127.0.0.1", board.port, timeout=2 * PATIENCE)
    stream_of_bot.request("GET", "/api/v1/events", headers=reports.headers())
    answer = stream_of_bot.getresponse()
    assert answer.status == 200 and answer.readline() == b"event: tick\n"
    held = board.tokens.read_text()
    replace_file(board.tokens, held.replace("agents,now", "agents,then"))
    board.wait_line(r'tokens_error at=.*tokens:1:1: names a scope that does not exist')
    assert reports.get("/api/v1/agents")  # a bad file changes nothing
    replace_file(board.tokens, held.replace(line, line.rsplit(":", 1)[0] + ":1000000000"))
    wait_for("it has expired", lambda: reports.call("GET", "/api/v1/agents")[0] == 401)
    while answer.readline():
        pass  # the page of an expired token ends
    assert subprocess.run([str(PROGRAM), "token", "bot.1_a", "--delete", "--tokens", str(board.tokens)]).returncode == 0
    wait_for("it is gone", lambda: bot.call("GET", "/api/v1/cases")[0] == 401)
    for args, word in [(["x", "--scopes", "agents,king"], '"king" is no scope, must be one or more of now agents'), (["x"], '"" is no scope'), (["a:b", "--scopes", "now"], "name must be"),
                       (["x", "--delete"], "no token x"), (["x", "--scopes", "now", "--days", "0"], "usage:"), (["x", "--scopes", "now", "--teams", "a:b"], "must not contain")]:
        done = subprocess.run([str(PROGRAM), "token", "--tokens", str(board.tokens), *args], capture_output=True, text=True)
        assert done.returncode != 0 and word in done.stderr, (args, done.stderr)
    board.stop()
    redis.stop()


def test_acts_on_a_case(folder):
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    story.agent("ann", "red", "s1")
    for i, kind in enumerate(["refund", "bad_review"]):
        story.says(i, f"u{i}", 5000, "ann", "red", "s1", ckind=kind, sev=2, crule="complaint." + kind, words=kind)
    board = Board(folder / "board", redis.socket)
    sue = Client(board, "sue")
    sue.now_until("data", lambda d: d["agents"])
    case, review = cases_of(sue)["u0"]["id"], cases_of(sue)["u1"]["id"]

    def act(what, value=None, case=case, **more):
        code, body = sue.call("POST", f"/api/v1/cases/{case}/act", {"what": what, "why": "because", **({} if value is None else {"value": value}), **more})
        check("post", "/api/v1/cases/{id}/act", code, body)
        return code, body
    assert act("assign", "bob") == (200, {"id": case, "state": "open"})
    assert act("snooze", "+3600000")[0] == 200 and act("note")[0] == 200 and act("severity", "3")[0] == 200
    assert act("call", "answered")[0] == act("call", "busy")[0] == 200
    code, body = act("call", "busy")
    # the next day of the figures begins at a midnight of UTC, since no gateway named another zone
    assert code == 409 and body["error"] == "call_limit" and body["next_ms"] % 86_400_000 == 0
    assert 0 < body["next_ms"] - time.time() * 1000 < 86_400_000
    assert act("call", "busy", force=True)[0] == 200
    assert act("call", "answered", case=review)[1]["error"] == "chat_first"
    assert act("severity", "9")[0] == 400 and act("snooze", "1")[1]["allowed"].startswith("a time in ms")
    assert act("dance")[0] == 400 and act("assign", "x" * 201)[0] == 400
    assert sue.call("POST", f"/api/v1/cases/{case}/act", {"what": "note", "why": " "})[1]["error"] == "why"
    seen = sue.get(f"/api/v1/cases/{case}")
    check("get", "/api/v1/cases/{id}", 200, seen)
    assert (seen["assigned"], seen["severity"], seen["calls"], seen["state"]) == ("bob", 3, 3, "open") and seen["snoozed_ms"] - seen["now_ms"] > 3_500_000
    assert [(h["what"], h["value"], h["who"]) for h in seen["history"] if h["what"]][:2] == [("assign", "bob", "sue"), ("snooze", str(seen["snoozed_ms"]), "sue")]
    assert [c["id"] for c in sue.get("/api/v1/cases?q=bob")["cases"]] == [case]
    audit = [(e["action"], e["result"]) for e in Client(board, "adam").get("/api/v1/audit")["entries"] if e["target"] == case]
    assert audit[-1] == ("case_assign", "ok") and ("case_call", "refused") in audit and len(audit) == 10, audit
    board.stop()
    redis.stop()


def test_config_errors_say_where(folder):
    (folder / "b.yaml").write_text("listen: 127.0.0.1:0\nwaiting:\n  amber: 9m\nfoo: 1\nstreams: none\nusers: u\n")
    done = subprocess.run([str(PROGRAM), "--config", str(folder / "b.yaml"), "--check"], capture_output=True, text=True)
    assert done.returncode == 1
    for part in ("b.yaml:4:1: foo: unknown key", "b.yaml:5:10: streams: ", "waiting.red: must be longer"):
        assert part in done.stderr, done.stderr
    sample = (SOURCE / "conf" / "board.yaml").read_text()
    passwd(folder / "board.users", "eva")
    (folder / "s.yaml").write_text(sample.replace("/etc/chatgate/board.users", str(folder / "board.users")))
    assert subprocess.run([str(PROGRAM), "--config", str(folder / "s.yaml"), "--check"]).returncode == 0
    keys = re.findall(r"(?m)^([a-z_.]+) \(", subprocess.run([str(PROGRAM), "--keys"], capture_output=True, text=True).stdout)
    plain = yaml.safe_load(re.sub(r"(?m)^(\s*)#(?=\s*[a-z_]+:)", r"\1", sample))

    def leaves(node, prefix=""):
        for k, v in node.items():
            yield from leaves(v, f"{prefix}{k}.") if isinstance(v, dict) else [prefix + k]
    assert set(leaves(plain)) == set(keys)  # the sample shows every key, and no other


def test_a_time_zone_that_is_none_is_refused(folder):
    passwd(folder / "u", "eva")
    for zone, code in (("Asia/Shanghai", 0), ("UTC", 0), ("CST-8", 0), ("Asia/Shanghia", 1), ("Shanghai", 1)):
        (folder / "z.yaml").write_text(f"timezone: {zone}\nusers: {folder / 'u'}\ntokens: {folder / 't'}\n")
        done = subprocess.run([str(PROGRAM), "--config", str(folder / "z.yaml"), "--check"], capture_output=True, text=True)
        assert done.returncode == code, (zone, done.stderr)
        assert code == 0 or f'z.yaml:1:11: timezone: time zone {zone}' in done.stderr, done.stderr


def test_the_command_line_shows_the_same_times(folder):
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    times = {"ann": [900, 2_000, 7_100, 33_333, 61_000, 250_007], "bob": [20_000], "cai": [5, 5, 6, 99, 12_345, 77_777, 77_778, 500_000, 500_001, 11]}
    for name, list_ in times.items():
        story.agent(name, "red", "s1")
        for i, ms in enumerate(list_):
            story.says(0, f"{name}{i}", ms + 2000, name, "red", "s1")
            story.answers(0, f"{name}{i}", 2000, name, "red", "s1")
    board = Board(folder / "board", redis.socket)
    adam = Client(board, "adam")
    (folder / "c.yaml").write_text("listeners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\n" f"profiles_dir: {SOURCE}/conf/profiles\n"
                                   "upstreams: [{name: im, servers: ['127.0.0.1:9']}]\n" f"redis: {{address: {redis.socket}, shards: 4}}\n")
    done = subprocess.run([PROGRAM.parents[1] / "cli" / "chatgate", "agents", "--json", "--config", folder / "c.yaml"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = {a["agent"]: {q: a["first"][q] for q in ("count", "p50_ms", "p90_ms", "p99_ms")} for a in json.loads(done.stdout)}
    assert told["ann"]["count"] == 6 and told["ann"]["p90_ms"] >= 250_007
    shown = wait_for("figures", lambda: (lambda rows: len(rows) == 3 and all(r["replies"] for r in rows) and rows)(adam.get("/api/v1/agents")["agents"]))
    assert {a["agent"]: {"count": a["replies"], **{q: a[q] for q in ("p50_ms", "p90_ms", "p99_ms")}} for a in shown} == told
    board.stop()
    redis.stop()


def test_a_check_looks_at_certificates_too(folder, certificates):
    passwd(folder / "u", "eva")
    (folder / "junk.pem").write_text("junk")
    for tls, code, word in ((f"{{certificate: {certificates / 'server.pem'}, key: {certificates / 'server.key'}}}", 0, ""),
                            (f"{{certificate: {folder / 'junk.pem'}, key: {certificates / 'server.key'}}}", 1, "t.yaml: tls: "),
                            (f"{{certificate: {certificates / 'server.pem'}, key: {folder / 'none.key'}}}", 1, "none.key: No such file")):
        (folder / "t.yaml").write_text(f"users: {folder / 'u'}\ntokens: {folder / 't'}\ntls: {tls}\n")
        done = subprocess.run([str(PROGRAM), "--config", str(folder / "t.yaml"), "--check"], capture_output=True, text=True)
        assert done.returncode == code and word in done.stderr and "error:" not in done.stderr, (tls, done.stderr)


# --- a case by hand ---

def shard_of(customer, n=4):
    hashed = 14695981039346656037
    for b in customer.encode():
        hashed = (hashed ^ b) * 1099511628211 % 2**64
    return hashed % n


def test_a_case_is_opened_by_hand(folder):
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    for i, (name, team, shop) in enumerate([("ann", "red", "s1"), ("bob", "blue", "s2")]):
        story.agent(name, team, shop, i)
    story.says(shard_of("u-blue"), "u-blue", 5000, "bob", "blue", "s2", ckind="refund", sev=2, crule="complaint.refund", words="refund")
    board = Board(folder / "board", redis.socket)
    adam, sue, red, vera = (Client(board, n) for n in ("adam", "sue", "red-sup", "vera"))
    adam.now_until("agents", lambda d: len(d["agents"]) == 2)
    wish = {"customer": "u-new", "kind": "damaged", "severity": 3, "agent": "ann", "words": "杯子碎了 202611220001", "why": "called us"}
    for wrong, word, code in [({"customer": ""}, "customer", 400), ({"customer": "x" * 201}, "customer", 400), ({"customer": 5}, "customer", 400), ({"kind": "Bad"}, "kind", 400),
                              ({"kind": ""}, "kind", 400), ({"severity": 5}, "severity", 400), ({"severity": "2"}, "severity", 400), ({"severity": 1.5}, "severity", 400),
                              ({"words": "字" * 201}, "words", 400), ({"words": []}, "words", 400), ({"agent": "nobody"}, "agent", 400), ({"why": " "}, "why", 400)]:
        got, body = sue.call("POST", "/api/v1/cases", {**wish, **wrong})
        assert (got, body["error"]) == (code, word), (wrong, got, body)
        check("post", "/api/v1/cases", got, body)
    assert vera.call("POST", "/api/v1/cases", wish)[0] == 403
    assert Client(board).call("POST", "/api/v1/cases", wish)[0] == 401
    code, body = red.call("POST", "/api/v1/cases", wish)  # of her own team
    assert code == 200 and body["state"] == "open", body
    check("post", "/api/v1/cases", code, body)
    case = red.get(f"/api/v1/cases/{body['id']}")
    assert (case["customer"], case["kinds"], case["severity"], case["agent"], case["team"], case["shop"], case["orders"]) == ("u-new", ["damaged"], 3, "ann", "red", "s1", ["202611220001"])
    assert (case["history"][0]["who"], case["history"][0]["why"]) == ("red-sup", "called us")
    for agent in ("bob", ""):  # not hers to give
        code, body = red.call("POST", "/api/v1/cases", {**wish, "customer": "u-3", "agent": agent})
        assert (code, body["error"]) == (403, "agent"), body
    code, body = red.call("POST", "/api/v1/cases", {**wish, "customer": "u-blue"})  # would join a case of others
    assert (code, body["error"]) == (409, "other_case") and "id" not in body
    code, body = sue.call("POST", "/api/v1/cases", {"customer": "u-blue", "kind": "attitude", "why": "and they were rude"})
    assert code == 200
    joined = sue.get(f"/api/v1/cases/{body['id']}")
    assert (sorted(joined["kinds"]), joined["team"], joined["complaints"]) == (["attitude", "refund"], "blue", 2)
    audit = [(e["who"], e["target"], e["result"], e["why"]) for e in adam.get("/api/v1/audit")["entries"] if e["action"] == "case_opened"]
    assert audit == [("sue", joined["id"], "ok", "and they were rude"), ("red-sup", case["id"], "ok", "called us")]
    board.stop()
    redis.stop()


def test_a_case_by_hand_under_a_pseudonym(folder):
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    story.agent("ann", "red", "s1")
    (folder / "key").write_text("0123456789abcdef0123\n")
    name = "p-" + hmac.new(b"0123456789abcdef0123", b"buyer-1", "sha256").hexdigest()[:32]
    board = Board(folder / "board", redis.socket, extra=f"privacy: {{key: {folder / 'key'}}}")
    adam = Client(board, "adam")
    adam.now_until("agents", lambda d: d["agents"])
    ids = {adam.call("POST", "/api/v1/cases", {"customer": who, "kind": "refund", "why": "x"})[1]["id"] for who in ("buyer-1", name)}
    assert len(ids) == 1 and adam.get(f"/api/v1/cases/{ids.pop()}")["customer"] == name
    board.stop()
    redis.stop()


# --- pages and headers ---

def test_pages_are_strict_and_self_contained(rig):
    board = rig[0]
    names = [p.name for p in (SOURCE / "src" / "board" / "www").iterdir()]
    for name in ["", *names]:
        code, head, body = Client(board).raw("GET", "/" + name)
        assert code == 200
        policy = head["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy and "frame-ancestors 'none'" in policy
        assert head["X-Content-Type-Options"] == "nosniff" and head["ETag"]
        assert Client(board).raw("GET", "/" + name, headers={"If-None-Match": head["ETag"]})[0] == 304
        urls = set(re.findall(rb"https?://[^\s\"'`)]+", body)) - {b"http://www.w3.org/2000/svg"}
        assert not urls, urls
        assert b"style=" not in body and b"<script>" not in body and b"innerHTML" not in body
    assert Client(board).raw("GET", "/../users")[0] == 404
    assert Client(board).raw("GET", "/api/v1/nothing")[0] == 404
    assert Client(board).raw("POST", "/", "x")[0] == 405


def test_tls_and_secure_cookie(folder, certificates):
    import ssl
    import urllib.request
    redis = Redis(folder / "redis")
    Story(redis.client())
    board = Board(folder / "board", redis.socket, secure=True,
                  extra=f"tls: {{certificate: {certificates / 'server.pem'}, key: {certificates / 'server.key'}}}\n")
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))

    def ask(path, data=None, cookie=None):
        r = urllib.request.Request(f"https://localhost:{board.port}{path}", data, {"Content-Type": "application/json", **({"Cookie": cookie} if cookie else {})})
        return urllib.request.urlopen(r, context=context, timeout=PATIENCE)
    answer = ask("/api/v1/login", json.dumps({"user": "sue", "password": PASSWORD}).encode())
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-chatgate=") and cookie.endswith("; Secure") and answer.headers["Strict-Transport-Security"]
    assert json.load(ask("/api/v1/session", cookie=cookie.split(";")[0]))["user"] == "sue"
    with ask("/api/v1/events", cookie=cookie.split(";")[0]) as events:
        assert events.readline() == b"event: tick\n"
    board.stop()
    redis.stop()


# --- peers that are not nice ---

def test_clients_that_go_away_and_many_at_once(rig):
    board, _, client, _ = rig
    sue = client["sue"]
    head = f"Host: x\r\nCookie: {sue.cookie}\r\n"
    login = json.dumps({"user": "vera", "password": PASSWORD})
    for text in (f"GET /api/v1/cases HTTP/1.1\r\n{head}\r\n", f"GET /api/v1/events HTTP/1.1\r\n{head}\r\n", f"GET /api/v1/events HTTP/1.0\r\n{head}\r\n",
                 f"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(login)}\r\n\r\n{login}",
                 "GET / HTTP/1.1\r\nHost: x", "\x16\x03\x01\x02", "GET /%00%ff/../.. HTTP/1.1\r\n\r\n", "GET /?%zz=%&&=== HTTP/1.1\r\nHost: x\r\n\r\n",
                 f"GET /api/v1/cases/%00-1 HTTP/1.1\r\n{head}\r\n", "A" * 40000):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", board.port)) as s:
                s.sendall(text.encode("latin-1"))
    with ThreadPoolExecutor(40) as pool:
        codes = list(pool.map(lambda i: Client(board).call("POST", "/api/v1/login", {"user": f"guess{i}", "password": "x"})[0], range(40)))
    assert set(codes) <= {401, 503} and 401 in codes, codes
    wait_for("the pages that went away are gone", lambda: client["adam"].get("/api/v1/health")["pages"] == 0)
    assert sue.get("/api/v1/session")["user"] == "sue"


def test_pages_at_the_same_time_are_bounded(folder):
    redis = Redis(folder / "redis")
    Story(redis.client())
    board = Board(folder / "board", redis.socket, extra="streams: 2\n")
    who = Client(board, "adam")
    held = []
    for wanted in (200, 200, 503):
        c = http.client.HTTPConnection("127.0.0.1", board.port, timeout=2 * PATIENCE)
        c.request("GET", "/api/v1/events", headers=who.headers())
        assert c.getresponse().status == wanted
        held.append(c)
    assert who.get("/api/v1/health")["pages"] == 2
    board.stop()  # with pages open
    redis.stop()


def test_violations(folder):
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    story.agent("ann", "red", "s1")
    for i, (act, team, rules, shadow) in enumerate([(4, "red", "r.block", ""), (0, "red", "", ""), (2, "blue", "r.a,r.b", ""), (0, "red", "", "s.trial"), (1, "red", "r.w", "s.x")]):
        story.put(i % 4, {"k": "out", "at": story.now - 1000 * i, "act": act, "conv": f"c{i}", "cust": f"u{i}", "agent": "ann", "team": team, "shop": "s1",
                          **({"rules": rules} if rules else {}), **({"shadow": shadow} if shadow else {})})
    story.says(0, "u9", 10, "ann", "red", "s1")
    board = Board(folder / "board", redis.socket)
    who = Client(board, "vera")
    who.now_until("data", lambda d: True)
    seen = who.get("/api/v1/violations")["violations"]
    assert [(v["customer"], v["action"], v["rules"], v["shadow"]) for v in seen] == [
        ("u0", "block", ["r.block"], []), ("u2", "rewrite", ["r.a", "r.b"], []), ("u3", "pass", [], ["s.trial"]), ("u4", "warn", ["r.w"], ["s.x"])]
    assert [v["customer"] for v in Client(board, "red-sup").get("/api/v1/violations")["violations"]] == ["u0", "u3", "u4"]
    check("get", "/api/v1/violations", 200, {"violations": seen})
    db = redis.client()

    def calls():
        return db.info("commandstats")["cmdstat_xrevrange"]["calls"]
    wait_for("the answer is too old", lambda: time.sleep(1.1) is None)
    before, at = calls(), time.monotonic()
    with ThreadPoolExecutor(20) as pool:  # twenty pages at once: asked once for each second, four shards
        assert all(len(x["violations"]) == 4 for x in pool.map(lambda _: who.get("/api/v1/violations"), range(20)))
    assert calls() - before <= 4 * (2 + int(time.monotonic() - at)), calls() - before
    board.stop()
    redis.stop()


def test_reminders_as_the_gateways_record_them(rig):
    _, redis, client, _ = rig
    shard = Shard(redis.client(), 1)
    steps = ("30000:agent", "30000:supervisor", 0)
    for row in shard.run("remind_due", 16, *steps)[1:]:
        item, _, step, anchor = row[:4]
        fence = shard.run("remind_claim", item, step, anchor, "n1", 10000, *steps)[1]
        assert shard.run("remind_raise", item, step, anchor, fence, "chat", *steps) == [b"SEND"]
        assert shard.run("remind_done", item, step, anchor, fence, "delivered", *steps) == [b"OK"]
    answer = client["sue"].get("/api/v1/reminders")
    seen = answer["reminders"]
    waits = [r for r in seen if r["kind"] == "unanswered" and r["customer"] == "wu2"]
    assert [(r["what"], r["customer"], r["agent"], r["node"]) for r in waits] == [("delivered", "wu2", "bob", "n1"), ("raised", "wu2", "bob", "n1")]
    assert client["red-view"].get("/api/v1/reminders")["reminders"] == []
    check("get", "/api/v1/reminders", 200, answer)


def test_reminders_to_come_and_put_off(rig):
    _, _, client, _ = rig
    sue, red = client["sue"], client["red-sup"]
    coming = {(c["kind"], c["customer"]): c for c in sue.get("/api/v1/reminders")["coming"]}
    assert ("unanswered", "wu1") in coming and ("unanswered", "wu2") in coming and ("stale_case", "u3") in coming
    assert {c["customer"] for c in red.get("/api/v1/reminders")["coming"]} == {"u1", "wu1", "u3", "wu3"}
    one = coming["unanswered", "wu2"]
    assert one["snoozed_ms"] is None and one["agent"] == "bob"

    def snooze(who, id, **body):
        code, got = who.call("POST", f"/api/v1/reminders/{id}/snooze", body)
        check("post", "/api/v1/reminders/{id}/snooze", code, got)
        return code, got
    assert snooze(red, one["id"], until="+60000", why="x")[0] == 404
    assert snooze(sue, one["id"], until="+60000")[1]["error"] == "why" and snooze(sue, one["id"], why="x")[0] == 400
    assert snooze(sue, one["id"], until="5", why="x")[1]["error"] == "until"
    assert snooze(sue, "0-0000000000", until="+60000", why="x")[0] == snooze(sue, "99-x", until="+60000", why="x")[0] == 404
    assert client["vera"].call("POST", f"/api/v1/reminders/{one['id']}/snooze", {"until": "0", "why": "x"})[0] == 403
    code, body = snooze(sue, one["id"], until="+3600000", why="he calls back")
    assert code == 200 and body["snoozed_ms"] > time.time() * 1000 + 3_500_000
    seen = next(c for c in sue.get("/api/v1/reminders")["coming"] if c["id"] == one["id"])
    assert seen["snoozed_ms"] == seen["next_ms"] == body["snoozed_ms"]
    check("get", "/api/v1/reminders", 200, sue.get("/api/v1/reminders"))
    assert ("reminder_snooze", "sue", one["id"], "he calls back", "ok") in [(e["action"], e["who"], e["target"], e["why"], e["result"]) for e in client["adam"].get("/api/v1/audit")["entries"]]
    assert snooze(sue, one["id"], until="0", why="x")[1]["snoozed_ms"] is None


def test_gaps_and_webhooks_on_health(folder):
    import msgpack
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    for i, n in enumerate((3, 40)):
        story.put(i, {"k": "gap", "at": story.now - 60_000 * i, "count": n})
    redis.client().hset("cg:hooks", "oncall", msgpack.packb({"kind": "generic", "host": "hooks.example.com", "sent": 12, "failed": 3, "gave": 1, "ok_at": story.now - 5000, "fail_at": story.now - 1000,
                                                             "err": "HTTP 500", "b": 2, "o": story.now + 60_000, "w": 0, "seen": story.now}))
    board = Board(folder / "board", redis.socket)
    adam = Client(board, "adam")
    adam.now_until("data", lambda d: True)
    d = adam.get("/api/v1/health")
    check("get", "/api/v1/health", 200, d)
    assert [(g["node"], g["events"]) for g in d["gaps"]] == [("n1", 3), ("n1", 40)] or [g["events"] for g in d["gaps"]] == [3, 40]
    assert d["totals"]["lost"] == 43 and d["redis_whole"] and d["hooks_waiting"] == 0
    hook = d["hooks"][0]
    assert (hook["target"], hook["sent"], hook["gave_up"], hook["error"], hook["in_a_row"], hook["closed_until_ms"]) == ("oncall", 12, 1, "HTTP 500", 2, story.now + 60_000)
    board.stop()
    redis.stop()


# --- the OpenAPI file ---

def test_openapi_names_every_route_and_only_those():
    documented = {(m.upper(), p) for p, item in OPENAPI["paths"].items() for m in item if m in ("get", "post")}
    assert documented == {(m, p) for m, p, *_ in routes_of_the_server()}
    for m, p, scope, role in routes_of_the_server():
        operation = OPENAPI["paths"][p][m.lower()]
        assert (operation["x-role"], operation["x-scope"]) == (role, scope), (m, p)


def check(method, path, code, body):
    """The body fits the schema that the file gives for this answer."""
    answer = OPENAPI["paths"][path][method]["responses"].get(str(code)) or OPENAPI["paths"][path][method]["responses"]["default"]
    if "$ref" in answer:
        answer = OPENAPI["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    schema = dict(answer["content"]["application/json"]["schema"], components=OPENAPI["components"])
    jsonschema.Draft202012Validator(schema).validate(body)


def test_openapi_fits_what_the_server_answers(rig):
    board, _, client, _ = rig
    adam = client["adam"]
    case = cases_of(adam)["u3"]["id"]
    for path in ("/api/v1/session", "/api/v1/now", "/api/v1/agents", "/api/v1/cases", "/api/v1/held", "/api/v1/violations", "/api/v1/rules", "/api/v1/reminders", "/api/v1/health", "/api/v1/audit"):
        check("get", path, 200, adam.get(path))
        check("get", path, 401, Client(board).call("GET", path)[1])
    check("get", "/api/v1/now", 200, json.loads(stream(board, adam)[1]))  # a tick is the same object
    check("get", "/api/v1/cases", 400, adam.call("GET", "/api/v1/cases?which=some")[1])
    check("get", "/api/v1/cases/{id}", 200, adam.get(f"/api/v1/cases/{case}"))
    check("get", "/api/v1/cases/{id}", 404, adam.call("GET", "/api/v1/cases/0-777")[1])
    for body in ({"to": "waiting", "why": "x"}, {"to": "open", "why": "x"}, {"to": "waiting", "why": "x"}):
        code, got = adam.call("POST", f"/api/v1/cases/{case}/move", body)
        check("post", "/api/v1/cases/{id}/move", code, got)
    code, got = Client(board).call("POST", "/api/v1/login", {"user": "sue", "password": "no"})
    check("post", "/api/v1/login", code, got)
    other = Client(board)
    code, got = other.call("POST", "/api/v1/login", {"user": "vera", "password": PASSWORD})
    check("post", "/api/v1/login", code, got)
    other.csrf = got["csrf"]
    code, got = other.call("POST", "/api/v1/logout", {})
    check("post", "/api/v1/logout", code, got)


def test_the_schemas_are_strict(rig):
    who = rig[2]["adam"]
    agents, tick = who.get("/api/v1/agents"), who.get("/api/v1/now")
    for path, body, spoil in [("/api/v1/agents", agents, lambda b: b["agents"][0].update(extra=1)), ("/api/v1/agents", agents, lambda b: b["agents"][0].pop("p50_ms")),
                              ("/api/v1/now", tick, lambda b: b["today"].update(within_30s=2)), ("/api/v1/now", tick, lambda b: b["set"][0].pop("since_ms")),
                              ("/api/v1/now", tick, lambda b: b["agents"][0].update(extra=1))]:
        bad = json.loads(json.dumps(body))
        spoil(bad)
        check("get", path, 200, body)
        with pytest.raises(jsonschema.ValidationError):
            check("get", path, 200, bad)


def test_case_filters(rig):
    who = rig[2]["adam"]
    every = who.get("/api/v1/cases?which=all")["cases"]
    assert [c["customer"] for c in every] == ["u3", "u2", "u1"]  # the gravest first
    for query, wanted in [("severity=2", ["u3", "u2"]), ("team=blue", ["u2"]), ("shop=s2", ["u3", "u2"]), ("agent=ann", ["u1"]), ("q=refund+of+u1", ["u1"]), ("q=zzz", [])]:
        assert [c["customer"] for c in who.get("/api/v1/cases?which=all&" + query)["cases"]] == wanted, query
    assert time.time() * 1000 - every[0]["opened_ms"] < 3_600_000


def test_an_acl_user_with_no_more_than_the_documented_rights(folder):
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    story.agent("ann", "red", "s1")
    story.says(1, "u1", 5000, "ann", "red", "s1", ckind="refund", sev=2, crule="complaint.refund", words="refund")
    text = (SOURCE / "docs" / "board.md").read_text()
    rule = re.search(r"ACL SETUSER board (.*)\n", text)[1]
    redis.client().execute_command("ACL", "SETUSER", "board", "on", ">secret", *rule.split())
    (folder / "pw").write_text("secret\n")
    board = Board(folder / "board", redis.socket, redis_extra=f", username: board, password_file: {folder / 'pw'}")
    adam = Client(board, "adam")
    adam.now_until("data", lambda d: d["set"] and d["agents"])
    case = cases_of(adam)["u1"]["id"]
    assert adam.call("POST", f"/api/v1/cases/{case}/move", {"to": "solved", "why": "x"})[0] == 200
    assert adam.call("POST", "/api/v1/cases", {"customer": "u2", "kind": "refund", "agent": "ann", "why": "x"})[0] == 200
    adam.get("/api/v1/health")
    coming = adam.get("/api/v1/reminders")["coming"]
    assert [e["action"] for e in adam.get("/api/v1/audit")["entries"][:2]] == ["case_opened", "case_solved"]
    story.put(1, {"k": "out", "at": story.now - 1000, "act": 4, "conv": "c", "cust": "u", "agent": "ann", "team": "red", "shop": "s1", "rules": "r.x", "txf": "t"})
    seen = wait_for("a violation", lambda: adam.get("/api/v1/violations")["violations"])[0]["id"]
    for path, body in [(f"cases/{case}/act", {"what": "note", "why": "x"}), (f"violations/{seen}/feedback", {"verdict": "right"}), (f"violations/{seen}/text", {"why": "x"}),
                       (f"reminders/{coming[0]['id']}/snooze", {"until": "+60000", "why": "x"})]:
        assert adam.call("POST", "/api/v1/" + path, body)[0] == 200, path
    assert adam.call("POST", "/api/v1/held/1-1/decide", {"decision": "approve"})[0] == 404
    yesterday = day_name(0, 1, adam.get("/api/v1/agents")["day"])
    for path in ("held", "rules", f"agents?day={yesterday}", "agents/ann"):
        adam.get("/api/v1/" + path)
    refused = redis.client().execute_command("ACL", "LOG")
    assert refused == [], str(refused)[-900:]
    board.stop()
    redis.stop()
