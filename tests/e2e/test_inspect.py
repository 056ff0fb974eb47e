"""What passes, what is refused, what is repaired, on real sockets."""

import asyncio
import json
import random

import pytest

from gateway import PATIENCE, SOURCE, Agent, Backend, Gateway, run

RULES = SOURCE / "tests" / "e2e" / "rules"


def gateway(folder, port, **kw):
    return Gateway(folder, port, rules=kw.pop("rules", RULES), **kw)


def test_pass_block_rewrite_warn(folder):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port)
            async with Agent(g.url, "amy") as a:
                await a.send("c1", "您好", "1")
                assert (await a.until("ack"))["ref"] == "1"
                await a.send("c1", "加我微信", "2")
                error = await a.until("error")
                assert error == {"type": "error", "ref": "2", "code": "blocked", "message": "请在平台内沟通。"}
                await a.send("c1", "加 我 薇 信 呀", "3")
                assert (await a.until("error"))["ref"] == "3"
                await a.send("c1", "这是最好的面料", "4")
                await a.until("ack")
                await a.send("c1", "大概吧", "5")
                seen = [(await a.recv()) for _ in range(2)]
                assert {m["type"] for m in seen} == {"ack", "notice"}
                notice = next(m for m in seen if m["type"] == "notice")
                assert notice["text"] == "请给出明确的答复。" and notice["conversationId"] == "c1"
                await a.send("c1", "大概吧。", "6")  # within ten minutes: delivered, not warned again
                assert (await a.recv())["type"] == "ack"
                assert [m["text"] for _, m in b.messages] == ["您好", "这是很好的面料", "大概吧", "大概吧。"]
            m = g.metrics()
            assert m["chatgate_messages_blocked_total"] == 2 and m["chatgate_messages_rewritten_total"] == 1
            assert m["chatgate_messages_warned_total"] == 2 and m["chatgate_messages_passed_total"] == 1
            log = g.text()
            assert "微信" not in log and "面料" not in log, "chat text in the log"
            g.stop()
    run(go())


def test_the_documented_answers(folder):
    """docs/profiles.md, "What an agent's client receives": byte for byte what comes over the wire."""
    text = (SOURCE / "docs/profiles.md").read_text()
    told = text.split("## What an agent's client receives")[1].split("```json\n")[1].split("```")[0].splitlines()

    async def until(a, kind):
        while True:
            raw = await asyncio.wait_for(a.ws.recv(), PATIENCE)
            if json.loads(raw)["type"] == kind:
                return raw

    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port, limits="  message_bytes: 4k\n")
            async with Agent(g.url, "amy") as a:
                await a.send("c1", "加我微信", "2")
                assert await until(a, "error") == told[0]
                await a.send("c1", "大概吧", "3")
                assert await until(a, "notice") == told[1]
                await a.ws.send('{"type":"message","id":7,"conversationId":5,"text":"加我微信"}')
                assert '"ref":7,' in await until(a, "error")
                for bad in ('{"type":"message","conversationId":"c1","text":"加我微信"}', '{"type":"message","text":'):
                    await a.ws.send(bad)
                    assert '"ref":null,"code":"blocked"' in await until(a, "error")
                await a.ws.send(b"\x00\x01")
                assert '"conversationId":""' in await until(a, "notice")
                await a.ws.send(json.dumps({"type": "message", "id": "8", "conversationId": "c1", "text": "x" * 5000}))
                await asyncio.wait_for(a.ws.wait_closed(), PATIENCE)
                assert a.ws.close_code == 1009
            assert [m["text"] for _, m in b.messages] == ["大概吧"]
            g.stop()
    run(go())


def test_rewrite_changes_the_edited_bytes_alone(folder):
    """Unusual but valid JSON around the text stays byte for byte, escapes and spaces included."""
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port)
            async with Agent(g.url, "amy") as a:
                head = '{ "type" :"message" , "x":[1.50e3,{"a":"\\u00e9\\/"}],"id":12345678901234567890,' \
                       '"conversationId":"c","text":"\\u4f60好 '
                await a.ws.send(head + '最好的 \\ud83d\\ude00\\n" ,"tail":null}  ')
                await a.until("ack")
                assert b.raw[-1] == head + '很好的 \\ud83d\\ude00\\n" ,"tail":null}  '
                await a.ws.send([head[:50], head[50:] + "最好", '的 x"}'])  # fragments become one frame
                await a.until("ack")
                assert b.raw[-1] == head + '很好的 x"}'
            g.stop()
    run(go())


@pytest.mark.parametrize("bad", [
    '{"type":"message","id":"1","conversationId":"c","text":"ok","text":"加我微信"}',
    '{"type":"message","id":"1","conversationId":"c","text":"a\\u0000b"}',
    '{"type":"message","id":"1","conversationId":"c","text":"\\ud800"}',
    '{"type":"message","id":"1","conversationId":"c","text":"x"} x',
    '\ufeff{"type":"message","id":"1","conversationId":"c","text":"x"}',
    '{"type":"message","id":"1","conversationId":"c","text":{"a":"加我微信"}}',
    '{"type":"message","id":"1","conversationId":"c","text":"x","deep":' + "[" * 100 + "]" * 100 + "}",
], ids=["duplicate", "nul", "surrogate", "trailing", "bom", "object", "deep"])
def test_ambiguous_json_is_refused(folder, bad):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port)
            async with Agent(g.url, "amy") as a:
                await a.ws.send(bad)
                await a.until("error")
                await a.send("c", "still here", "2")
                await a.until("ack")
            assert [m["text"] for _, m in b.messages] == ["still here"]
            g.stop()
    run(go())


def test_message_split_over_sends_is_joined(folder):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port)
            async with Agent(g.url, "amy") as a:
                await a.send("c1", "加我", "1")
                await a.until("ack")
                await a.send("c2", "微信", "2")  # another conversation
                await a.until("ack")
                await a.send("c1", "微信", "3")
                assert (await a.until("error"))["ref"] == "3"
            g.stop()
    run(go())


def test_edit_is_inspected(folder):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port)
            async with Agent(g.url, "amy") as a:
                await a.ws.send(json.dumps({"type": "edit", "id": "1", "conversationId": "c", "text": "加我微信"}))
                assert (await a.until("error"))["ref"] == "1"
            assert not any("加我" in r for r in b.raw)
            g.stop()
    run(go())


def test_unknown_agents_can_be_refused(folder):
    async def go():
        async with Backend() as b:
            (folder / "directory.yaml").write_text("agents:\n  - {id: amy, team: t, shop: s}\nshops:\n  s: {platform: jd}\n")
            g = gateway(folder, b.port, extra="directory: directory.yaml\npolicy: {unknown_agent: block}")
            async with Agent(g.url, "amy") as a, Agent(g.url, "eve") as e:
                await a.send("c", "hi", "1")
                await a.until("ack")
                await e.send("c", "hi", "2")
                await e.until("error")
            assert [n for n, _ in b.messages] == ["amy"]
            g.stop()
    run(go())


def test_a_shops_platform_and_place_change_the_rules(folder):
    """platform and locale of the directory are facts; overrides with `when` hold for these shops' agents alone."""
    async def go():
        async with Backend() as b:
            packs = folder / "packs"
            packs.mkdir()
            (packs / "a.yaml").write_text("pack: p\nrules:\n  - id: p.a\n    title: t\n    action: block\n"
                                          "    words: [ 加我微信 ]\n    notice: 平台内\n"
                                          "    examples: { hit: [ 加我微信 ], miss: [ 您好 ] }\n")
            (packs / "places.yaml").write_text(
                "override:\n  - { rule: p.a, when: { facts: [ platform=wecom ] }, action: warn }\n"
                "  - { rule: p.a, when: { facts: [ locale=tw ] }, notice: 平台內 }\n")
            (folder / "directory.yaml").write_text(
                "agents:\n  - {id: amy, shop: here}\n  - {id: bo, shop: there}\n"
                "shops:\n  here: {platform: jd}\n  there: {platform: wecom, locale: tw}\n")
            g = gateway(folder, b.port, rules=packs, extra="directory: directory.yaml")
            async with Agent(g.url, "amy") as amy, Agent(g.url, "bo") as bo:
                await amy.send("c", "加我微信", "1")
                assert (await amy.until("error"))["message"] == "平台内"
                await bo.send("c", "加我微信", "2")
                assert (await bo.until("notice"))["text"] == "平台內"
            assert [n for n, _ in b.messages] == ["bo"]
            g.stop()
    run(go())


def test_modes(folder):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port)
            async with Agent(g.url, "amy") as a:
                g.cli("mode", "observe", "--control", g.control)
                await a.send("c", "加我微信", "1")
                await a.until("ack")
                g.cli("mode", "enforce", "--control", g.control)
                await a.send("c", "加我微信", "2")
                await a.until("error")
                g.cli("mode", "bypass", "--for", "1s", "--control", g.control)
                await a.send("c", "加我微信", "3")
                await a.until("ack")
                while g.ask("status")["status"]["mode"] != "enforce":
                    await asyncio.sleep(0.1)
                await a.send("c", "加我微信", "4")
                await a.until("error")
                bad = g.cli("mode", "sleep", "--control", g.control, check=False)
                assert bad.returncode != 0 and "enforce" in bad.stdout + bad.stderr
            g.stop()
    run(go())


def test_reload_swaps_rules_without_touching_connections(folder):
    async def go():
        async with Backend() as b:
            mine = folder / "rules"
            mine.mkdir()
            (mine / "a.yaml").write_text((RULES / "e2e.yaml").read_text())
            g = gateway(folder, b.port, rules=mine)
            async with Agent(g.url, "amy") as a:
                before = g.ask("status")["status"]["rules"]["version"]
                (mine / "a.yaml").write_text((RULES / "e2e.yaml").read_text() + "  - {id: e2e.broken, action: blok}\n")
                bad = g.cli("reload", "--control", g.control, check=False)
                assert bad.returncode == 1 and "a.yaml:" in bad.stdout + bad.stderr, bad
                assert "blok" in bad.stdout + bad.stderr
                await a.send("c", "加我微信", "1")
                await a.until("error")
                assert g.ask("status")["status"]["rules"]["version"] == before
                (mine / "a.yaml").write_text((RULES / "e2e.yaml").read_text().replace("加我微信", "加我扣扣"))
                g.cli("reload", "--control", g.control)
                assert g.ask("status")["status"]["rules"]["version"] != before
                await a.send("c", "加我微信", "2")
                await a.until("ack")
                await a.send("c", "加我扣扣", "3")
                await a.until("error")
                import os
                import signal
                (mine / "a.yaml").write_text((RULES / "e2e.yaml").read_text())
                os.kill(g.pid, signal.SIGHUP)
                while g.ask("status")["status"]["rules"]["version"] != before:
                    await asyncio.sleep(0.05)
            g.stop()
    run(go())


def test_order_and_completeness_under_load(folder):
    """10,000 messages on 200 connections with random blocks and rewrites, customers writing at the same time: what is
    delivered arrives once and in order, what is refused never arrives, every refusal names its message."""
    async def go():
        agents, each = 200, 50
        rng = random.Random(11)
        async with Backend() as b:
            g = gateway(folder, b.port)
            failures = []

            async def agent(i):
                name = f"a{i}"
                async with Agent(g.url, name) as a:
                    plan = [rng.choice(["好的 %d", "加我微信 %d", "最好的 %d", "%d 没问题"]) % k for k in range(each)]

                    async def customer():
                        for k in range(10):
                            await b.say(name, f"c{i}", f"在吗 {k}", f"in-{i}-{k}")
                            await asyncio.sleep(rng.random() * 0.02)

                    talk = asyncio.create_task(customer())
                    for k, text in enumerate(plan):
                        await a.send(f"c{i}", text, f"{i}-{k}")
                        if rng.random() < 0.2:
                            await asyncio.sleep(0)
                    await talk
                    answers, heard = {}, []
                    while len(answers) < each or len(heard) < 10:
                        m = await a.recv(60)
                        if m["type"] in ("ack", "error"):
                            if m["ref"] in answers:
                                failures.append(f"two answers to {m['ref']}")
                            answers[m["ref"]] = m["type"]
                        elif m["type"] == "message":
                            heard.append(m["text"])
                    if heard != [f"在吗 {k}" for k in range(10)]:
                        failures.append(f"{name} heard {heard}")
                    for k, text in enumerate(plan):
                        want = "error" if "加我微信" in text else "ack"
                        if answers[f"{i}-{k}"] != want:
                            failures.append(f"{text}: {answers[f'{i}-{k}']}")
                    got = [m["text"] for n, m in b.messages if n == name]
                    expected = [t.replace("最好的", "很好的") for t in plan if "加我微信" not in t]
                    if got != expected:
                        failures.append(f"{name}: {got} instead of {expected}")

            for start in range(0, agents, 50):  # 50 at a time join, all stay until they are done
                await asyncio.gather(*(agent(i) for i in range(start, start + 50)))
            assert not failures, failures[:5]
            g.stop()
    run(go())
