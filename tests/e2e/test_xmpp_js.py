"""xmpp.js, the usual library of web clients, through the gateway to Prosody and ejabberd: over TCP and over WebSocket."""

import asyncio

import pytest

from gateway import SOURCE, Gateway, run
from peers import Peer
from xmpp_client import Client
from xmpp_servers import Ejabberd, Prosody

RULES = SOURCE / "tests" / "e2e" / "rules"
ACCOUNTS = {"amy": "secret-a", "cus": "secret-c"}


@pytest.mark.parametrize("kind", [Prosody, Ejabberd], ids=["prosody", "ejabberd"])
@pytest.mark.parametrize("way", ["tcp", "websocket"])
def test_refusals_and_resumption(folder, way, kind):
    async def go():
        server = kind(folder / "server", ACCOUNTS)
        tcp = way == "tcp"
        g = Gateway(folder, server.c2s if tcp else server.http, profile="xmpp" if tcp else "xmpp-websocket", rules=RULES)
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            p = Peer("xmpp_client", folder)
            service = f"xmpp://127.0.0.1:{g.port}" if tcp else f"ws://127.0.0.1:{g.port}{server.ws_path}"
            p.do("connect", service=service, user="amy", password="secret-a")
            wait = lambda kind: asyncio.to_thread(p.wait, kind)  # noqa: E731
            assert (await wait("ready"))["jid"] == "amy@localhost/js"
            for mid, body in (("g1", "您好"), ("b1", "加我微信"), ("g2", "最好的"), ("b2", "加我微信")):
                p.do("send", to="cus@localhost", id=mid, body=body)
            for mid in ("b1", "b2"):
                e = await wait("rejected")
                assert e["id"] == mid and e["reason"] == "请在平台内沟通。"
            assert [(await cus.next())["body"] for _ in range(2)] == ["您好", "很好的"]
            p.do("cut")
            await wait("resumed")
            p.do("send", to="cus@localhost", id="b3", body="加我微信")
            assert (await wait("rejected"))["id"] == "b3"
            p.do("send", to="cus@localhost", id="g3", body="再见")
            assert (await cus.next())["body"] == "再见"
            p.do("send", to="cus@localhost", id="w1", body="大概吧")  # xmpp.js throws when a count does not fit
            assert (await wait("message"))["body"] == "请给出明确的答复。"
            cus.say("amy@localhost/js", "好的", "c1")
            assert (await wait("message"))["body"] == "好的"
            p.do("cut")
            await wait("resumed")
            cus.say("amy@localhost/js", "还在吗", "c2")
            assert (await wait("message"))["body"] == "还在吗"
            p.do("send", to="cus@localhost", id="g4", body="在")
            assert [(await cus.next())["body"] for _ in range(2)] == ["大概吧", "在"]
            while (await wait("ack"))["id"] != "g4":
                pass  # what is not acknowledged when it stops counts as failed
            p.do("stop")
            await wait("stopped")
            assert not [e for e in p.seen if e["event"] == "fail"], p.seen
            p.stop()
        g.stop()
        server.stop()
    run(go())
