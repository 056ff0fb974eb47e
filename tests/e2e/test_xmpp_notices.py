"""Notices to clients with stream management: they are counted by the client and not by the server, over cuts, resumptions,
a killed gateway, and two nodes."""

import asyncio
import random
import re

import pytest

from gateway import PATIENCE, SOURCE, Gateway, Redis, run
from xmpp_client import Client, Raw
from xmpp_servers import Ejabberd, Prosody
from xmpp_sm_client import SmClient, acked, resume, with_sm

RULES = SOURCE / "tests" / "e2e" / "rules"
OTHERS = [f"w{i}" for i in range(120)]  # a warning is shown once in a conversation
ACCOUNTS = {"amy": "secret-a", "cus": "secret-c", **{n: "secret-w" for n in OTHERS}}
GOOD = "<message to='cus@localhost' type='chat' id='{}'><body>您好</body></message>"
WARNED = "<message to='{}@localhost' type='chat' id='{}'><body>大概吧</body></message>"
SM = "urn:xmpp:sm:3"


def gateway(folder, port, **kw):
    return Gateway(folder, port, profile="xmpp", rules=RULES, **kw)


@pytest.fixture(params=[Prosody, Ejabberd], ids=["prosody", "ejabberd"])
def server(folder, request):
    s = request.param(folder / "server", ACCOUNTS)
    yield s
    s.stop()


def profile_with(folder, old, new):
    profiles = folder / "profiles"
    profiles.mkdir(parents=True)
    text = (SOURCE / "conf" / "profiles" / "xmpp.yaml").read_text()
    assert old in text
    (profiles / "xmpp.yaml").write_text(text.replace(old, new))
    return profiles


def test_step_by_step(folder, server):
    """Notice and server's stanzas in turn; the client lost the second notice with its connection."""
    async def go():
        g = gateway(folder, server.c2s)
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            c = await with_sm(g.port)
            await c.send(WARNED.format("w0", "m1"))
            assert "请给出明确的答复。" in await c.until("id='cgn-")               # the client's 1, the server's 0
            assert await acked(c) == 1
            cus.say("amy@localhost/raw", "在吗", "c1")
            await c.until("c1")                                               # 2, 1
            await c.send(f"<a xmlns='{SM}' h='2'/>")
            assert await acked(c) == 1, "a count above what the server sent would end the stream"
            await c.send(WARNED.format("w1", "m2"))
            await c.until("id='cgn-")                                         # 3: taken for lost with the connection
            cus.say("amy@localhost/raw", "还在吗", "c2")
            await c.until("c2")                                               # 4, 2: the same
            c.cut()
            c = await resume(g.port, c.sm_id, 2)
            assert re.search(r"h=['\"]2['\"]", c.answer), "both of the client's messages are with the server"
            assert "还在吗" in await c.until("c2"), "the server sends again what the client has not"  # 3, 2
            await c.send(f"<a xmlns='{SM}' h='3'/>" + WARNED.format("w2", "m3"))
            await c.until("id='cgn-")                                         # 4
            await c.send(f"<a xmlns='{SM}' h='4'/>" + GOOD.format("g1"))
            assert (await cus.next())["id"] == "g1"
            assert await acked(c) == 4
            await c.close()
        m = g.metrics()
        assert m["chatgate_notices_total"] == 3 and m["chatgate_notices_unshown_total"] == 0
        g.stop()
    run(go())


def test_behind_a_killed_gateway(folder, server):
    """Which of the client's stanzas were notices outlives the process."""
    async def go():
        g = gateway(folder, server.c2s)
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            c = await with_sm(g.port)
            sm_id = c.sm_id
            for i in range(3):
                await c.send(WARNED.format(f"w{i}", f"m{i}"))
                await c.until("id='cgn-")
                cus.say("amy@localhost/raw", "在吗", f"c{i}")
                await c.until(f"c{i}")
            g.proc.kill()
            g.proc.wait()
            await c.rest()
            g.start()
            c = await resume(g.port, sm_id, 4)  # N c0 N c1, then N c2 were lost
            assert f"previd='{sm_id}'" in c.answer.replace('"', "'")
            await c.until("c2")
            await c.send(f"<a xmlns='{SM}' h='5'/>" + WARNED.format("w3", "m3"))
            await c.until("id='cgn-")
            await c.send(f"<a xmlns='{SM}' h='6'/>")
            assert await acked(c) == 4
            cus.say("amy@localhost/raw", "最后", "c3")
            await c.until("c3")
            await c.close()
            # its stream was ended: the same id is nothing any more
            c = await resume(g.port, sm_id, 7, "<failed")
            assert "item-not-found" in c.answer + await c.until("</failed>")
            await c.close()
        g.stop()
    run(go())


def test_two_nodes(folder, server):
    """A session that another node counted for cannot go on here: the client is told so by the server and begins anew. With
    notices: none ids are not marked, and every node resumes."""
    async def go():
        one, two = gateway(folder / "one", server.c2s), gateway(folder / "two", server.c2s)
        c = await with_sm(one.port)
        await c.send(WARNED.format("w0", "m1"))
        await c.until("id='cgn-")
        c.cut()
        b = await resume(two.port, c.sm_id, 1, "</failed>")
        assert "item-not-found" in b.answer
        await b.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        await b.until("</bind></iq>")
        assert two.metrics()["chatgate_xmpp_foreign_resumptions_total"] == 1
        await b.close()
        b = await resume(one.port, c.sm_id, 1)  # and it still can where it was
        await b.close()
        one.stop()
        two.stop()
        profiles = profile_with(folder, "notices: counted", "notices: none")
        one, two = (gateway(folder / n, server.c2s, profiles_dir=profiles) for n in ("three", "four"))
        c = await with_sm(one.port)
        assert not c.sm_id.startswith("cgsm-")
        await c.send(WARNED.format("w1", "m1") + GOOD.format("g1"))
        assert await acked(c) == 2
        assert "cgn-" not in c.text
        assert one.metrics()["chatgate_notices_unshown_total"] == 1
        c.cut()
        c = await resume(two.port, c.sm_id, 0)
        assert re.search(r"h=['\"]2['\"]", c.answer)
        await c.close()
        one.stop()
        two.stop()
    run(go())


def test_a_client_that_acknowledges_nothing(folder, server):
    """Notices are bounded by what is open; the gateway asks for an acknowledgement itself."""
    async def go():
        g = gateway(folder, server.c2s)
        c = await with_sm(g.port)
        for i in range(30):
            await c.send(WARNED.format(OTHERS[i], f"m{i}"))
        assert await acked(c) == 30
        m = g.metrics()
        assert m["chatgate_notices_total"] == 16 and m["chatgate_notices_unshown_total"] == 14
        await c.send(f"<a xmlns='{SM}' h='16'/>" + WARNED.format("w40", "m40"))
        await c.until("id='cgn-")
        assert await acked(c) == 31
        assert g.metrics()["chatgate_notices_total"] == 17
        await c.close()
        g.stop()
    run(go())


def test_not_resumable(folder, server):
    """Counted in memory alone; the server's own id is not there to be marked."""
    async def go():
        g = gateway(folder, server.c2s)
        c = await Raw.login(g.port, "amy", "secret-a")
        await c.send(f"<enable xmlns='{SM}'/>")
        assert "cgsm" not in await c.until("<enabled")
        await c.send(WARNED.format("w0", "m1"))
        await c.until("id='cgn-")
        await c.send(f"<a xmlns='{SM}' h='1'/>")
        assert await acked(c) == 1
        await c.close()
        g.stop()
    run(go())


def test_reminders(folder, server):
    """What the clock says is shown as well: the customer waits."""
    async def go():
        r = Redis(folder / "redis")
        directory = folder / "directory.yaml"
        directory.write_text("agents:\n  - {id: amy@localhost, team: t, role: agent}\n")
        g = gateway(folder, server.c2s, redis=r, extra=f"""
directory: {directory}
reminders: {{unanswered: [{{after: 1s, to: agent}}]}}
""")
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            c = await with_sm(g.port)
            cus.say("amy@localhost/raw", "在吗", "c1")
            await c.until("c1")
            await c.send(f"<a xmlns='{SM}' h='1'/>")
            notice = await c.until("id='cgn-")
            assert "from='localhost'" in notice and "<body>" in notice
            await c.send(f"<a xmlns='{SM}' h='2'/>")
            assert await acked(c) == 0
            await c.close()
        g.stop()
        r.stop()
    run(go())


def test_held_messages(folder, server):
    """A message that is approved later is one that the server counts and the client has not sent: over cuts, and behind a
    killed gateway. One that is refused at last takes no place."""
    from test_hold import OFFER, STRICT, Desk
    offer = "<message to='cus@localhost/r1' type='chat' id='{}'><body>" + OFFER + "</body></message>"

    async def go():
        server.port = server.c2s
        d = Desk(folder, server, profile="xmpp")
        g = d.gateway
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            c = await with_sm(g.port)
            sm_id = c.sm_id
            for turn in range(3):
                await c.send(offer.format(f"h{turn}") + GOOD.format(f"g{turn}"))        # 2 a turn
                assert (await cus.next())["id"] == f"g{turn}"
                assert "已提交审批" in await c.until(f"id='h{turn}'")
                (m,) = await d.waits()
                d.cli("held", "approve", m["id"])
                got = await cus.next()
                assert (got["id"], got["body"]) == (f"h{turn}", OFFER)
                assert "已获批准" in await c.until("id='cgn-")
                await d.ends(m["id"], "sent")
                assert await acked(c) == 2 * (turn + 1), "the server has one more a turn"
                if turn == 1:
                    g.proc.kill()
                    g.proc.wait()
                    await c.rest()
                    g.start()
                else:
                    c.cut()
                c = await resume(g.port, sm_id, 2 * (turn + 1))  # a refusal and a notice a turn
                assert re.search(rf"h=['\"]{2 * (turn + 1)}['\"]", c.answer)
            await c.send(offer.format("h9"))
            await c.until("id='h9'")
            (m,) = await d.waits()
            (d.rules / "hold.yaml").write_text(STRICT)
            assert g.ask("reload")["ok"]
            d.cli("held", "approve", m["id"])
            await d.ends(m["id"], "blocked")
            assert await acked(c) == 7
            await c.send(GOOD.format("last"))
            assert (await cus.next())["id"] == "last"
            assert await acked(c) == 8
            await c.close()
        g.stop()
        d.redis.stop()
    run(go())


def test_many_with_cuts_and_a_killed_gateway(folder, server):
    """Warnings, refusals, repairs and customers' messages at random, cuts among them, the gateway killed in the middle:
    every counter fits, nothing is lost or doubled but notices that a cut took."""
    async def go():
        rnd = random.Random(11)
        g = gateway(folder, server.c2s)
        amy = SmClient(g.port, "amy", "secret-a")
        careful = isinstance(server, Ejabberd)  # 23.01 loses count and messages while it hands over
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            await amy.connect()
            want, refused, warned, others = [], [], 0, list(OTHERS)

            def came_so_far():
                return {e.get("id") for e in amy.messages()}
            for i in range(500):
                kind = rnd.choice(["good", "block", "rewrite", "warn"])
                if kind == "warn" and others:
                    amy.send(WARNED.format(others.pop(), f"m{i}"))
                    warned += 1
                else:
                    body = {"block": "加我微信", "rewrite": f"最好的 {i}"}.get(kind, f"您好 {i}")
                    (refused if kind == "block" else want).append((f"m{i}", body.replace("最好的", "很好的")))
                    amy.send(f"<message to='cus@localhost/r1' type='chat' id='m{i}'><body>{body}</body></message>")
                cus.say("amy@localhost/sm", f"请问 {i}", f"c{i}")
                if i % 5 == 0:
                    await asyncio.sleep(0.002)
                if i % 50 == 30:
                    if careful or i == 230:  # Prosody cannot resume what was killed inside a stanza (so without a gateway)
                        amy.write(f"<r xmlns='{SM}'/>")
                        await amy.until(lambda: not amy.unacked and (not careful or f"c{i}" in came_so_far()))
                    if i == 230:
                        g.proc.kill()
                        g.proc.wait()
                        await amy.reader_task
                        amy.raw.text = ""
                        g.start()
                        amy.port = g.port
                    else:
                        await amy.cut()
                    await amy.connect()
            got = [await cus.next() for _ in want]
            assert [(m["id"], m["body"]) for m in got] == want

            def those(is_error):
                return [e.get("id") for e in amy.messages(is_error) if not e.get("id").startswith("cgn-")]
            await amy.until(lambda: len(those(False)) >= 500 and len(those(True)) >= len(refused))
            came, bounced = those(False), those(True)
            want_in, want_bounced = [f"c{i}" for i in range(500)], [mid for mid, _ in refused]
            if careful:
                came, want_in, bounced, want_bounced = map(sorted, (came, want_in, bounced, want_bounced))
            assert came == want_in and bounced == want_bounced
            notices = [e.get("id") for e in amy.messages() if e.get("id").startswith("cgn-")]
            assert len(set(notices)) == len(notices) and warned // 2 < len(notices) <= warned
            amy.write(f"<r xmlns='{SM}'/>")
            await amy.until(lambda: not amy.unacked)
            assert amy.acked == 501 and amy.resumptions == 10
            amy.write(f"<a xmlns='{SM}' h='{amy.handled}'/></stream:stream>")
            await amy.raw.writer.drain()
            await asyncio.wait_for(amy.reader_task, PATIENCE)
        g.stop()
    run(go())
