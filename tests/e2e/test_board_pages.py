"""The pages of the dashboard in Chromium on a Redis with a day's story: cases, languages, themes, widths."""

import datetime
import json
import os
import re
import time
import urllib.parse
import zoneinfo

import pytest
from board_rig import Board, Client, Page, Story, free_of_surprises
from gateway import Process, Redis, wait_for

WIDTHS = (360, 768, 1280, 1920)
AGENTS = [("小陈", "red", "旗舰店"), ("小林", "red", "旗舰店"), ("bob", "blue", "s2"), ("王芳", "blue", "专营店"),
          ("赵敏", "red", "专营店"), ("李雷", "blue", "旗舰店")]
WAITS = [("买家甲", 7_000), ("tb_33018", 14_000), ("买家_月亮", 21_000), ("晴天", 26_000), ("jd_7788", 41_000), ("平安是福", 66_000),
         ("tb_90211", 95_000), ("大海", 150_000), ("一个名字非常非常长的顾客昵称放不下就要截断才行_0123456789", 260_000), ("阿杰", 425_000)]
COMPLAINTS = [("老周", "refund", 3, "退款拖了一个星期还没到账，订单 202611220001，再不处理我就投诉到 12315", 40), ("小美", "not_delivered", 2, "说好昨天到，现在物流还停在原地", 200),
              ("jd_5521", "damaged", 2, "杯子碎了两个，包装太差", 90), ("阿强", "attitude", 1, "问了三遍才回一句，态度也太敷衍了", 600), ("tb_1002", "fake", 3, "这是假货吧，吊牌都不一样", 15)]


SAID = {"border.literal": "亲，您可以在灯光下看看颜色哦", "extreme.superlative,service.address": "这是我们家最好的一款了，你放心", "service.vague": "应该大概明天能到吧",
        "off_platform.private_contact": "加我微信 wx_0a00aaa00 聊，电话 13000000000"}
RULES = [("off_platform.private_contact", "引导添加站外联系方式", "E1", "block", False), ("border.literal", "平台误判词的改写", "E3", "rewrite", False), ("extreme.superlative", "最高级用语", "E6", "rewrite", False),
         ("service.address", "称呼用您", "S3", "warn", False), ("service.vague", "含糊用语", "S1", "warn", True)]
VERDICTS = ({"act": 0}, {"act": 0, "shadow": "service.vague"}, {"act": 2, "rules": "border.literal"}, {"act": 1, "rules": "extreme.superlative,service.address"}, {"act": 0})


def said(e):
    text = SAID.get(e.get("rules") or e.get("shadow"))
    return {**e, "txm": text, "txf": text} if text else e


def tell_of_gateways(story):
    rules = json.dumps([{"id": i, "title": t, "norm": n, "cite": "", "action": a, "direction": "outgoing", "shadow": x} for i, t, n, a, x in RULES])
    for k, node in enumerate(("gate-1", "gate-2", "gate-3")):
        version = "5f2c91d07ab3e844" if k < 2 else "90b1e7c2d35fa610"
        state = {"version": "0.1.0", "started_ms": story.now - 86_400_000 * 3, "mode": "enforce", "mode_until_ms": 0, "ready": True, "why": "", "draining": False, "sessions": 412 - 9 * k, "agents": 61 + k,
                 "rules": {"version": version, "count": len(RULES), "loaded_ms": story.now - 7_200_000, "reloads": 4, "reloads_failed": int(k == 2), "last_reload_ms": story.now - 7_200_000,
                           "last_failed_ms": story.now - 600_000 if k == 2 else 0, "last_error": "rules/local/shop.yaml:12:5: action: is \"blok\", must be warn, rewrite, hold or block" if k == 2 else ""},
                 "packs": [{"pack": "off_platform", "rules": 1, "shadow": 0}, {"pack": "border", "rules": 1, "shadow": 0}, {"pack": "extreme", "rules": 1, "shadow": 0}, {"pack": "service", "rules": 2, "shadow": 1}],
                 "journal": {"unsent_bytes": 40_000 * k, "ring_bytes": 67_108_864, "oldest_unsent_ms": 300 * k, "lost": 0, "gaps": 0, "clock_offset_ms": 1, "error": ""}}
        story.db.zadd("cg:{nodes}:at", {node: story.now + 3_600_000})  # they are there as long as this test runs
        story.db.hset("cg:{nodes}:state", node, json.dumps(state, ensure_ascii=False))
        story.db.set("cg:{nodes}:rules:" + version, rules)


def tell_a_day(story):
    tell_of_gateways(story)
    for i, (name, team, shop) in enumerate(AGENTS):
        story.agent(name, team, shop, i % 4)
    hour = 3_600_000
    for h in range(1, 17):
        for i, (name, team, shop) in enumerate(AGENTS):
            if h % 7 == 4:
                continue  # an hour without replies: a gap in the line
            cust, at = f"day{h}.{i}", h * hour
            story.says(i % 4, cust, at, name, team, shop)
            story.answers(i % 4, cust, at - (9_000 + 5_000 * ((h * 5 + i * 7) % 11) * (1 + (h % 3))), name, team, shop, rv="5f2c91d07ab3e844", **said(VERDICTS[(h + i) % 5]))
            if (h + i) % 6 == 0:
                story.put(i % 4, {"k": "out", "at": story.now - at, "act": 4, "conv": "c-" + cust, "cust": cust, "agent": name, "team": team, "shop": shop, "rv": "5f2c91d07ab3e844", **said({"rules": "off_platform.private_contact"})})
    for i, (cust, kind, sev, words, minutes) in enumerate(COMPLAINTS):
        name, team, shop = AGENTS[i]
        story.says(i % 4, cust, minutes * 60_000, name, team, shop, ckind=kind, sev=sev, crule="complaint." + kind, words=words)
        story.answers(i % 4, cust, minutes * 60_000 - 20_000, name, team, shop)
    for i, (cust, ago) in enumerate(WAITS):
        name, team, shop = AGENTS[i % len(AGENTS)]
        story.says(i % 4, cust, ago, name, team, shop)
        if ago > 90_000:
            story.says(i % 4, cust, ago - 30_000, name, team, shop)


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    tell_a_day(story)
    board = Board(folder / "board", redis.socket)
    for one in (redis, board):
        Process.started.remove(one.proc)  # they live as long as the module
    yield board, redis, folder
    board.stop()
    redis.stop()


@pytest.fixture
def page(rig):
    page = Page(rig[0].url)
    yield page
    page.close()


def ready(page, name="adam"):
    page.log_in(name)
    page.wait("li.wait")
    wait_for("today is read", lambda: page.text('[data-tile="blocked"] .value') not in ("–", None)
             and not page.find(".banner")[0].is_displayed())


def case_of(page, words):
    return next(b for b in page.find("[data-case]") if words in b.text)


def test_every_page_at_every_width_in_both_themes(rig, page):
    """Nothing sticks out, nothing is logged; screenshots go to CHATGATE_SHOTS when it is set."""
    shots = os.environ.get("CHATGATE_SHOTS")
    ready(page)
    for name, sign in [("now", "li.wait"), ("cases", "[data-case]"), ("agents", "tbody tr"), ("violations", "[data-violation]"), ("rules", "tbody tr"), ("held", ".empty"), ("reminders", "tbody tr"), ("health", "tbody tr")]:
        page.go(name)
        page.wait(sign)
        if name == "cases":
            case_of(page, "老周").click()
            page.wait("ol.history li")
        for width in WIDTHS:
            for scheme in ("light", "dark"):
                page.size(width, 1080 if width > 1000 else 900)
                page.scheme(scheme)
                page.wait(f':root[data-theme="{scheme}"] main')
                page.js("scrollTo(0, 0)")
                assert page.overflow() == [0, []], (name, width)
                if shots:
                    page.shot(f"{shots}/{name}-{width}-{scheme}.png")
    assert free_of_surprises(page) == []


def test_longest_wait_first_and_the_lights_by_threshold(rig, page):
    ready(page)
    rows = [(e.text, e.get_attribute("class")) for e in page.find("li.wait")]
    assert "阿杰" in rows[0][0] and len(rows) == len(WAITS)
    seen = [c.rsplit("-", 1)[1] for _, c in rows]
    assert seen == sorted(seen, key=["red", "amber", "green"].index)
    assert page.find("li.wait .mark")[0].text == "■"  # not by color alone
    page.wait_text('[data-tile="waiting"] .value', f"^{len(WAITS)}$")
    line = page.find('[data-tile="w30"] svg path')[1].get_attribute("d")
    assert line.count("M") > 1, "hours without replies are gaps"


def test_a_case_is_solved_with_a_reason(rig, page):
    board, redis, _ = rig
    ready(page, "sue")
    page.go("cases")
    page.wait("[data-case]")
    severities = [e.text for e in page.find(".case-list .chip")]
    assert severities == ["grave", "grave", "serious", "serious", "minor"], severities
    first = page.find("[data-case]")[0]
    assert "老周" in first.text  # of two grave ones the older
    target = case_of(page, "jd_5521")
    case = target.get_attribute("data-case")
    target.click()
    page.wait("ol.history li")
    page.click('[data-move="acknowledged"]')
    page.wait_text(".act .error", "Please give a reason")
    for to, why in [("acknowledged", "I look at it"), ("waiting", "courier asked"), ("solved", "two cups sent again")]:
        page.wait("#why").send_keys(why)
        page.click(f'[data-move="{to}"]')
        page.wait(f'.detail [data-state="{to}"]')
    page.wait_text("ol.history li", "two cups sent again")
    wait_for("it leaves the queue", lambda: not any(b.get_attribute("data-case") == case for b in page.find("[data-case]")))
    stored = Client(board, "sue").get(f"/api/v1/cases/{case}")
    assert [(h["to"], h["why"], h["who"]) for h in stored["history"]][-1] == ("solved", "two cups sent again", "sue")
    audit = [e for e in Client(board, "adam").get("/api/v1/audit")["entries"] if e["target"] == case]
    assert [e["action"] for e in audit] == ["case_solved", "case_waiting", "case_acknowledged"]
    assert all(e["who"] == "sue" and e["role"] == "supervisor" and e["result"] == "ok" for e in audit)
    assert re.search(rf'audit action=case_solved who="sue" role=supervisor from=127.0.0.1 target="{case}"', board.text())
    page.wait("[data-move=reopened]")
    assert free_of_surprises(page) == []


def test_a_case_is_opened_by_hand(rig, page):
    board, _, _ = rig
    ready(page, "sue")
    page.go("cases")
    page.wait("[data-case]")
    page.press("[data-open-case]")
    page.wait("form.open-case input[name=customer]").send_keys("tb_by_hand")
    for width in WIDTHS:
        page.size(width, 900)
        assert page.overflow() == [0, []], width
    page.find("form.open-case option[value=damaged]")[0].click()
    page.find("form.open-case input[name=agent]")[0].send_keys("nobody")
    page.find("form.open-case textarea")[0].send_keys("the cup is broken")
    page.find("form.open-case input[name=why]")[0].send_keys("told by telephone")
    page.find("form.open-case button.main")[0].click()
    page.wait_text("form.open-case .error", "There is no such agent")
    page.find("form.open-case input[name=agent]")[0].clear()
    page.find("form.open-case input[name=agent]")[0].send_keys("bob")
    page.find("form.open-case button.main")[0].click()
    page.wait_text("ol.history li", "open — told by telephone")
    assert not page.find("form.open-case")
    page.wait_text(".detail blockquote", "the cup is broken")
    case = page.text(".cases > section:last-child h2")
    assert (lambda c: (c["customer"], c["team"], c["severity"]))(Client(board, "sue").get(f"/api/v1/cases/{case}")) == ("tb_by_hand", "blue", 2)
    page.press("[data-open-case]")
    page.wait("form.open-case input[name=customer]").send_keys("\ue00c")  # Escape
    wait_for("it is closed", lambda: not page.find("form.open-case"))
    assert page.js("return document.activeElement.hasAttribute('data-open-case')")
    page.press('[data-move="closed"]')
    page.wait_text(".act .error", "Please give a reason")
    page.find("#why")[0].send_keys("only a trial")
    page.press('[data-move="closed"]')
    page.wait('.detail [data-state="closed"]')
    assert [e for e in free_of_surprises(page) if "400 (Bad Request)" not in e] == []


@pytest.mark.parametrize("own", ["America/Los_Angeles", "Pacific/Auckland"])
def test_times_are_those_of_the_desk(rig, own):
    """A reader in another part of the world sees the desk's clock and asks for the desk's days."""
    board, _, _ = rig
    page = Page("about:blank")
    try:
        page.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": own})
        page.driver.get(board.url)
        ready(page)
        d = Client(board, "adam").get("/api/v1/agents")
        page.go("agents")
        page.wait("#agents-day option:nth-child(8)")
        offered = page.js("return [...document.querySelectorAll('#agents-day option')].map((e) => e.value)")
        today = datetime.date.fromisoformat(d["day"])
        assert offered == [""] + [str(today - datetime.timedelta(days=i)) for i in range(1, 8)]
        for i in (2, 8):
            page.find(f"#agents-day option:nth-child({i})")[0].click()
            page.wait(f"main a[download][href*='day={offered[i - 1]}']")
        assert not page.find("main .error")[0].is_displayed()
        page.find("#agents-day option:nth-child(1)")[0].click()
        page.wait("main a[download]:not([href*='day='])")
        zone = datetime.timezone(datetime.timedelta(minutes=Client(board, "adam").get("/api/v1/session")["utc_offset_min"]))
        now = datetime.datetime.now(datetime.timezone.utc)
        if now.astimezone(zoneinfo.ZoneInfo(own)).utcoffset() != zone.utcoffset(None):  # the desk's zone depends on the hour of the test
            page.wait_text(".zone", "Times are those of ")
        page.js("location.hash = 'agents/' + encodeURIComponent('小陈')")
        page.wait("section:has(#rounds) tbody tr")
        row = Client(board, "adam").get("/api/v1/agents/" + urllib.parse.quote("小陈"))["rounds"][0]
        page.wait_text("section:has(#rounds) tbody td", datetime.datetime.fromtimestamp(row["end_ms"] / 1000, zone).strftime("%H:%M:%S"))
        assert free_of_surprises(page) == []
    finally:
        page.close()


def test_assign_call_and_snooze(rig, page):
    board, _, _ = rig
    ready(page, "sue")
    page.go("cases")
    page.wait("[data-case]")
    target = case_of(page, "小美")
    case = target.get_attribute("data-case")
    target.click()
    page.wait("#assign-to").clear()
    page.find("#assign-to")[0].send_keys("bob")
    page.click("[data-act=assign]")
    page.wait_text(".act .error", "Please give a reason")

    def act(name, reason="r"):
        page.wait("#why").clear()
        page.find("#why")[0].send_keys(reason)
        page.click(f"[data-act={name}]")
    act("assign", "knows the courier")
    page.wait_text("ol.history li", "assigned to")
    page.wait("#assign-to").clear()
    page.find("#assign-to")[0].send_keys("bob")
    act("assign", "bob knows the courier")
    page.wait_text("ol.history li", "assigned to bob — bob knows the courier")
    act("snooze-4h", "the courier calls back")
    page.wait_text("ol.history li", "snoozed until")
    page.wait("[data-act=snooze-end]")
    page.wait_text(f'[data-case="{case}"]', "asleep until")
    for n, result in enumerate(("call-no_answer", "call-answered")):
        act(result, f"call number {n}")
        page.wait_text("ol.history li", f"call number {n}")
    act("call-busy", "a third")
    page.wait_text(".act .error", "Two calls a day")
    page.click("[data-act=force]")
    page.wait_text("ol.history li", "a third")
    seen = Client(board, "sue").get(f"/api/v1/cases/{case}")
    assert (seen["assigned"], seen["calls"], seen["state"]) == ("bob", 3, "open") and 3.9 * 3_600_000 < seen["snoozed_ms"] - seen["now_ms"] <= 4 * 3_600_000
    for width in WIDTHS:
        page.size(width, 900)
        assert page.overflow() == [0, []], width
    assert [e for e in free_of_surprises(page) if "409 (Conflict)" not in e] == []


def test_a_reminder_is_put_off(rig, page):
    board, _, _ = rig
    ready(page, "sue")
    page.go("reminders")
    page.wait("[data-snooze]")
    page.press("[data-snooze=\"1h\"]")
    page.wait_text("main .error", "Please give a reason")
    page.find("#why")[0].send_keys("the warehouse looks")
    page.press("[data-snooze=\"4h\"]")
    page.wait("[data-snooze=end]")
    page.wait_text("main", "asleep until")
    asleep = lambda: len([c for c in Client(board, "sue").get("/api/v1/reminders")["coming"] if c["snoozed_ms"]])
    before = asleep()
    assert before
    page.press("[data-snooze=end]")
    wait_for("awake", lambda: asleep() == before - 1)
    assert free_of_surprises(page) == []


def test_days_beside_each_other(rig, page):
    ready(page)
    page.go("agents")
    page.wait("#agents-than option:nth-child(3)")
    page.wait("tbody a")
    page.click("#agents-than option:nth-child(2)")
    page.wait("tbody td small")
    assert page.js("return document.activeElement.id") == "agents-than"
    page.click("#agents-by option[value=team]")
    wait_for("two teams", lambda: page.js("return [...document.querySelectorAll('tbody td:first-child')].map((e) => e.textContent)") == ["blue", "red"])
    page.click("#agents-time option[value=business]")
    page.wait_text("tbody", "–")  # no calendar, no business hours
    assert page.find("#agents-time option[value=measured]") == [], "nothing is measured here"
    assert "by=team" in page.find("main a[download]")[0].get_attribute("href")
    for width in WIDTHS:
        page.size(width, 900)
        assert page.overflow() == [0, []], width
    assert free_of_surprises(page) == []


def test_figures_as_the_deployment_measures(folder):
    """A third way to count on the Agents page, with what each round came to; not offered where nothing is measured."""
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    for shard in story.shard:
        shard.counting = ("UTC 0", "douyin round human start 0 86400000 60000 30000")
    tell_a_day(story)
    board = Board(folder / "board", redis.socket)
    page = Page(board.url)
    try:
        ready(page)
        page.go("agents")
        page.wait("#agents-time option[value=measured]")
        assert page.text("#agents-time option[value=measured]") == "Douyin"
        page.click("#agents-time option[value=measured]")
        page.wait_text("thead", "Unanswered")
        page.wait_text("main p.note", "Douyin: rounds, begun 00:00-24:00, answered within 30 s, unanswered after 1 min")
        page.find("body")[0].send_keys("l")
        page.wait_text("main p.note", "抖音：轮次，00:00-24:00 开始的，30 秒内回复为及时，超过 1 分钟计为未回复")
        page.find("body")[0].send_keys("l")
        page.wait_text("main p.note", "Douyin: ")
        page.wait_text("tbody", r"\d%")
        for width in WIDTHS:
            page.size(width, 900)
            assert page.overflow() == [0, []], width
        next(a for a in page.find("tbody a") if a.text == "小陈").click()
        page.wait_text("section:has(#rounds) thead", "As measured")
        page.wait_text("section:has(#rounds) tbody", "Unanswered")
        page.wait_text(".detail", "Douyin")
        assert page.overflow() == [0, []]
        assert free_of_surprises(page) == []
    finally:
        page.close()
    board.stop()
    redis.stop()


def test_an_agent_elsewhere_has_the_date_there(folder):
    """At the desk it is evening; where one of the shops is it is tomorrow already."""
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    desk, shop = 18 - time.gmtime().tm_hour, AGENTS[0][2]
    for shard in story.shard:
        shard.counting, shard.zones = (f"{desk:+03d}:00 {desk * 3600000}", ""), f"{desk + 8:+03d}:00 {(desk + 8) * 3600000}\t{shop}\t\n"
    tell_a_day(story)
    there = [name for name, _, s in AGENTS if s == shop]
    board = Board(folder / "board", redis.socket)
    page = Page(board.url)
    try:
        ready(page)
        page.go("agents")
        page.wait("tbody small.own-day")
        rows = page.js("""return [...document.querySelectorAll("main tbody tr")].map((r) =>
            [r.querySelector("a").textContent, r.querySelector("small.own-day")?.textContent.trim() ?? ""])""")
        assert sorted(name for name, date in rows if date) == sorted(there), rows
        (date,) = {date for _, date in rows if date}
        page.js("location.hash = 'agents/' + encodeURIComponent(arguments[0])", there[0])
        page.wait_text("section h2", re.escape(date))
        for width in WIDTHS:
            page.size(width, 900)
            assert page.overflow() == [0, []], width
        assert free_of_surprises(page) == []
    finally:
        page.close()
    board.stop()
    redis.stop()


def test_filters(rig, page):
    ready(page, "vera")
    page.go("cases")
    page.wait("[data-case]")
    page.find("#find")[0].send_keys("202611220001")
    wait_for("one case", lambda: len(page.find("[data-case]")) == 1)
    case_of(page, "老周").click()
    page.wait_text(".act", "may look only")
    page.find("#find")[0].clear()
    page.find("#find")[0].send_keys("nothing like that")
    page.wait_text(".panel .empty", "No case fits")


def test_from_an_agent_to_the_rounds(rig, page):
    ready(page)
    page.go("agents")
    page.wait("tbody a")
    next(a for a in page.find("tbody a") if a.text == "小陈").click()
    page.wait_text("main", "Rounds, newest first")
    page.wait_text(".dist", "business hours")
    assert page.find('nav a[href="#agents"][aria-current=page]')
    rows = lambda: len(page.find("section:has(#rounds) tbody tr"))
    assert rows() >= 14
    every = rows()
    page.click("#rounds option[value=over30]")
    wait_for("the slow ones", lambda: 0 < rows() < every)
    for width in WIDTHS:
        page.size(width, 900)
        assert page.overflow() == [0, []], width
    if os.environ.get("CHATGATE_SHOTS"):
        page.size(1280, 1000)
        page.shot(os.environ["CHATGATE_SHOTS"] + "/agent-1280.png")
    page.click('main a[href="#agents"]')
    page.wait_text("main", "Download CSV")
    page.js("location.hash = 'agents/%ff'")
    page.wait_text("main", "Download CSV")
    page.js("location.hash = 'agents/nobody'")
    page.wait_text("main .error", "There is no such agent")
    assert [e for e in free_of_surprises(page) if "agents/nobody" not in e] == []


def test_language_by_browser_and_by_hand_and_keys(rig):
    page = Page(rig[0].url, lang="zh-CN")
    try:
        assert page.wait("form button.main").text == "登录"
        ready(page)
        page.wait_text("main", "等待中的顾客")
        assert page.js("return document.documentElement.lang") == "zh-CN"
        body = page.find("body")[0]
        body.send_keys("l")
        page.wait_text("main", "Customers waiting")
        page.driver.refresh()
        page.wait_text("main", "Customers waiting")  # it is remembered
        page.find("body")[0].send_keys("2")
        page.wait('nav a[href="#cases"][aria-current=page]')
        page.wait("[data-case]")
        page.find("body")[0].send_keys("j")
        assert page.js("return document.activeElement.dataset.case")
        page.find("body")[0].send_keys("/")
        assert page.js("return document.activeElement.id") == "find"
        page.find("#find")[0].send_keys("\ue00c")
        page.find("body")[0].send_keys("d")
        page.wait(':root[data-theme="dark"]')
        page.click("#logout")
        page.wait("input[name=password]")
        assert free_of_surprises(page) == []
    finally:
        page.close()


def test_wrong_password_says_so(rig, page):
    page.log_in("sue", "not the password")
    page.wait_text("form .error", "Name or password is wrong")
