"""Everything in which words travel: refused, repaired or left alone, in front of real servers."""

import xml.etree.ElementTree as ET

import pytest

from gateway import SOURCE, Gateway, run
from xmpp_client import Client, Raw
from xmpp_servers import Ejabberd, Prosody

RULES = SOURCE / "tests" / "e2e" / "rules"
ACCOUNTS = {"amy": "secret-a", "cus": "secret-c"}
BAD = "加我微信"
XHTML = "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>{}</body></html>"
REFUSED = {
    "second language": f"<body>hello</body><body xml:lang='zh'>{BAD}</body>",
    "subject": f"<subject>{BAD}</subject>",
    "correction": f"<body>{BAD}</body><replace xmlns='urn:xmpp:message-correct:0' id='x'/>",
    "xhtml copy": "<body>您好</body>" + XHTML.format(f"<p>加我<b>微信</b></p>"),
    "xhtml link": "<body>您好</body>" + XHTML.format(f"<p><a title='{BAD}' href='http://x.example/'>您好</a></p>"),
    "reference": "<body>您好</body><reference xmlns='urn:xmpp:reference:0' type='data' uri='加我微信' begin='0' end='1'/>",
    "out-of-band": f"<x xmlns='jabber:x:oob'><url>http://x.example/</url><desc>{BAD}</desc></x>",
    "invitation": f"<x xmlns='jabber:x:conference' jid='r@x.example' reason='{BAD}'/>",
    "form": f"<x xmlns='jabber:x:data' type='form'><field var='a'><value>{BAD}</value></field></x>",
    "reaction": f"<reactions xmlns='urn:xmpp:reactions:0' id='x'><reaction>{BAD}</reaction></reactions>",
    "nick": f"<body>您好</body><nick xmlns='http://jabber.org/protocol/nick'>{BAD}</nick>",
    "forwarded": f"<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>{BAD}</body></message></forwarded>",
    "CDATA": "<body>加我<![CDATA[微信]]></body>",
    "character references": "<body>&#x52a0;&#25105;&#x5FAE;信</body>",
}
ENCRYPTED = {
    "OMEMO": "<body>[OMEMO]</body><encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/><payload>AAAA</payload></encrypted>",
    "OMEMO 2": "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/><payload>AAAA</payload></encrypted>",
    "OpenPGP": "<openpgp xmlns='urn:xmpp:openpgp:0'>AAAA</openpgp><body>encrypted</body>",
    "old OpenPGP": "<body>encrypted</body><x xmlns='jabber:x:encrypted'>AAAA</x>",
    "OTR": "<body>?OTR:AAMDvN4</body>",
    "marked": "<body>?</body><encryption xmlns='urn:xmpp:eme:0' namespace='urn:example:secret'/>",
    "bytes": "<data xmlns='http://jabber.org/protocol/ibb' sid='s' seq='0'>AAAA</data>",
}
REPAIRED = {
    "both languages": ("<body>最好的</body><body xml:lang='en'>最好的 fabric</body>",
                       "<body>很好的</body><body xml:lang='en'>很好的 fabric</body>"),
    "xhtml copy": ("<body>最好的</body>" + XHTML.format("<p>最好的</p>") + "<origin-id xmlns='urn:xmpp:sid:0' id='o'/>",
                   "<body>很好的</body><origin-id xmlns='urn:xmpp:sid:0' id='o'/>"),
    "reference": ("<body>@cus 最好的</body><reference xmlns='urn:xmpp:reference:0' type='mention' begin='0' end='4' "
                  "uri='xmpp:cus@localhost'/>", "<body>@cus 很好的</body>"),
    "markup": ("<body>最好的</body><markup xmlns='urn:xmpp:markup:0'><span start='0' end='1'><emphasis/></span></markup>",
               "<body>很好的</body>"),
    "correction": ("<body>最好的</body><replace xmlns='urn:xmpp:message-correct:0' id='x'/>",
                   "<body>很好的</body><replace xmlns='urn:xmpp:message-correct:0' id='x'/>"),
    "live text": ("<body>您好</body><rtt xmlns='urn:xmpp:rtt:0' event='cancel'/>", "<body>您好</body>"),
}


@pytest.fixture(params=[Prosody, Ejabberd], ids=["prosody", "ejabberd"])
def server(folder, request):
    s = request.param(folder / "server", ACCOUNTS)
    yield s
    s.stop()


def inside(xml):
    """What a message holds, without what servers add."""
    own = ("urn:xmpp:sid:0", "urn:xmpp:mam", "urn:xmpp:hints", "urn:xmpp:delay")
    e = ET.fromstring(xml) if isinstance(xml, str) else xml
    return sorted(ET.canonicalize(ET.tostring(c, encoding="unicode"), strip_text=True) for c in e
            if not (c.tag.startswith(tuple("{" + n for n in own)) and c.tag != "{urn:xmpp:sid:0}origin-id"))


async def bounce(c, mid):
    e = ET.fromstring(await c.until(f"id='{mid}'"))
    assert e.get("type") == "error" and e.find("{jabber:client}error/{urn:ietf:params:xml:ns:xmpp-stanzas}policy-violation") is not None
    return e.find("{jabber:client}error/{urn:ietf:params:xml:ns:xmpp-stanzas}text").text


def test_messages(folder, server):
    async def go():
        g = Gateway(folder, server.c2s, profile="xmpp", rules=RULES)
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            c = await Raw.login(g.port, "amy", "secret-a")
            n = 0
            for cases, why in ((REFUSED, "请在平台内沟通。"), (ENCRYPTED, "加密")):
                for what, content in cases.items():
                    n += 1
                    await c.send(f"<message to='cus@localhost' type='chat' id='b{n}'>{content}</message>")
                    assert why in await bounce(c, f"b{n}"), what
            await c.send("<message to='cus@localhost' id='live'><rtt xmlns='urn:xmpp:rtt:0'><t>加我微信</t></rtt></message>")
            for what, (content, want) in REPAIRED.items():
                n += 1
                await c.send(f"<message to='cus@localhost/r1' type='chat' id='g{n}'>{content}</message>")
                m = await cus.next()
                if m["id"] == "live":
                    assert m.xml.find("{urn:xmpp:rtt:0}rtt") is None
                    m = await cus.next()
                assert m["id"] == f"g{n}", "nothing refused may come through"
                assert inside(m.xml) == inside(f"<message xmlns='jabber:client'>{want}</message>"), what
            # what no rule touches passes as it was sent, copies and references included
            kept = "<body>您好</body>" + XHTML.format("<p>您好</p>") + \
                   "<reference xmlns='urn:xmpp:reference:0' begin='0' end='1' uri='xmpp:cus@localhost'/>"
            await c.send(f"<message to='cus@localhost/r1' type='chat' id='k'>{kept}</message>")
            assert inside((await cus.next()).xml) == inside(f"<message xmlns='jabber:client'>{kept}</message>")
            await c.close()
        assert g.metrics()["chatgate_messages_blocked_total"] == len(REFUSED) + len(ENCRYPTED)
        g.stop()
    run(go())


def test_encrypted_let_through(folder):
    """policy.opaque: pass — a decision of the deployment, counted."""
    async def go():
        server = Prosody(folder / "server", ACCOUNTS)
        g = Gateway(folder, server.c2s, profile="xmpp", rules=RULES, extra="policy: {opaque: pass}")
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            c = await Raw.login(g.port, "amy", "secret-a")
            for n, content in enumerate(ENCRYPTED.values()):
                await c.send(f"<message to='cus@localhost/r1' type='chat' id='e{n}'>{content}</message>")
                m = await cus.next()
                assert m["id"] == f"e{n}" and inside(m.xml) == inside(f"<message xmlns='jabber:client'>{content}</message>")
            await c.close()
        g.stop()
        server.stop()
    run(go())


def test_rooms(folder, server):
    """Nicks when joining and later, a room's name and topic, private messages, kicks' reasons; with stream management on,
    so that refused presences are swapped as well."""
    async def go():
        g = Gateway(folder, server.c2s, profile="xmpp", rules=RULES)
        room = f"desk@{server.rooms}"
        join = "<presence to='{}/{}' id='{}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        async with Client("cus", "secret-c", server.c2s, tls=False, plugins=["xep_0045"]) as cus:
            for sm in ("", "<enable xmlns='urn:xmpp:sm:3'/>"):
                c = await Raw.login(g.port, "amy", "secret-a")
                await c.send(sm + join.format(room, BAD, "j1"))
                e = await c.until("id='j1'")
                assert f"<presence xmlns='jabber:client' type='error' from='{room}/{BAD}' to='amy@localhost/raw' id='j1'>" in e
                assert "policy-violation" in await c.until("</presence>")
                await c.send(join.format(room, "客服", "j2"))
                await c.until("110")
                if isinstance(server, Prosody) and not sm:
                    await c.send(f"<iq type='set' to='{room}' id='own'><query xmlns='http://jabber.org/protocol/muc#owner'>"
                                 "<x xmlns='jabber:x:data' type='submit'/></query></iq>")
                    await c.until("own")
                form = "<iq type='set' to='{}' id='{}'><query xmlns='http://jabber.org/protocol/muc#owner'>" \
                       "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>" \
                       "http://jabber.org/protocol/muc#roomconfig</value></field><field var='muc#roomconfig_roomname'><value>{}" \
                       "</value></field></x></query></iq>"
                await c.send(form.format(room, "f1", BAD))
                await c.until("id='f1'")
                assert "policy-violation" in await c.until("</iq>")
                await c.send(form.format(room, "f2", "最好的店"))
                await c.until("f2")
                await c.send(f"<iq type='get' to='{room}' id='d1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
                assert "很好的店" in await c.until("</query>")
                await c.send(f"<message to='{room}' type='groupchat' id='s1'><subject>{BAD}</subject></message>")
                assert await bounce(c, "s1")
                await c.send(f"<presence to='{room}/{BAD}' id='n1'/>")  # another nick
                assert "<presence xmlns='jabber:client' type='error'" in await c.until("id='n1'")
                assert "policy-violation" in await c.until("</presence>")
                await c.send(f"<message to='{room}/客服' type='chat' id='p1'><body>{BAD}</body></message>")
                assert "请在平台内沟通。" in await c.until("id='p1'")
                await c.send(f"<iq type='set' to='{room}' id='k1'><query xmlns='http://jabber.org/protocol/muc#admin'>"
                             f"<item nick='客服' role='none'><reason>{BAD}</reason></item></query></iq>")
                await c.until("id='k1'")
                assert "policy-violation" in await c.until("</iq>")
                await c.send("<iq type='set' to='cus@localhost/r1' id='i1'><open xmlns='http://jabber.org/protocol/ibb' "
                             "sid='s' block-size='4096'/></iq>")
                await c.until("id='i1'")
                assert "加密" in await c.until("</iq>")
                await c.send("<iq type='set' id='q1'><query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>"
                             "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
                             f"<field var='with'><value>cus@localhost</value></field></x></query></iq>")
                assert "policy-violation" not in await c.until("q1")
                await c.close()
            assert cus.messages.empty()
        g.stop()
    run(go())
