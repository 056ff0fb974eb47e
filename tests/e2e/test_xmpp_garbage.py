"""Streams broken at random, against the gateway with its sanitizers and a real server: it stays, and serves the next."""

import asyncio
import base64
import random

from gateway import SOURCE, Gateway, run
from xmpp_client import Raw
from xmpp_servers import Prosody

RULES = SOURCE / "tests" / "e2e" / "rules"
PIECES = [
    Raw.header,
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64.b64encode(b"\0amy\0secret-a").decode() + "</auth>",
    Raw.header,
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>x</resource></bind></iq>",
    "<enable xmlns='urn:xmpp:sm:3' resume='true'/><presence><status>加我微信</status></presence>",
    "<message to='cus@localhost' type='chat' id='1'><body>加我微信</body><html xmlns='http://jabber.org/protocol/xhtml-im'>"
    "<body xmlns='http://www.w3.org/1999/xhtml'><p>最好的</p></body></html></message>",
    "<message to='cus@localhost' type='chat' id='2'><body>最好的 <![CDATA[最好的]]> &#x6700;&#22909;的</body></message>",
    "<r xmlns='urn:xmpp:sm:3'/><iq type='set' id='v'><vCard xmlns='vcard-temp'><NOTE>加我微信</NOTE></vCard></iq>",
    "</stream:stream>",
]


def spoil(rnd, data):
    for _ in range(rnd.randint(0, 3)):
        at = rnd.randrange(len(data) + 1)
        to = min(len(data), at + rnd.randint(0, 40))
        how = rnd.randrange(5)
        if how == 0:
            data = data[:at] + data[to:]
        elif how == 1:
            data = data[:at] + data[at:to] * 3 + data[to:]
        elif how == 2:
            data = data[:at] + bytes([rnd.randrange(256)]) + data[at + 1:]
        elif how == 3:
            data = data[:at] + rnd.choice([b"<!--", b"<?x?>", b"]]>", b"&x;", b"</", b"<a>" * 70, b"\0", b"\x16\x03\x01"]) + data[at:]
        else:
            data = data[:at]
    return data


async def one(port, seed):
    rnd = random.Random(seed)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in PIECES:
            if rnd.random() < 0.9:
                writer.write(spoil(rnd, piece.encode()))
                await writer.drain()
            if rnd.random() < 0.7:
                await asyncio.wait_for(reader.read(65536), 0.15)
    except (ConnectionError, asyncio.TimeoutError):
        pass
    writer.transport.abort()


def test_garbage(folder):
    async def go():
        server = Prosody(folder / "server", {"amy": "secret-a", "cus": "secret-c"})
        g = Gateway(folder, server.c2s, profile="xmpp", rules=RULES)
        for k in range(0, 600, 20):
            await asyncio.gather(*(one(g.port, seed) for seed in range(k, k + 20)))
        c = await Raw.login(g.port, "amy", "secret-a", resource="after")
        await c.send("<message to='cus@localhost' type='chat' id='z'><body>加我微信</body></message>")
        assert "policy-violation" in await c.until("id='z'")
        await c.close()
        assert "微信" not in g.text() and "secret-a" not in g.text()
        g.stop()
        server.stop()
    run(go())
