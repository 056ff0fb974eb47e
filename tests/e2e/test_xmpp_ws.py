"""XMPP over WebSocket (RFC 7395) through the gateway to Prosody and ejabberd."""

import asyncio
import base64
import http.client
import re

import pytest
import websockets

from gateway import PATIENCE, SOURCE, Gateway, run
from xmpp_client import Client
from xmpp_servers import Ejabberd, Prosody

RULES = SOURCE / "tests" / "e2e" / "rules"
ACCOUNTS = {"amy": "secret-a", "cus": "secret-c"}
OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"
MESSAGE = "<message xmlns='jabber:client' to='cus@localhost' type='chat' id='{}'><body>{}</body></message>"


@pytest.fixture(params=[Prosody, Ejabberd], ids=["prosody", "ejabberd"])
def server(folder, request):
    s = request.param(folder / "server", ACCOUNTS)
    yield s
    s.stop()


class WsClient:
    @classmethod
    async def login(cls, port, path="/xmpp-websocket", resume=None, sm=False):
        c = cls()
        c.ws = await websockets.connect(f"ws://127.0.0.1:{port}{path}", subprotocols=["xmpp"], ping_interval=None,
                                            open_timeout=PATIENCE)
        assert c.ws.subprotocol == "xmpp"
        await c.ws.send(OPEN)
        await c.until("<stream:features")
        plain = base64.b64encode(b"\0amy\0secret-a").decode()
        await c.ws.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + plain + "</auth>")
        await c.until("<success")
        await c.ws.send(OPEN)
        c.features = await c.until("<stream:features")
        if resume:
            await c.ws.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{resume[0]}' h='{resume[1]}'/>")
            c.h = int(re.search(r"h=['\"](\d+)", await c.until("<resumed")).group(1))
            return c
        await c.ws.send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                        "<resource>web</resource></bind></iq>")
        await c.until("</bind>")
        if sm:
            await c.ws.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
            c.sm_id = re.search(r" id=['\"]([^'\"]+)", await c.until("<enabled")).group(1)
        return c

    async def until(self, what):
        while True:
            text = await asyncio.wait_for(self.ws.recv(), PATIENCE)
            assert text.startswith("<") and text.endswith(">"), "one whole element in every message"
            if what in text:
                return text


def test_login_block_rewrite_notice(folder, server):
    async def go():
        g = Gateway(folder, server.http, profile="xmpp-websocket", rules=RULES)
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            c = await WsClient.login(g.port, server.ws_path)
            assert "starttls" not in c.features
            await c.ws.send(MESSAGE.format("m1", "您好"))
            assert (await cus.next())["body"] == "您好"
            await c.ws.send(MESSAGE.format("m2", "加我微信"))
            e = await c.until("id='m2'")
            assert "policy-violation" in e and "from='cus@localhost'" in e and "to='amy@localhost/web'" in e
            await c.ws.send(MESSAGE.format("m3", "最好的 &amp; <![CDATA[最好的]]>"))
            assert (await cus.next())["body"] == "很好的 & 很好的"
            await c.ws.send(MESSAGE.format("m4", "大概吧"))
            assert "请给出明确的答复。" in await c.until("id='cgn-")
            cus.say("amy@localhost/web", "我要投诉你们", "c1")
            assert "我要投诉你们" in await c.until("c1")
            for i in range(50):  # many messages in one segment
                cus.say("amy@localhost/web", "问" * i, f"n{i}")
            await c.until("n49")
            await c.ws.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
            await c.until("<close")
            await c.ws.close()
        m = g.metrics()
        assert m["chatgate_messages_incoming_total"] == 50 and m["chatgate_cases_opened_by_rule_total"] == 1
        assert m["chatgate_messages_blocked_total"] == 1 and m["chatgate_messages_rewritten_total"] == 1
        g.wait_line(r"session_end .* agent=amy@localhost ")
        g.stop()
    run(go())


def test_resumption(folder, server):
    async def go():
        g = Gateway(folder, server.http, profile="xmpp-websocket", rules=RULES)
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            c = await WsClient.login(g.port, server.ws_path, sm=True)
            for mid, text in (("g1", "您好"), ("b1", "加我微信"), ("g2", "您好"), ("b2", "加我微信")):
                await c.ws.send(MESSAGE.format(mid, text))
            assert "policy-violation" in await c.until("id='b1'")
            assert "policy-violation" in await c.until("id='b2'")
            c.ws.transport.abort()
            c = await WsClient.login(g.port, server.ws_path, resume=(c.sm_id, 2))
            assert c.h == 4
            await c.ws.send(MESSAGE.format("b3", "加我微信"))
            assert "policy-violation" in await c.until("id='b3'")
            await c.ws.send("<a xmlns='urn:xmpp:sm:3' h='3'/>")
            await c.ws.send("<r xmlns='urn:xmpp:sm:3'/>")
            assert "5" in await c.until("<a ")
            assert [(await cus.next())["id"] for _ in range(2)] == ["g1", "g2"]
            await c.ws.close()
        g.stop()
    run(go())


def test_notices_are_counted(folder, server):
    async def go():
        g = Gateway(folder, server.http, profile="xmpp-websocket", rules=RULES)
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            c = await WsClient.login(g.port, server.ws_path, sm=True)
            await c.ws.send(MESSAGE.format("m1", "大概吧"))
            await c.until("id='cgn-")
            cus.say("amy@localhost/web", "在吗", "c1")
            await c.until("c1")
            await c.ws.send("<a xmlns='urn:xmpp:sm:3' h='2'/>")
            cus.say("amy@localhost/web", "还在吗", "c2")
            await c.until("c2")
            c.ws.transport.abort()
            c = await WsClient.login(g.port, server.ws_path, resume=(c.sm_id, 2))
            await c.until("c2")
            await c.ws.send("<a xmlns='urn:xmpp:sm:3' h='3'/>")
            await c.ws.send("<r xmlns='urn:xmpp:sm:3'/>")
            await c.until("<a ")
            cus.say("amy@localhost/web", "好", "c3")
            await c.until("c3")
            await c.ws.close()
        g.stop()
    run(go())


def test_held_messages_are_counted(folder, server):
    """Approved later, it is one more for the server than the client has sent."""
    from test_hold import OFFER, Desk

    async def go():
        server.port = server.http
        d = Desk(folder, server, profile="xmpp-websocket")
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            c = await WsClient.login(d.gateway.port, server.ws_path, sm=True)
            sm_id = c.sm_id
            for turn in range(2):
                await c.ws.send(MESSAGE.format(f"h{turn}", OFFER))
                assert "已提交审批" in await c.until(f"id='h{turn}'")
                (m,) = await d.waits()
                d.cli("held", "approve", m["id"])
                assert (await cus.next())["id"] == f"h{turn}"
                await c.until("id='cgn-")
                await d.ends(m["id"], "sent")
                await c.ws.send("<r xmlns='urn:xmpp:sm:3'/>")
                assert re.search(rf"h=['\"]{turn + 1}['\"]", await c.until("<a "))
                c.ws.transport.abort()
                c = await WsClient.login(d.gateway.port, server.ws_path, resume=(sm_id, 2 * (turn + 1)))
                assert c.h == turn + 1
            await c.ws.close()
        d.gateway.stop()
        d.redis.stop()
    run(go())


def test_what_is_no_element_is_refused(folder, server):
    async def go():
        g = Gateway(folder, server.http, profile="xmpp-websocket", rules=RULES)
        for bad in (" <presence xmlns='jabber:client'/>", "<a><!-- --></a>", "<a/><b/>", "<a>", "<?xml version='1.0'?><a/>"):
            c = await WsClient.login(g.port, server.ws_path)
            await c.ws.send(bad)
            await c.until("<stream:error")
            await c.until("<close")
            with pytest.raises(websockets.ConnectionClosed):
                await c.until("never")
        for path in ("/http-bind", "/bosh"):
            h = http.client.HTTPConnection("127.0.0.1", g.port, timeout=PATIENCE)
            h.request("POST", path, body="<body/>")
            assert h.getresponse().status == 403
        g.stop()
    run(go())
