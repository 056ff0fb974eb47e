"""Messages that a rule holds: on real sockets, with a real Redis, decided by the command line."""

import json
import signal

import pytest

from gateway import PATIENCE, Agent, Backend, Gateway, Redis, run, until as wait
from track_redis import read_stream

PACK = """
pack: hold
rules:
  - id: hold.money
    title: 补偿
    action: hold
    words: [补偿您]
    notice: 补偿须主管批准。
    examples: {hit: [补偿您五十元], miss: [您好]}
  - id: hold.contact
    title: 站外
    action: block
    words: [加我微信]
    notice: 请在平台内沟通。
    examples: {hit: [加我微信], miss: [您好]}
"""
STRICT = PACK.replace("action: hold", "action: block")
OFFER = "亲，补偿您五十元。"


class Desk:
    def __init__(self, folder, backend, redis="start", pack=PACK, node="test-node", name="gw", **kw):
        self.folder = folder / name
        self.folder.mkdir()
        self.rules = self.folder / "rules"
        self.rules.mkdir()
        (self.rules / "hold.yaml").write_text(pack)
        self.redis = Redis(folder / "redis") if redis == "start" else redis
        self.gateway = Gateway(self.folder, backend.port, rules=self.rules, redis=self.redis,
                               redis_extra="  shards: 4" if self.redis else "", **kw)
        self.metrics, self.url = self.gateway.metrics, self.gateway.url

    def cli(self, *args, check=True):
        return self.gateway.cli(*args, "--config", self.gateway.config, check=check)

    def held(self, all=False):
        return json.loads(self.cli("held", "list", "--json", *(["--all"] if all else [])).stdout)

    async def waits(self, n=1):
        return await wait(f"{n} held", lambda: len(rows := self.held()) == n and rows)

    async def ends(self, id, state):
        return await wait(f"{id} {state}", lambda: (m := self.one(id))["state"] == state and m)

    async def nobody(self):
        await wait("the sessions have ended", lambda: self.metrics()["chatgate_sessions"] == 0)

    def one(self, id):
        return json.loads(self.cli("held", "show", id, "--json").stdout)

    def stop(self):
        self.gateway.stop()
        if self.redis:
            self.redis.stop()


async def held_by(a, mid="1", conv="c1", text=OFFER):
    await a.send(conv, text, mid)
    error = await a.until("error")
    assert error["ref"] == mid and "补偿须主管批准。" in error["message"] and "已提交审批" in error["message"]


def test_held_approved_sent(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b)
            async with Agent(d.url, "amy") as a:
                await b.say("amy", "c1", "坏了怎么办", "i1")
                await a.until("message")
                raw = '{"type": "message", "x":[1, 2.50], "conversationId":"c1","id":"1","text":"亲，补偿您五\\u5341元。"}'
                await a.ws.send(raw)
                assert (await a.until("error"))["ref"] == "1"
                await a.send("c1", "请稍等", "2")  # later messages are not held back
                assert (await a.until("ack"))["ref"] == "2"
                (m,) = await d.waits()
                assert (m["state"], m["agent"], m["conversation"], m["text"], m["rules"]) == (
                    "waiting", "amy", "c1", OFFER, "hold.money")
                assert [t for _, t in b.messages] == [json.loads(b.raw[-1])], "nothing of it reached the backend"
                assert d.cli("held", "approve", m["id"], "--by", "sue").stdout == f"held message {m['id']} is approved\n"
                got = {e["type"]: e for e in (await a.recv(), await a.recv())}
                assert got["ack"]["ref"] == "1"
                assert b.raw[-1] == raw, "the very bytes"
                notice = got["notice"]
                assert notice["conversationId"] == "c1" and "已获批准" in notice["text"]
                done = await d.ends(m["id"], "sent")
                assert (done["who"], done["node"]) == ("sue", "test-node") and d.held() == []
                error = d.cli("held", "approve", m["id"], check=False)
                assert error.returncode == 1 and "does not wait any more: sent by sue" in error.stderr
            got = d.metrics()
            assert got["chatgate_messages_held_total"] == 1 and got["chatgate_held_sent_total"] == 1
            assert "补偿" not in d.gateway.text(), "chat text in the log"
            figures = json.loads(d.cli("agents", "--json").stdout)
            assert [f["agent"] for f in figures] == ["amy"]
            d.stop()
    run(go())


def test_a_held_message_does_not_stop_the_clock(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b)
            async with Agent(d.url, "amy") as a:
                await b.say("amy", "c1", "坏了怎么办", "i1")
                await a.until("message")
                await held_by(a)
                (m,) = await d.waits()
                client = d.redis.client()
                waiting = lambda: sum(client.zcard(f"cg:{{{s}}}:waiting") for s in range(4))  # noqa: E731
                assert waiting() == 1
                d.cli("held", "approve", m["id"])
                await d.ends(m["id"], "sent")
                await wait("nobody waits", lambda: waiting() == 0)
                out = [e for s in range(4) for e in read_stream(client, f"cg:{{{s}}}:stream") if e["k"] == "out"]
                assert [(e.get("act"), e.get("dlv"), e.get("hid")) for e in out] == [("3", None, None), (None, "1", m["id"])]
            d.stop()
    run(go())


def test_refused_with_a_reason(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b)
            async with Agent(d.url, "amy") as a:
                await held_by(a)
                (m,) = await d.waits()
                assert "--reason" in d.cli("held", "refuse", m["id"], check=False).stderr
                d.cli("held", "refuse", m["id"], "--reason", "最多三十元", "--by", "sue")
                notice = await a.until("notice")
                assert "未获批准" in notice["text"] and "最多三十元" in notice["text"] and "补偿您" in notice["text"]
                await wait("told", lambda: d.metrics()["chatgate_held_told_total"] == 1)
                assert b.messages == [] and d.one(m["id"])["state"] == "refused"
            d.stop()
    run(go())


def test_in_order_and_each_once(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b)
            async with Agent(d.url, "amy") as a:
                for i in range(8):
                    await held_by(a, str(i), text=f"补偿您{i}元")
                rows = await d.waits(8)
                for m in rows:
                    d.cli("held", "approve", m["id"])
                await wait("all sent", lambda: len(b.messages) == 8)
                await wait("and said so", lambda: d.held() == [])
                assert [m["id"] for _, m in b.messages] == [str(i) for i in range(8)]
            d.stop()
    run(go())


def test_sent_through_the_agents_next_session(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b)
            async with Agent(d.url, "amy") as a:
                await held_by(a)
                (m,) = await d.waits()
            await d.nobody()
            d.cli("held", "approve", m["id"])
            async with Agent(d.url, "ben"):
                pass
            assert d.one(m["id"])["state"] == "approved" and b.messages == []
            async with Agent(d.url, "amy") as a:
                assert (await a.until("ack"))["ref"] == "1"
                await d.ends(m["id"], "sent")
            assert [(agent, m["text"]) for agent, m in b.messages] == [("amy", OFFER)]
            d.stop()
    run(go())


def test_told_at_the_next_login_when_the_agent_was_away_too_long(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b, extra="hold: {send_within: 1s}")
            async with Agent(d.url, "amy") as a:
                await held_by(a)
                (m,) = await d.waits()
            await d.nobody()
            d.cli("held", "approve", m["id"])
            await d.ends(m["id"], "unsent")
            async with Agent(d.url, "amy") as a:
                assert "当时不在线" in (await a.until("notice"))["text"]
            assert b.messages == []
            d.stop()
    run(go())


def test_a_gateway_that_was_killed_meanwhile(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b)
            async with Agent(d.url, "amy") as a:
                await held_by(a)
                (m,) = await d.waits()
                d.gateway.stop(signal.SIGKILL)
            d.cli("held", "approve", m["id"])
            d.gateway.start()
            async with Agent(d.gateway.url, "amy") as a:
                assert (await a.until("ack"))["ref"] == "1"
            await d.ends(m["id"], "sent")
            assert len(b.messages) == 1
            d.stop()
    run(go())


def test_the_agent_is_on_another_gateway_now(folder):
    async def go():
        async with Backend() as b:
            one = Desk(folder, b)
            two = Desk(folder, b, redis=one.redis, name="gw2")
            two.gateway.stop()
            text = two.gateway.config.read_text().replace("node: test-node", "node: other-node")
            two.gateway.write_config(text)
            two.gateway.start()
            async with Agent(one.url, "amy") as a:
                await held_by(a)
                (m,) = await one.waits()
            async with Agent(two.gateway.url, "amy") as a:
                one.cli("held", "approve", m["id"])
                assert (await a.until("ack"))["ref"] == "1"
                assert (await one.ends(m["id"], "sent"))["node"] == "other-node"
            assert len(b.messages) == 1
            two.gateway.stop()
            one.stop()
    run(go())


def test_the_rules_in_force_at_approval_have_the_last_word(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b)
            async with Agent(d.url, "amy") as a:
                await held_by(a)
                (m,) = await d.waits()
                (d.rules / "hold.yaml").write_text(STRICT)
                d.cli("reload")
                d.cli("held", "approve", m["id"])
                assert (await a.until("error"))["ref"] == "1"
                assert (await d.ends(m["id"], "blocked"))["why"] == "hold.money"
                assert "不能发送" in (await a.until("notice"))["text"]
            assert b.messages == []
            d.stop()
    run(go())


def test_nobody_decides(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b, extra="hold: {ttl: 15s}")
            async with Agent(d.url, "amy") as a:
                await held_by(a)
                (m,) = await d.waits()
                assert m["expires_ms"] - m["at_ms"] == 15000
                assert "审批超时" in (await a.until("notice"))["text"]
                assert d.one(m["id"])["state"] == "expired" and b.messages == []
            d.stop()
    run(go())


def test_held_while_redis_is_away(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b)
            async with Agent(d.url, "amy") as a:
                await a.send("c1", "您好", "0")
                await a.until("ack")
                await wait("tracking", lambda: d.metrics()["chatgate_events_pumped_total"] >= 2)
                d.redis.stop()
                await held_by(a)
                d.redis.start()
                (m,) = await d.waits()
                d.cli("held", "approve", m["id"])
                assert (await a.until("ack"))["ref"] == "1"
                await d.ends(m["id"], "sent")
            assert len(b.messages) == 2
            d.stop()
    run(go())


@pytest.mark.parametrize("policy", ["block", "pass"])
def test_what_cannot_be_kept_follows_its_policy(folder, policy):
    async def go():
        async with Backend() as b:
            extra = f"policy: {{hold_impossible: {policy}}}"
            d = Desk(folder, b, extra=extra)
            async with Agent(d.url, "amy") as a:
                await a.send("c1", "补偿您" + "很多" * 1000, "1")  # too long to be kept
                m = await a.until("error" if policy == "block" else "ack")
                assert m["ref"] == "1" and (policy == "pass" or "无法提交审批" in m["message"])
                await a.send("c1", "补偿您" + "多" * 900, "2")
                assert "已提交审批" in (await a.until("error"))["message"]
            assert d.metrics()['chatgate_failure_causes_total{cause="hold_impossible"}'] == 1
            assert len(b.messages) == (policy == "pass")
            d.stop()
            d = Desk(folder, b, redis=None, name="untracked", extra=extra)
            async with Agent(d.url, "amy") as a:
                await a.send("c1", OFFER, "3")
                await a.until("error" if policy == "block" else "ack")
            d.stop()
    run(go())


def test_edits_are_held_too(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b)
            async with Agent(d.url, "amy") as a:
                raw = json.dumps({"type": "edit", "conversationId": "c1", "id": "7", "text": OFFER}, ensure_ascii=False)
                await a.ws.send(raw)
                await a.until("error")
                (m,) = await d.waits()
                assert m["edit"] is True and m["message"] == "7"
                d.cli("held", "approve", m["id"])
                await d.ends(m["id"], "sent")
                await wait("the edit", lambda: b.raw[-1] == raw)
            d.stop()
    run(go())


@pytest.mark.parametrize("args, words", [
    (["shred"], "list, show, approve or refuse"), (["approve"], "id is needed"), (["refuse", "0-1"], "--reason"),
    (["list", "x"], "unexpected"), (["show", "0-1", "--by", "x"], "belong to approve"),
    (["refuse", "0-1", "--reason", "x" * 501], "500 bytes"), (["approve", "0-1", "--by"], "value is missing")])
def test_bad_arguments_are_named(folder, args, words):
    config = folder / "chatgate.yaml"
    config.write_text("listeners: [{address: '127.0.0.1:0', profile: x, upstream: im}]\n"
                      "upstreams: [{name: im, servers: ['127.0.0.1:9']}]\n")
    import subprocess
    from gateway import BUILD
    done = subprocess.run([BUILD / "src/cli/chatgate", "held", "--config", config, *args], capture_output=True, text=True)
    assert done.returncode == 2 and words in done.stderr, done.stderr


STANZA = "<message to='cus@localhost' type='chat' id='{}'><body>{}</body><x a=\"1\"/></message>"


def test_xmpp_without_stream_management(folder):
    from test_xmpp_stub import Stub, login

    async def go():
        async with Stub() as stub:
            d = Desk(folder, stub, profile="xmpp")
            c = await login(d.gateway, stub)
            raw = STANZA.format("x1", OFFER)
            await c.send(raw)
            assert "已提交审批" in await c.until("id='x1'")
            await c.send(STANZA.format("x2", "请稍等"))
            await stub.until("x2")
            (m,) = await d.waits()
            assert (m["agent"], m["customer"], m["text"]) == ("amy@localhost", "cus@localhost", OFFER)
            assert "x1" not in stub.got
            d.cli("held", "approve", m["id"])
            await stub.until("x1")
            assert stub.got.endswith(raw), "the very bytes"
            await c.until("已获批准")
            await d.ends(m["id"], "sent")
            await c.send(STANZA.format("x3", OFFER))
            (m,) = await d.waits()
            d.cli("held", "refuse", m["id"], "--reason", "太多了")
            await c.until("太多了")
            assert "x3" not in stub.got
            c.cut()
            d.stop()
    run(go())


def test_xmpp_before_the_server_confirms_stream_management(folder):
    """Nothing can be added then; test_xmpp_notices.py holds with it."""
    from test_xmpp_stub import Stub, login

    async def go():
        async with Stub() as stub:
            d = Desk(folder, stub, profile="xmpp")
            c = await login(d.gateway, stub, "<enable xmlns='urn:xmpp:sm:3'/>")
            await c.send(STANZA.format("x1", OFFER))
            await stub.until("<ping xmlns='urn:xmpp:ping'/></iq>")  # what takes its place; its answer becomes the refusal
            ping = stub.got[stub.got.rindex("<iq"):]
            id = ping.split("id='")[1].split("'")[0]
            stub.say(f"<iq type='result' id='{id}' from='amy@localhost'/>")
            assert "无法提交审批" in await c.until("id='x1'")
            assert d.metrics()['chatgate_failure_causes_total{cause="hold_impossible"}'] == 1
            assert d.held() == []
            c.cut()
            d.stop()
    run(go())


def profile_without(folder, *changes):
    """plain-ws-json with changes, in a folder of its own."""
    from gateway import SOURCE
    profiles = folder / "profiles"
    profiles.mkdir()
    text = (SOURCE / "conf/profiles/plain-ws-json.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (profiles / "changed.yaml").write_text(text.replace("profile: plain-ws-json", "profile: changed"))
    return {"profile": "changed", "profiles_dir": profiles}


def test_where_there_are_no_notices_the_native_refusal_tells(folder):
    async def go():
        async with Backend() as b:
            notice = b"notice:\n  via: inline\n".decode()
            d = Desk(folder, b, **profile_without(folder, (notice, "notice:\n  via: none\n"), (
                "  send: '{\"type\":\"notice\",\"conversationId\":${conv},\"text\":${notice}}'\n", "")))
            async with Agent(d.url, "amy") as a:
                await held_by(a)
                (m,) = await d.waits()
                d.cli("held", "refuse", m["id"], "--reason", "最多三十元")
                error = await a.until("error")
                assert error["ref"] == "1" and "最多三十元" in error["message"]
                await wait("told", lambda: d.metrics()["chatgate_held_told_total"] == 1)
            d.stop()
    run(go())


def test_of_a_frame_with_several_messages_each_goes_its_own_way(folder):
    """SockJS puts many into one frame: what passes goes on, what is held is kept alone, what would come twice is not."""
    async def go():
        async with Backend() as b:
            d = Desk(folder, b, **profile_without(folder, ("framing: plain", "framing: sockjs")))

            def frame(*messages):
                return json.dumps([json.dumps(m, ensure_ascii=False) for m in messages], ensure_ascii=False)

            def message(mid, text):
                return {"type": "message", "conversationId": "c1", "id": mid, "text": text}

            import websockets
            async with websockets.connect(d.url, ping_interval=None, open_timeout=PATIENCE) as ws:
                await ws.send(frame({"type": "auth", "token": "amy"}))
                await wait("the handshake", lambda: len(b.raw) == 1)
                ok = json.dumps({"type": "auth_ok", "agentId": "amy", "name": "amy"})
                (backend,) = b.server.websockets
                await backend.send("a" + json.dumps([ok]))
                await ws.recv()
                await ws.send(frame(message("1", "您好"), message("2", OFFER), message("3", "补偿您一百元")))
                await wait("what passes", lambda: len(b.raw) == 2)
                assert [json.loads(x)["id"] for x in json.loads(b.raw[1])] == ["1"]
                rows = await d.waits(2)
                assert [m["text"] for m in rows] == [OFFER, "补偿您一百元"]
                d.cli("held", "approve", rows[1]["id"])
                await wait("the third", lambda: len(b.raw) == 3)
                assert [json.loads(x)["id"] for x in json.loads(b.raw[2])] == ["3"]
                d.cli("held", "approve", rows[0]["id"])
                await wait("the second", lambda: len(b.raw) == 4)
                assert [json.loads(x)["id"] for x in json.loads(b.raw[3])] == ["2"]
                # beside something that is no message: it would be sent twice
                await ws.send(frame({"type": "typing"}, message("4", OFFER)))
                await wait("typing", lambda: len(b.raw) == 5)
                await wait("hold_impossible", lambda: d.metrics()[
                    'chatgate_failure_causes_total{cause="hold_impossible"}'] == 1)
                assert json.loads(json.loads(b.raw[4])[0]) == {"type": "typing"} and d.held() == []
            d.stop()
    run(go())
