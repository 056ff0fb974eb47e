"""XMPP over TCP through the gateway to Debian's Prosody and ejabberd, with slixmpp clients."""

import asyncio
import base64
import hashlib
import hmac
import re
import ssl
import xml.etree.ElementTree as ET

import pytest

from gateway import PATIENCE, SOURCE, Gateway, dial, run, until
from xmpp_client import Client, Raw
from xmpp_servers import Ejabberd, Prosody

RULES = SOURCE / "tests" / "e2e" / "rules"
ACCOUNTS = {"amy": "secret-a", "bob": "secret-b", "cus": "secret-c"}


def gateway(folder, port, certificates=None, **kw):
    d = certificates
    tls = f"    tls: {{certificate: {d / 'server.pem'}, key: {d / 'server.key'}}}" if d else ""
    return Gateway(folder, port, profile="xmpp", rules=RULES, listener_extra=tls, **kw)


@pytest.fixture(params=[Prosody, Ejabberd], ids=["prosody", "ejabberd"])
def server(folder, request):
    s = request.param(folder / "server", ACCOUNTS)
    yield s
    s.stop()


@pytest.mark.parametrize("way", ["starttls", "direct", "plain"])
def test_login_and_roster(folder, server, certificates, way):
    async def go():
        secure = way != "plain"
        g = gateway(folder, server.c2s, certificates if secure else None)
        async with Client("amy", "secret-a", g.port, ca=certificates / "ca.pem", direct=way == "direct",
                          tls=secure) as amy:
            assert amy.boundjid.full == "amy@localhost/r1"
            await amy.get_roster()
            answer = await amy.update_roster("cus@localhost", name="客户")
            assert answer["type"] == "result"
            await amy.get_roster()
            assert amy.client_roster["cus@localhost"]["name"] == "客户"
        g.wait_line(r"session_end .* agent=amy@localhost ")
        g.stop()
    run(go())


def test_features_are_the_servers(folder, certificates):
    """What is offered to log in reaches the client byte for byte: clients hash the list. Only STARTTLS is taken out, which the
    client has behind it."""
    async def go():
        p = Prosody(folder / "server", ACCOUNTS, certificates)
        g = gateway(folder, p.c2s)
        direct, through = await Raw.open(p.c2s), await Raw.open(g.port)
        starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
        assert starttls in direct.features
        features = [x.features[x.features.index("<stream:features"):] for x in (direct, through)]
        assert "<mechanism>SCRAM-SHA-1</mechanism>" in features[1]
        assert features[1] == features[0].replace(starttls, "")
        direct.cut()
        through.cut()
        g.stop()
        p.stop()
    run(go())


@pytest.mark.parametrize("flag", ["n", "y"])
def test_clients_that_could_bind_their_channel(folder, server, certificates, flag):
    """y: the client could bind its login to TLS and believes that the server cannot. The server has no channel of its own, so
    it agrees; a gateway that edited the mechanisms would be found out here."""
    async def go():
        g = gateway(folder, server.c2s, certificates)
        c = Raw()
        context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
        c.reader, c.writer = await dial(g.port, ssl=context, server_hostname="localhost")
        c.text = ""
        await c.send(Raw.header)
        features = await c.until("</stream:features>")
        assert "<mechanism>SCRAM-SHA-1</mechanism>" in features and "-PLUS" not in features
        first = base64.b64encode(f"{flag},,n=amy,r=0123456789abcdef".encode()).decode()
        await c.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>{first}</auth>")
        challenge = base64.b64decode(re.search(r">([A-Za-z0-9+/=]+)<", await c.until("</challenge>")).group(1)).decode()
        nonce, salt, rounds = re.fullmatch(r"r=(.*),s=(.*),i=(\d+)", challenge).groups()
        salted = hashlib.pbkdf2_hmac("sha1", b"secret-a", base64.b64decode(salt), int(rounds))
        bare = f"c={base64.b64encode((flag + ',,').encode()).decode()},r={nonce}"
        said = f"n=amy,r=0123456789abcdef,{challenge},{bare}".encode()
        key = hmac.digest(salted, b"Client Key", "sha1")
        proof = bytes(a ^ b for a, b in zip(key, hmac.digest(hashlib.sha1(key).digest(), said, "sha1")))
        final = base64.b64encode(f"{bare},p={base64.b64encode(proof).decode()}".encode()).decode()
        await c.send(f"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{final}</response>")
        await c.until("<success")
        c.cut()
        g.stop()
    run(go())


def test_keepalives_are_not_counted(folder, server):
    async def go():
        g = gateway(folder, server.c2s)
        c = await Raw.login(g.port, "amy", "secret-a")
        await c.send("<enable xmlns='urn:xmpp:sm:3'/>")
        await c.until("<enabled")
        before = g.metrics()["chatgate_bytes_to_backend_total"]
        for _ in range(20):
            await c.send(" \n")
        last = "<message to='amy@localhost/raw' type='chat' id='x'><body>ok</body></message>\n<r xmlns='urn:xmpp:sm:3'/>"
        await c.send(last)
        acknowledged = await c.until("<a ")
        assert re.search(r"<a [^>]*h=['\"]1['\"]", acknowledged), acknowledged
        assert g.metrics()["chatgate_bytes_to_backend_total"] - before == 20 * 2 + len(last), "they go on to the server"
        await c.close()
        g.stop()
    run(go())


def test_messages(folder, server):
    """One-to-one: pass, block, rewrite, warn, an encrypted body; the customer is connected to the server directly."""
    async def go():
        g = gateway(folder, server.c2s)
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus, \
                Client("amy", "secret-a", g.port, tls=False) as amy:
            amy.say("cus@localhost", "您好 <&> \"'", "m1")
            m = await cus.next()
            assert (m["id"], m["body"], m["from"].full) == ("m1", "您好 <&> \"'", "amy@localhost/r1")
            cus.say("amy@localhost", "我要投诉你们", "c1")
            assert (await amy.next())["body"] == "我要投诉你们"

            amy.say("cus@localhost", "加我微信", "m2")
            e = await amy.next_failed()
            assert (e["id"], e["from"], e["to"].full) == ("m2", "cus@localhost", "amy@localhost/r1")
            assert e["error"]["type"] == "modify" and e["error"]["text"] == "请在平台内沟通。"
            assert e.xml.find("{jabber:client}error/{urn:ietf:params:xml:ns:xmpp-stanzas}policy-violation") is not None
            blocked = e.xml.find("{jabber:client}error/{urn:chatgate:0}blocked")
            assert blocked.get("rule") == "e2e.contact"

            amy.say("cus@localhost/r1", "这是最好的<面料>&最好的价格", "m3")
            m = await cus.next()
            assert (m["id"], m["body"]) == ("m3", "这是很好的<面料>&很好的价格")

            amy.say("cus@localhost", "大概吧", "m4")
            assert (await cus.next())["id"] == "m4"
            notice = await amy.next()
            assert notice["from"].full == "localhost" and notice["body"] == "请给出明确的答复。"

            m = amy.make_message(mto="cus@localhost", mbody="[OMEMO]", mtype="chat")
            m["id"] = "m5"
            m.append(ET.fromstring("<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/>"
                                   "<payload>AAAA</payload></encrypted>"))
            m.send()
            e = await amy.next_failed()
            assert e["id"] == "m5" and "加密" in e["error"]["text"]

            amy.say("cus@localhost", "最后一句", "m6")
            assert (await cus.next())["id"] == "m6", "nothing refused may come through, nothing may be lost"
        m = g.metrics()
        assert m["chatgate_messages_blocked_total"] == 2 and m["chatgate_messages_rewritten_total"] == 1
        assert m["chatgate_messages_warned_total"] == 1 and m["chatgate_messages_passed_total"] == 2
        assert m["chatgate_messages_incoming_total"] == 1 and m["chatgate_cases_opened_by_rule_total"] == 1
        text = g.text()
        for word in ("微信", "面料", "secret-a", "投诉"):
            assert word not in text, "chat text or a password in the log"
        g.stop()
    run(go())


def test_bytes_that_are_not_edited_pass_untouched(folder, server):
    """Odd but legal spelling, on a raw socket: what the server gets is told by what it echoes to the same account."""
    async def go():
        g = gateway(folder, server.c2s)
        c = await Raw.login(g.port, "amy", "secret-a")
        body = "<body\n  xml:lang = 'zh'  >&#x4f60;&#22909;<![CDATA[ <最好的> & ]]>A&amp;B &apos;最&#x597D;的</body>"
        await c.send("\n <message  to=\"amy@localhost/raw\" id='x1' type=\"chat\"\t>" + body + "</message >\n")
        m = await c.until("x1")
        assert ET.fromstring(m).findtext("{jabber:client}body") == "你好 <很好的> & A&B '很好的"
        await c.send("<message to='amy@localhost/raw' id='x2' type='chat'><body>ok</body></message>")
        await c.until("x2")
        await c.close()
        g.stop()
    run(go())


def test_no_customer_ends_an_agents_stream(folder, server):
    """What servers pass on from anybody, and is more than the gateway keeps of an element."""
    async def go():
        g = gateway(folder, server.c2s)
        amy = await Raw.login(g.port, "amy", "secret-a")
        cus = await Raw.login(server.c2s, "cus", "secret-c")
        attributes = " ".join(f"b{i}='1'" for i in range(4100))
        for i, what in enumerate(("<a xmlns='urn:x'>" + "<b>" * 70 + "</b>" * 70 + "</a>", f"<a xmlns='urn:x' {attributes}/>",
                                  "<a xmlns='urn:x'>" + "<b/>" * 3000 + "</a>", f"<a xmlns='urn:{'x' * 5000}'>b</a>")):
            await cus.send(f"<message to='amy@localhost/raw' type='chat' id='c{i}'>{what}<body>end-{i}</body></message>")
            await cus.send(" " * 50000)  # the server's expat does not look at a long tag again until as much has come behind it
            await amy.until(f"end-{i}")
        await amy.send("<message to='cus@localhost/raw' type='chat' id='y'><body>end-y</body></message>")
        await cus.until("end-y")
        await amy.close()
        await cus.close()
        g.stop()
    run(go())


def test_what_is_no_legal_stream_is_ended(folder, server, certificates):
    async def go():
        g = gateway(folder, server.c2s)
        for bad, condition in ((b"<!-- x -->", "restricted-xml"), (b"<?php x?>", "restricted-xml"),
                               (b"<message><body>&x;</body></message>", "restricted-xml"),
                               (b"<message><body></message>", "not-well-formed"), (b"text<a/>", "not-well-formed"),
                               (b"<message><body>" + b"x" * 300000 + b"</body></message>", "policy-violation"),
                               (b"<a>" * 80, "policy-violation")):
            c = await Raw.login(g.port, "amy", "secret-a")
            await c.send_bytes(bad)
            rest = await c.rest()
            assert f"<{condition} " in rest and rest.endswith("</stream:stream>"), (bad[:40], rest)
        c = Raw()
        c.text = ""
        c.reader, c.writer = await asyncio.open_connection("127.0.0.1", g.port)
        await c.send(Raw.header.replace("?>", " encoding='GBK'?>", 1))
        assert "<unsupported-encoding " in await c.rest()
        c = await Raw.login(g.port, "amy", "secret-a")
        await c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        await c.until("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        await c.close()
        assert g.metrics()["chatgate_protocol_errors_total"] >= 7
        g.stop()
        g = gateway(folder / "tls", server.c2s, certificates)
        c = await Raw.open(g.port)
        assert "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>" in c.features
        await c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><auth xmlns='x'/>")
        assert "proceed" not in await c.rest(), "what is pipelined in the clear must never be taken for TLS's"
        c = await Raw.open(g.port)
        await c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>")
        assert "policy-violation" in await c.rest()
        g.stop()
    run(go())


@pytest.mark.parametrize("way", ["starttls", "direct"])
def test_tls_towards_the_server(folder, certificates, way):
    """Its certificate is verified; a login binds to no channel, since the client's TLS ends here."""
    async def go():
        p = Prosody(folder / "server", ACCOUNTS, certificates)
        profiles = folder / "profiles"
        profiles.mkdir()
        text = (SOURCE / "conf" / "profiles" / "xmpp.yaml").read_text()
        assert "upstream_tls: direct" in text
        (profiles / "xmpp.yaml").write_text(text.replace("upstream_tls: direct", f"upstream_tls: {way}"))
        port = p.c2s if way == "starttls" else p.tls_c2s
        tls = f"    tls: {{enabled: true, ca: {certificates / 'ca.pem'}, server_name: localhost}}"
        g = gateway(folder, port, certificates, profiles_dir=profiles,
                    upstream_extra=tls)
        async with Client("cus", "secret-c", g.port, ca=certificates / "ca.pem") as cus, \
                Client("amy", "secret-a", g.port, ca=certificates / "ca.pem", direct=True) as amy:
            amy.say("cus@localhost", "您好", "m1")
            assert (await cus.next())["body"] == "您好"
            amy.say("cus@localhost", "加我微信", "m2")
            assert (await amy.next_failed())["id"] == "m2"
        assert "TLS" in p.text() or "encrypted" in p.text()
        g.stop()
        g = gateway(folder / "wrong", port, profiles_dir=profiles,
                    upstream_extra="    tls: {enabled: true, server_name: localhost}")  # signed by nobody known
        c = Raw()
        c.reader, c.writer = await dial(g.port)
        c.text = ""
        await c.send(Raw.header)
        assert "<remote-connection-failed" in await c.rest()
        g.wait_line("certificate: ")
        g.stop()
        p.stop()
    run(go())


def test_status_vcard_and_published_items(folder, server):
    async def go():
        g = gateway(folder, server.c2s)
        async with Client("amy", "secret-a", g.port, tls=False) as amy, \
                Client("amy", "secret-a", server.c2s, tls=False, resource="r2") as other:
            for text, want in (("在线", "在线"), ("加我微信", ""), ("最好的", "很好的")):
                other.presences.clear()
                amy.send_presence(pstatus=text, pshow="dnd")
                seen = await until("the status", lambda: [
                    p for p in other.presences if p["from"].full == "amy@localhost/r1" and p["show"] == "dnd"])
                assert seen[-1]["status"] == want
        c = await Raw.login(g.port, "amy", "secret-a")
        for mid, note in (("v1", "加我微信"), ("v2", "客服")):
            await c.send(f"<iq type='set' id='{mid}'><vCard xmlns='vcard-temp'><NOTE>{note}</NOTE></vCard></iq>")
        for mid, nick in (("n1", "加我微信"), ("n2", "小王")):
            await c.send(f"<iq type='set' id='{mid}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish "
                         "node='http://jabber.org/protocol/nick'><item><nick xmlns='http://jabber.org/protocol/nick'>"
                         f"{nick}</nick></item></publish></pubsub></iq>")
        while not all(mid in c.text for mid in ("v1", "v2", "n1", "n2")):
            c.text += (await asyncio.wait_for(c.reader.read(65536), PATIENCE)).decode()
        text = await c.close()
        stanzas = {e.get("id"): e for e in ET.fromstring(Raw.header + text[:text.rindex("</stream")] + "</stream:stream>")
                   if e.get("id")}
        for mid in ("v1", "n1"):
            assert stanzas[mid].get("type") == "error" and "policy-violation" in ET.tostring(stanzas[mid]).decode()
        assert "policy-violation" not in ET.tostring(stanzas["v2"]).decode()
        assert "policy-violation" not in ET.tostring(stanzas["n2"]).decode()
        g.stop()
    run(go())
