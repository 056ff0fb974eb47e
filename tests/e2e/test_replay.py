"""Captures of real traffic, and what replaying them against the same and against other rules says."""

import asyncio
import json
import random
import re
import subprocess

import pytest

from gateway import BUILD, SOURCE, Agent, Backend, Gateway, run, wait_for

RULES = SOURCE / "tests" / "e2e" / "rules"
CHATGATE = BUILD / "src" / "cli" / "chatgate"
OLD = """
pack: replay
direction: outgoing
rules:
  - id: replay.contact
    title: contact
    action: block
    words: [加我微信, 加我扣扣]
    gap: 2
    homophones: true
    window: { messages: 3, seconds: 60 }
    notice: 请在平台内沟通。
    examples: { hit: [加我微信], miss: [您好] }
  - id: replay.best
    title: best
    action: rewrite
    words: [最好]
    rewrite: 很好
    notice: 已修改。
    examples: { hit: [最好的], miss: [您好] }
  - id: replay.vague
    title: vague
    action: warn
    words: [大概]
    notice: 请给出明确的答复。
    examples: { hit: [大概吧], miss: [您好] }
  - id: replay.phone
    title: phone
    action: block
    detect: [phone]
    notice: 请勿发送电话号码。
    examples: { hit: [打13800138000], miss: [您好] }
  - id: replay.brand_only
    title: brand_only
    action: block
    words: [授权]
    when: { facts: [brand=no] }
    notice: 没有授权。
    examples: { hit: [{text: 有授权, facts: [brand=no]}], miss: [您好] }
"""
INCOMING = """
pack: complaint
direction: incoming
rules:
  - id: complaint.late
    title: late
    words: [没收到]
    opens_case: { kind: not_delivered, severity: 2 }
    examples: { hit: [还没收到], miss: [你好] }
"""
NEW = OLD.replace("words: [大概]", "words: [大概, 可能]").replace("加我微信, 加我扣扣", "加我微信").replace(
    "hit: [加我微信]", "hit: [加我微信]")


def rules(folder, name, text, incoming=INCOMING):
    d = folder / name
    d.mkdir()
    (d / "out.yaml").write_text(text)
    (d / "in.yaml").write_text(incoming)
    return d


def replay(*args, code=0, stdin=None):
    done = subprocess.run([CHATGATE, "replay", *map(str, args)], capture_output=True, text=True, input=stdin, timeout=120)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def replay_json(*args, **kw):
    return json.loads(replay(*args, "--json", **kw).stdout)


def capture_conf(folder, **keys):
    keys = {"enabled": "true", "dir": folder / "capture", "text": "full", **keys}
    return "capture: {" + ", ".join(f"{k}: {v}" for k, v in keys.items()) + "}"


def lines(folder):
    return [json.loads(line) for f in sorted((folder / "capture").glob("*.jsonl"))
            for line in f.read_text().splitlines()]


def captured(g, n):
    wait_for(f"{n} messages written", lambda: g.metrics()["chatgate_capture_written_total"] >= n)


DIRECTORY = """
agents:
  - {id: amy, team: t1, shop: s1, role: senior}
shops:
  s1: {platform: jd, facts: [brand=no]}
"""


async def talk(b, g, agent, conv, rng, n):
    """A random conversation over two connections: whole and split violations, edits, what a customer says."""
    texts = ["您好", "好的", "加我", "微信", "加我微信", "加我扣扣", "最好的面料", "大概吧", "可能吧", "可能大概", "有授权",
             "打13800138000", "加 我 薇 信", "订单 20261122000123456 已发", "可能加我微信", "最好的 \" \\ \n 😀"]
    async with Agent(g.url, agent) as first, Agent(g.url, agent) as second:
        kind = "message"
        for k in range(n):
            if kind == "message":  # one that was answered, so that the next may take the other way
                a = rng.choice([first, second])
            text = rng.choice(texts)
            kind = "edit" if rng.random() < 0.15 else "message"
            await a.ws.send(json.dumps({"type": kind, "id": f"{conv}-{k}", "conversationId": conv, "text": text},
                                       ensure_ascii=False))
            if kind == "message":
                while (await a.recv()).get("ref") != f"{conv}-{k}":
                    pass
            if rng.random() < 0.3:
                await b.say(agent, conv, rng.choice(["在吗", "还没收到", "好的谢谢"]), f"in-{conv}-{k}")
        await b.say(agent, conv, "完", "end")
        while (await second.recv()).get("text") != "完":
            pass


def test_capture_and_replay_agree(folder):
    """Random traffic over several connections through the daemon: replayed with the same rules nothing changes, and with
    others exactly the messages change whose words say so."""
    async def go():
        old, new = rules(folder, "old", OLD), rules(folder, "new", NEW)
        (folder / "directory.yaml").write_text(DIRECTORY)
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=old,
                                  extra="directory: directory.yaml\n" + capture_conf(folder, max_bytes="64k", keep=1000))
            agents = ["amy", "bob", "cid", "dee", "eve", "fay", "gus", "hal"]
            await asyncio.gather(*(talk(b, g, name, f"conv-{i}", random.Random(i), 60)
                                   for i, name in enumerate(agents)))
            m = g.metrics()
            sent = sum(m[f"chatgate_messages_{k}_total"] for k in ("passed", "warned", "rewritten", "blocked"))
            total = sent + m["chatgate_messages_incoming_total"]
            assert sent == 8 * 60 and total > sent + 50
            captured(g, total)
            assert g.metrics()["chatgate_captured_total"] == total
            assert g.metrics()["chatgate_capture_dropped_total"] == 0
            g.stop()
        records = lines(folder)
        assert len(records) == total and len(list((folder / "capture").glob("*.jsonl"))) > 1
        assert sum(r["action"] == "block" for r in records) == m["chatgate_messages_blocked_total"]
        assert sum(r["action"] == "rewrite" for r in records) == m["chatgate_messages_rewritten_total"]
        assert sum(r["action"] == "warn" for r in records) == m["chatgate_messages_warned_total"]
        assert sum("opens_case" in r for r in records) == m["chatgate_cases_opened_by_rule_total"] > 0
        assert any(r.get("edit") and r["action"] == "block" for r in records)
        split = [r for r in records if r["text"] == "微信" and r["action"] == "block"]
        assert split, "no message was blocked by its window"

        same = replay_json(folder / "capture", "--rules", old)
        assert same["changed"] == 0 and same["agents"] == sent and same["agents"] + same["customers"] == total
        assert all(r["gained"] == r["lost"] == 0 for r in same["rules"])
        assert {r["id"]: r["old"] for r in same["rules"]}["replay.brand_only"] > 0, "facts come from the capture"
        twice = replay_json(folder / "capture", "--rules", old, "--against", old)
        assert twice["changed"] == 0 and twice["actions"] == same["actions"]

        changed = replay_json(folder / "capture", "--rules", new, "--worst", 10000)
        warned = [r for r in records if r["side"] == "agent" and r["action"] == "pass" and "可能" in r["text"]]
        freed = [r for r in records if r["side"] == "agent" and "加我扣扣" in r["text"]]
        assert len(warned) > 5 and len(freed) > 5 and all(r["action"] == "block" for r in freed)
        want = {r["id"]: ("pass", "warn") for r in warned} | {r["id"]: ("block", "pass") for r in freed}
        got = {c["id"]: (c["old"], c["new"]) for c in changed["changes"]}
        # what was refused and no longer is stands in the windows of what follows
        followed = {k: v for k, v in got.items() if k not in want}
        assert {k: got[k] for k in want} == want
        by_id = {r["id"]: r for r in records}
        assert all(by_id[k]["text"] in ("微信",) for k in followed), followed
        hits = {r["id"]: r for r in changed["rules"]}
        assert hits["replay.vague"]["gained"] == sum(
            "可能" in r["text"] and "replay.vague" not in r["rules"] for r in records if r["side"] == "agent")
        assert hits["replay.vague"]["lost"] == 0 and hits["replay.contact"]["lost"] >= len(freed)
    run(go())


def test_scan_judges_a_capture_alike(folder):
    async def go():
        old = rules(folder, "old", OLD)
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=old, extra=capture_conf(folder))
            async with Agent(g.url, "amy") as a:
                for i, text in enumerate(["您好", "加我微信", "最好", "大概", "打13800138000", "一\n二"]):
                    await a.send(f"c{i}", text, str(i))
                    while (await a.recv())["type"] not in ("ack", "error"):
                        pass
                await b.say("amy", "c1", "还没收到", "in")
                await a.until("message")
            captured(g, 7)
            g.stop()
        records = lines(folder)
        done = subprocess.run([CHATGATE, "scan", "--rules", old, *sorted((folder / "capture").glob("*.jsonl"))],
                              capture_output=True, text=True, check=True)
        seen = [json.loads(line) for line in done.stdout.splitlines()]
        keys = "id", "action", "rules", "opens_case", "severity"
        assert [{k: s.get(k) for k in keys} for s in seen] == [{k: r.get(k) for k in keys} for r in records]
        assert [r["action"] for r in records] == ["pass", "block", "rewrite", "warn", "block", "pass", "pass"]
    run(go())


def test_masked_and_private(folder):
    """What is masked never reaches the disk, and nobody else may read the files."""
    async def go():
        old = rules(folder, "old", OLD)
        secrets = ["13800138000", "一三八零零一三八零零零", "zhang_88", "11010519491231002X", "amy-4711", "customer-0815"]
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=old, extra=capture_conf(folder, text="masked"))
            async with Agent(g.url, "amy-4711") as a:
                for i, text in enumerate(["打13800138000", "一三八零零一三八零零零", "V：zhang_88", "11010519491231002X", "加我", "微信"]):
                    await a.send("customer-0815", text, str(i))
                    while (await a.recv())["type"] not in ("ack", "error"):
                        pass
            captured(g, 6)
            g.stop()
        files = list((folder / "capture").iterdir())
        assert (folder / "capture").stat().st_mode & 0o7777 == 0o700
        assert files and all(f.stat().st_mode & 0o7777 == 0o600 for f in files)
        text = "".join(f.read_text() for f in files)
        assert not [s for s in secrets if s in text], text
        records = lines(folder)
        assert all(r["masked"] for r in records)
        assert len({r["conv"] for r in records}) == 1 and len({r["agent"] for r in records}) == 1
        same = replay_json(folder / "capture", "--rules", old)  # windows and phone numbers outlive the masking
        assert same["changed"] == 0 and same["masked"] == 6 and same["actions"]["block"]["block"] >= 2
        assert "--against" in replay(folder / "capture", "--rules", old).stdout
    run(go())


def test_off_by_default_and_reloadable(folder):
    async def go():
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=RULES)
            config = g.config.read_text()
            async with Agent(g.url, "amy") as a:
                async def say(text, n):
                    await a.send("c", text, str(n))
                    while (await a.recv())["type"] not in ("ack", "error"):
                        pass
                await say("您好", 1)
                assert g.metrics()["chatgate_captured_total"] == 0 and g.metrics()["chatgate_capture_enabled"] == 0
                g.config.write_text(config + capture_conf(folder) + "\n")
                g.cli("reload", "--control", g.control)
                await say("在的", 2)
                captured(g, 1)
                g.cli("mode", "observe", "--control", g.control)
                await say("加我微信", 3)
                g.cli("mode", "bypass", "--control", g.control)
                await say("加我微信", 4)
                g.cli("mode", "enforce", "--control", g.control)
                captured(g, 3)
                assert g.ask("status")["status"]["capture"] == {"enabled": True, "written": 3, "failed": 0}
                g.config.write_text(config)
                g.cli("reload", "--control", g.control)
                await say("再见", 5)
                assert g.metrics()["chatgate_captured_total"] == 3
            log = g.text()
            assert re.search(r"warn capture is_on=1 text=full", log) and "微信" not in log
            g.stop()
        records = lines(folder)
        assert [(r["text"], r.get("action"), r.get("mode")) for r in records] == [
            ("在的", "pass", None), ("加我微信", "block", "observe"), ("加我微信", None, "bypass")]
        r = replay_json(folder / "capture", "--rules", RULES)
        assert r["changed"] == 0 and r["bypassed"] == 1 and r["agents"] == 2
        r = replay_json(folder / "capture", "--rules", RULES, "--against", RULES)
        assert r["changed"] == 0 and r["bypassed"] == 0 and r["actions"]["block"]["block"] == 2
    run(go())


def test_a_broken_folder_does_no_harm(folder):
    async def go():
        async with Backend() as b:
            (folder / "capture").mkdir(mode=0o755)
            (folder / "capture").chmod(0o755)
            g = Gateway(folder, b.port, rules=RULES, extra=capture_conf(folder))
            async with Agent(g.url, "amy") as a:
                await a.send("c", "您好", "1")
                await a.until("ack")
                wait_for("the failure is counted", lambda: g.metrics()["chatgate_capture_failed_total"] == 1)
            assert "warn capture_failed" in g.text() and "0755" in g.text()
            g.stop()
        assert not list((folder / "capture").iterdir())
    run(go())


def test_samples_keep_whole_conversations(folder):
    async def go():
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=RULES, extra=capture_conf(folder, sample=4))
            async with Agent(g.url, "amy") as a:
                for i in range(240):
                    await a.send(f"conv-{i % 60}", "您好", str(i))
                    await a.until("ack")
            g.stop()
        count = {}
        for r in lines(folder):
            count[r["conv"]] = count.get(r["conv"], 0) + 1
        assert 3 <= len(count) <= 35 and set(count.values()) == {4}
    run(go())


SCAN = "\n".join(json.dumps(x, ensure_ascii=False) for x in [
    {"id": 1, "text": "可能吧", "side": "agent"},
    {"id": "two", "text": "加我扣扣", "side": "agent"},
    {"text": "还没收到", "side": "customer"},
    {"id": 4, "text": "打13800138000"},
]) + "\n"


def test_report_for_people(folder):
    old, new = rules(folder, "old", OLD), rules(folder, "new", NEW.replace("words: [最好]", "words: [最好, 您好啊]"),
                                                INCOMING.replace("not_delivered", "damaged"))
    out = replay("-", "--rules", new, "--against", old, stdin=SCAN).stdout
    assert re.search(r"^3 messages of agents, 1 of customers$", out, re.M)
    assert re.search(r'standard input:1: 1 pass -> warn \+"replay.vague"\n      可能吧', out)
    assert re.search(r'standard input:2: "two" block -> pass -"replay.contact"\n      加我扣扣', out)
    assert re.search(r"standard input:3: case not_delivered -> case damaged\n      还没收到", out)
    assert out.endswith("\n3 messages change: 2 of agents, 1 of customers\n")
    assert re.search(r"^replay.vague +0 +1 +1 +0$", out, re.M)
    assert replay("-", "--rules", old, "--against", old, stdin=SCAN).stdout.endswith("\n0 messages change: 0 of agents, "
                                                                                     "0 of customers\n")


def test_refused_ones_come_first_and_lists_are_bounded(folder):
    strict = OLD.replace("action: warn", "action: block")
    old, new = rules(folder, "old", OLD), rules(folder, "new", strict.replace("加我微信, 加我扣扣", "加我微信"))
    text = SCAN * 3 + "".join('{"text":"大概%d"}\n' % i for i in range(30))
    out = replay("-", "--rules", new, "--against", old, "--worst", 5, stdin=text).stdout
    assert out.index("refused by the new rules, delivered by the old ones: 30") < out.index(
        "delivered by the new rules, refused by the old ones: 3")
    assert out.count("warn -> block") == 5 and "and 25 more" in out
    r = json.loads(replay("-", "--rules", new, "--against", old, "--worst", 5, "--json", stdin=text).stdout)
    assert r["classes"]["refused"] == 30 and len([c for c in r["changes"] if c["class"] == "refused"]) == 5
    assert r["changes"][0] == {"class": "refused", "file": "standard input", "line": 13, "old": "warn", "new": "block",
                               "gained": [], "lost": [], "text": "大概0"}


@pytest.mark.parametrize("line, why", [
    ('{"id":1,"text":"x"}', "--against"),
    ("{", "a key is missing"),
    ("[]", "no JSON object"),
    ('{"action":"pass"}', "text: missing"),
    ('{"action":"pass","text":1}', "text: missing or no string"),
    ('{"action":"stop","text":"x"}', "pass, warn, rewrite, hold or block"),
    ('{"action":"pass","text":"x","side":"me"}', "side: must be"),
    ('{"action":"pass","text":"x","at":"now"}', "at: "),
    ('{"action":"pass","text":"x","at":1.5}', "at: "),
    ('{"action":"pass","text":"x","rules":"a"}', "rules: must be a list"),
    ('{"action":"pass","text":"x","rules":[1]}', "rules: holds"),
    ('{"action":"pass","text":"x","agent":1}', "agent: is no string"),
    ('{"action":"pass","text":"x","more":' + json.dumps(["x"] * 40) + "}", "more: must be a list of at most 31"),
    ('{"action":"pass","text":"' + "x" * (1 << 20) + '"}', "longer than 1 MiB"),
], ids=range(14))
def test_wrong_lines_are_named(folder, line, why):
    good = '{"action":"pass","text":"您好","rules":[]}\n'
    done = replay("-", "--rules", RULES, stdin=good + line + "\n" + good, code=1)
    assert done.stderr.startswith("standard input:2: ") and why in done.stderr, done.stderr
    assert done.stdout.startswith("2 messages of agents")


def test_wrong_usage(folder):
    for args in [], ["x.jsonl"], ["--rules", RULES], ["x.jsonl", "--rules"], ["x.jsonl", "--rules", RULES, "--worst", "-1"], \
            ["x.jsonl", "--rules", RULES, "--odd"]:
        assert "usage: chatgate replay" in replay(*args, code=2).stderr
    assert "No such file" in replay(folder / "none.jsonl", "--rules", RULES, code=1).stderr
    (folder / "empty").mkdir()
    assert "holds no *.jsonl" in replay(folder / "empty", "--rules", RULES, code=1).stderr
    (folder / "bad.yaml").write_text("listeners: 1\n")
    bad = replay("-", "--rules", RULES, "--config", folder / "bad.yaml", code=2)
    assert "bad.yaml:1:" in bad.stderr


def test_config_says_who_is_who_and_which_domains(folder):
    packs = OLD + """
  - id: replay.link
    title: link
    action: block
    detect: [url]
    notice: 请勿发送链接。
    examples: { hit: [看 www.example.com 吧], miss: [您好] }
"""
    old = rules(folder, "old", packs)
    (folder / "directory.yaml").write_text(DIRECTORY)
    (folder / "c.yaml").write_text(f"""
profiles_dir: {SOURCE / 'conf' / 'profiles'}
listeners: [{{address: "127.0.0.1:0", profile: plain-ws-json, upstream: im}}]
upstreams: [{{name: im, servers: ["127.0.0.1:9"]}}]
directory: directory.yaml
rules: {{packs: [], allow_domains: [shop.example.com]}}
""")
    text = ('{"text":"有授权","agent":"amy"}\n{"text":"有授权","agent":"bob"}\n'
            '{"text":"看 https://shop.example.com/a","agent":"bob"}\n')
    plain = replay_json("-", "--rules", old, "--against", old, stdin=text)
    assert plain["actions"]["pass"]["pass"] == 2 and plain["actions"]["block"]["block"] == 1
    known = replay_json("-", "--rules", old, "--against", old, "--config", folder / "c.yaml", stdin=text)
    assert known["actions"]["pass"]["pass"] == 2 and known["actions"]["block"]["block"] == 1
    assert {r["id"]: r["new"] for r in plain["rules"]} == {"replay.link": 1}
    assert {r["id"]: r["new"] for r in known["rules"]} == {"replay.brand_only": 1}


def test_windows_follow_the_recorded_times(folder):
    """Two halves of a violation count within the rule's 60 seconds, in one conversation of one agent."""
    old = rules(folder, "old", OLD)

    def half(text, at, agent="amy", conv="c", **more):
        return json.dumps({"text": text, "at": at, "agent": agent, "conv": conv, **more}) + "\n"

    def blocked(text):
        return replay_json("-", "--rules", old, "--against", old, stdin=text)["actions"]["block"]["block"]

    first = half("加我", 1000)
    assert blocked(first + half("微信", 61000)) == 1
    assert blocked(first + half("微信", 61001)) == 0
    assert blocked(first + half("微信", 2000, conv="d")) == 0
    assert blocked(first + half("微信", 2000, agent="bob")) == 0
    assert blocked(first + half("微信", 2000, edit=True)) == 0
    assert blocked('{"text":"加我"}\n{"text":"微信"}\n') == 0, "without agent and conversation each stands alone"


def test_what_was_written_survives_kill_9(folder):
    async def go():
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=RULES, extra=capture_conf(folder))
            async with Agent(g.url, "amy") as a:
                for i in range(50):
                    await a.send("c", "您好", str(i))
                    await a.until("ack")
                captured(g, 50)
                g.proc.kill()
                g.proc.wait()
            g.start()
            async with Agent(g.url, "amy") as a:
                await a.send("c", "您好", "again")
                await a.until("ack")
            g.stop()
        assert len(list((folder / "capture").glob("*.jsonl"))) == 2
        assert replay_json(folder / "capture", "--rules", RULES)["agents"] == 51
    run(go())
