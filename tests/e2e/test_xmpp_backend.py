"""`chatgate-bench xmpp-backend`: who is let in, what goes where, what comes back, and that broken streams and slow readers
leave it standing."""

import random
import asyncio

from gateway import BUILD, Gateway, Process, SOURCE, run, wait_for
from test_xmpp_garbage import one
from xmpp_client import Client, Raw
from xmpp_servers import free_port, is_open

RULES = SOURCE / "tests" / "e2e" / "rules"


def backend(folder):
    port = free_port()
    p = Process([BUILD / "bench" / "chatgate-bench", "xmpp-backend", "--listen", f"127.0.0.1:{port}"], folder / "backend.log")
    wait_for("the backend listens", lambda: is_open(port))
    return p, port


def test_backend(folder):
    p, port = backend(folder)

    async def go():
        ann, bob = await Raw.login(port, "ann", "x"), await Raw.login(port, "Bob", "y", resource="Desk")
        # The sender's address is the server's to say, whatever the client writes.
        for n, (to, attr) in enumerate([("bob@localhost/Desk", ""), ("bob@localhost", " from='eve@localhost'"), ("BOB@localhost", "\n\tfrom = ''")]):
            await ann.send(f"<message to='{to}' id='{n}'{attr}><body>x from here</body></message>")
            got = await bob.until("</message>")
            assert got.count("from='ann@localhost/raw'") == 1 and f"id='{n}'" in got and "eve" not in got and "from =" not in got, got
            assert got.endswith("<body>x from here</body></message>")
        # Requests reach the other client, and its answer comes back; the server answers for itself and for who is not there.
        await ann.send("<iq type='get' id='q' to='bob@localhost/Desk'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert "from='ann@localhost/raw'" in await bob.until("</iq>")
        await bob.send("<iq type='result' id='q' to='ann@localhost/raw'><ok/></iq>")
        assert "from='bob@localhost/Desk'" in await ann.until("</iq>")
        for to in ("", " to='localhost'", " to='ann@localhost'"):
            await ann.send(f"<iq type='get' id='&lt;p'{to}><ping xmlns='urn:xmpp:ping'/></iq>")
            assert "type='result' id='&lt;p'" in await ann.until("<iq")
        await ann.send("<iq type='get' id='d'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
        assert "service-unavailable" in await ann.until("</iq>")
        for to in ("bob@localhost/Other", "nobody@localhost"):
            await ann.send(f"<presence to='{to}'/><iq type='result' id='r' to='{to}'/><message to='{to}' id='m'><body/></message>")
            got = await ann.until("</message>")
            assert f"from='{to}'" in got and "service-unavailable" in got and "<iq" not in got
        # The same address again: the first one goes.
        again = await Raw.login(port, "bob", "z", resource="Desk")
        assert "<conflict" in await bob.until("</stream:stream>")
        await ann.send("<message to='bob@localhost' id='a'><body>1</body></message></stream:stream>")
        assert "id='a'" in await again.until("</message>")
        await ann.until("</stream:stream>")

    async def refusals():
        for sent, condition in [("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biws</auth>", "<invalid-mechanism"),
                                ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>?</auth>", "<not-authorized"),
                                ("<message to='a@localhost'><body/></message>", "<invalid-mechanism"), ("<!-- -->", "<restricted-xml"),
                                ("<a></b>", "<not-well-formed"), ("<a>" + "x" * 300000, "<policy-violation")]:
            c = await Raw.open(port)
            await c.send(sent)
            assert condition in await c.until(condition), sent
        c = await Raw.login(port, "cy", "x", resource=None)
        await c.send("<message to='a@localhost'><body/></message>")
        await c.until("<not-authorized")
        c = await Raw.login(port, "cy", "x")
        await c.send("<enable xmlns='urn:xmpp:sm:3'/>")
        await c.until("<unsupported-stanza-type")
        c = await Raw.login(port, "cy", "x")
        await c.send("<c:message xmlns:c='jabber:client' to='cy@localhost/raw'><body/></c:message>")
        await c.until("<bad-namespace-prefix")
        rnd = random.Random(7)
        await asyncio.gather(*(one(port, rnd.randrange(1 << 30)) for _ in range(60)))

    async def slow_reader():
        """Its sender has to wait; nothing is lost, and others go on."""
        ann, bob, cy = [await Raw.login(port, name, "x") for name in ("ann", "bob", "cy")]
        n, body = 5000, "y" * 10000
        sending = asyncio.ensure_future(ann.send("".join(
            f"<message to='bob@localhost' id='n{i}'><body>{body}</body></message>" for i in range(n))))
        await cy.send("<message to='cy@localhost' id='self'><body/></message>")
        await cy.until("id='self'")
        await asyncio.wait({sending}, timeout=1)  # nobody reads: 50 MB fit into no socket
        assert not sending.done(), "the backend took it all"
        for i in range(n):
            assert f"id='n{i}'" in await bob.until("</message>")
        await sending

    run(go())
    run(refusals())
    run(slow_reader())
    assert p.stop() == 0, p.text()
    assert "stanzas delivered" in p.text()


def test_behind_the_gateway(folder):
    """A client of a library, a delivered, a repaired and a refused message."""
    p, port = backend(folder)
    gate = Gateway(folder, port, profile="xmpp", rules=RULES)

    async def go():
        async with Client("amy", "x", gate.port, tls=False) as amy, Client("cus", "x", port, tls=False) as cus:
            for mid, body in (("1", "您好"), ("2", "加我微信"), ("3", "好的")):
                amy.say("cus@localhost/r1", body, mid)
            assert [(await cus.next())["body"] for _ in range(2)] == ["您好", "好的"]
            assert (await amy.next_failed())["id"] == "2"
            cus.say("amy@localhost/r1", "谢谢", "4")
            assert (await amy.next())["body"] == "谢谢"

    run(go())
    gate.stop()
    assert p.stop() == 0, p.text()
