"""What Debian's servers do not do: a scripted server behind the gateway. SASL2 with Bind 2, features that would blind the
gateway, elements longer than the bound, bytes one at a time, a server that is gone."""

import asyncio
import re
import ssl

import pytest

from gateway import PATIENCE, SOURCE, Gateway, dial, free_port, run
from xmpp_client import Raw

RULES = SOURCE / "tests" / "e2e" / "rules"
HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' " \
         "id='s1' from='localhost' version='1.0'>"
FEATURES = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" \
           "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>" \
           "<authentication xmlns='urn:xmpp:sasl:2'><mechanism>PLAIN</mechanism><inline><bind xmlns='urn:xmpp:bind:0'/>" \
           "<sm xmlns='urn:xmpp:sm:3'/></inline></authentication></stream:features>"
SUCCESS = "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>amy@localhost/r9</authorization-identifier></success>" \
          "<stream:features><sm xmlns='urn:xmpp:sm:3'/></stream:features>"
AUTH = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>AGFteQBzZWNyZXQ=</initial-response>" \
       "<bind xmlns='urn:xmpp:bind:0'>{}</bind></authenticate>"
BAD = "<message to='cus@localhost' type='chat' id='{}'><body>加我微信</body></message>"


class Stub:
    """Takes one stream at a time; the test writes for the server."""

    async def __aenter__(self):
        self.streams = asyncio.Queue()
        self.server = await asyncio.start_server(self.on_stream, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc):
        self.server.close()
        await self.server.wait_closed()

    async def on_stream(self, reader, writer):
        first = await reader.read(65536)
        if first:  # else a health check
            self.streams.put_nowait((reader, writer, first.decode()))

    async def take(self):
        self.reader, self.writer, self.got = await asyncio.wait_for(self.streams.get(), PATIENCE)

    async def until(self, what):
        while what not in self.got:
            data = await asyncio.wait_for(self.reader.read(65536), PATIENCE)
            assert data, f"ended before {what}: {self.got}"
            self.got += data.decode()

    def say(self, text):
        self.writer.write(text.encode())

    async def say_slowly(self, text):
        for b in text.encode():
            self.writer.write(bytes([b]))
            await self.writer.drain()
            await asyncio.sleep(0)


async def login(g, stub, inline="", success=SUCCESS):
    c = Raw()
    c.reader, c.writer = await dial(g.port)
    c.text = ""
    await c.send(Raw.header)
    await stub.take()
    await stub.until("version='1.0'")
    await stub.say_slowly(HEADER + FEATURES)
    c.features = await c.until("</stream:features>")
    await c.send(AUTH.format(inline))
    await stub.until("</authenticate>")
    await stub.say_slowly(success)
    c.success = await c.until("</stream:features>")
    return c


def test_sasl2_and_features(folder):
    async def go():
        async with Stub() as stub:
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES)
            c = await login(g, stub)
            assert "starttls" not in c.features and "compress" not in c.features
            assert c.features.endswith(FEATURES[FEATURES.index("<authentication"):]), "mechanisms are never edited"
            await c.send("<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>")
            await c.until("<failure xmlns='http://jabber.org/protocol/compress'>")
            await c.send(BAD.format("b1"))
            got = await c.until("id='b1'")
            assert "to='amy@localhost/r9'" in got and "policy-violation" in got
            await c.send("<presence/>")
            await stub.until("<presence/>")
            assert "b1" not in stub.got and "cgb" not in stub.got and "compress" not in stub.got
            # with Bind 2 stream management may begin inside the login
            c.cut()
            c = await login(g, stub, "<enable xmlns='urn:xmpp:sm:3'/>")
            await c.send(BAD.format("b2"))
            await stub.until("<ping xmlns='urn:xmpp:ping'/></iq>")
            c.cut()
            await asyncio.to_thread(g.wait_line, r"session_end .* agent=amy@localhost ")
            g.stop()
    run(go())


def test_a_long_element_and_a_refusal_meanwhile(folder):
    async def go():
        async with Stub() as stub:
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES)
            c = await login(g, stub)
            long = "<iq type='result' id='big'><x>" + "0123456789<y z='>'/>" * 30000 + "</x></iq>"
            stub.say(long[:400000])
            c.text = await c.until("0123456789") + c.text
            await c.send(BAD.format("b1") + "<presence/>")
            await stub.until("<presence/>")  # the refusal was made, in the middle of the server's element
            stub.say(long[400000:] + "<message from='cus@localhost/x' type='chat' id='c1'><body>在吗</body></message>")
            while "c1" not in c.text:
                c.text += (await asyncio.wait_for(c.reader.read(1 << 20), PATIENCE)).decode()
            assert long in c.text, "the refusal stands behind the long element, not in it"
            assert "id='b1'" in c.text and c.text.index("id='b1'") > c.text.index("</x></iq>")
            assert g.metrics()["chatgate_messages_incoming_total"] == 1
            c.cut()
            g.stop()
    run(go())


SM = "urn:xmpp:sm:3"
WARNED = "<message to='{}@x' type='chat' id='{}'><body>大概吧</body></message>"


def test_notices_inside_sasl2_and_beside_a_long_element(folder):
    """Bind 2 switches stream management on and resumes inside the login; an element that passes in parts is counted at its
    end, and takes no notice in."""
    async def go():
        async with Stub() as stub:
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES)
            enabled = f"<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='{SM}' id='&lt;7' location='[::1]:9' resume='true'/></bound>"
            c = await login(g, stub, f"<enable xmlns='{SM}' resume='true'/>", SUCCESS.replace("</success>", enabled + "</success>"))
            assert "location" not in c.success
            sm_id = re.search(rf"<enabled xmlns='{SM}' id='(cgsm-[0-9a-f]{{16}}-&lt;7)' resume='true'/>", c.success).group(1)
            await c.send(WARNED.format("c1", "w1"))
            await c.until("id='cgn-")                                                            # 1
            long = "<iq type='result' id='big'><x>" + "0123456789<y/>" * 30000 + "</x></iq>"
            stub.say(long[:300000])
            while "0123456789" not in c.text:
                c.text += (await asyncio.wait_for(c.reader.read(1 << 20), PATIENCE)).decode()
            await c.send(WARNED.format("c2", "w2") + f"<r xmlns='{SM}'/>")
            await stub.until("id='w2'")
            await stub.until("<r ")
            assert g.metrics()["chatgate_notices_unshown_total"] == 1
            stub.say(long[300000:] + f"<nonza xmlns='u'>{'x' * 300000}</nonza><presence from='c1@x'/>")
            while "<presence from='c1@x'/>" not in c.text:
                c.text += (await asyncio.wait_for(c.reader.read(1 << 20), PATIENCE)).decode()
            assert long in c.text and "cgn-" not in c.text                                       # 2, 3
            await c.send(WARNED.format("c3", "w3"))
            await c.until("id='cgn-")                                                            # 4
            await c.send(f"<a xmlns='{SM}' h='3'/>")
            await stub.until(f"<a xmlns='{SM}' h='2'/>")
            c.cut()
            back = f"<resumed xmlns='{SM}' previd='&lt;7' h='3'/>"
            c = await login(g, stub, f"<enable xmlns='{SM}' resume='true'/></bind><resume xmlns='{SM}' h='4' previd='{sm_id}'/><bind>",
                            SUCCESS.replace("</success>", back + "</success>"))
            assert f"<resume xmlns='{SM}' h='2' previd='&lt;7'/>" in stub.got
            assert f"<resumed xmlns='{SM}' previd='{sm_id}' h='3'/>" in c.success
            stub.say("<presence from='c2@x'/>")
            await c.until("<presence from='c2@x'/>")                                             # 5
            await c.send(f"<a xmlns='{SM}' h='5'/>")
            await stub.until(f"<a xmlns='{SM}' h='3'/>")
            await c.send(WARNED.format("c4", "w4"))
            await c.until("id='cgn-")  # what was asked for beside the resumption is settled
            c.cut()
            # a login with an id of another gateway's, or of nobody's
            c = await login(g, stub, f"<resume xmlns='{SM}' h='4' previd='cgsm-0123456789abcdef-x'/>")
            assert "cgsm-" not in stub.got and re.search(r"h='4' previd='[0-9a-f]{32}'/>", stub.got)
            c.cut()
            c = await login(g, stub, f"<resume xmlns='{SM}' h='4' previd='own'/>")
            assert f"<resume xmlns='{SM}' h='4' previd='own'/>" in stub.got
            c.cut()
            g.stop()
    run(go())


def test_refusals_as_messages(folder):
    """refusals: message — for clients that show no errors; with and without stream management, in rooms as well."""
    async def go():
        profiles = folder / "profiles"
        profiles.mkdir()
        text = (SOURCE / "conf" / "profiles" / "xmpp.yaml").read_text()
        (profiles / "xmpp.yaml").write_text(text.replace("refusals: error", "refusals: message"))
        async with Stub() as stub:
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES, profiles_dir=profiles)
            c = await login(g, stub)
            await c.send(BAD.format("b1"))
            got = await c.until("请在平台内沟通。</body>")
            assert "type='chat'" in got and "from='cus@localhost'" in got and "<error" not in got
            assert "<blocked xmlns='urn:chatgate:0' rule='e2e.contact' id='b1'/>" in got and " id='b1'>" not in got
            await c.send(f"<enable xmlns='{SM}'/>" + BAD.format("b2").replace("'chat'", "'groupchat'"))
            await stub.until("<ping xmlns='urn:xmpp:ping'/></iq>")
            token = re.search(r"id='(cgb-[^']+)'", stub.got).group(1)
            stub.say(f"<iq type='result' id='{token}'/>")
            got = await c.until("请在平台内沟通。</body>")
            assert "type='groupchat'" in got and "id='b2'/>" in got
            c.cut()
            g.stop()
    run(go())


@pytest.mark.parametrize("what", ["<message><!-- x --></message>", "<message></iq>", "&x;"])
def test_a_server_that_breaks_xml_is_left(folder, what):
    async def go():
        async with Stub() as stub:
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES)
            c = await login(g, stub)
            stub.say("<presence from='a@b'/>" + what)
            assert "<presence from='a@b'/>" in await c.rest()
            g.wait_line(" bad_xml ")
            g.stop()
    run(go())


def heavy(ns_bytes):
    """A message whose start tag makes the XML parser copy a namespace for each of thousands of attributes."""
    attrs = "".join(f" p:a{i:x}=''" for i in range(4000))
    return f"<message to='cus@localhost' xmlns:p='{'u' * ns_bytes}'{attrs}><body>h</body></message>"


def test_more_names_than_the_parser_may_hold(folder):
    async def go():
        async with Stub() as stub:
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES)
            c = await login(g, stub)
            stub.say(heavy(1000) + "<presence from='behind@it'/>")
            assert heavy(1000) in await c.until("<presence from='behind@it'/>")
            await c.send(heavy(1000))
            assert "<policy-violation " in await c.rest()
            g.wait_line("bad_xml .* from=client .* parser_bytes=2097152")
            g.stop()
    run(go())


def test_no_server(folder):
    async def go():
        g = Gateway(folder, free_port(), profile="xmpp", rules=RULES)
        c = Raw()
        c.reader, c.writer = await dial(g.port)
        c.text = ""
        await c.send(Raw.header)
        text = await c.rest()
        assert "<remote-connection-failed " in text and text.endswith("</stream:stream>")
        g.stop()
    run(go())


def starttls_profile(folder):
    profiles = folder / "profiles"
    profiles.mkdir()
    text = (SOURCE / "conf" / "profiles" / "xmpp.yaml").read_text()
    assert "upstream_tls: direct" in text
    (profiles / "xmpp.yaml").write_text(text.replace("upstream_tls: direct", "upstream_tls: starttls"))
    return profiles


async def refused_login(g):
    c = Raw()
    c.reader, c.writer = await dial(g.port)
    c.text = ""
    await c.send(Raw.header)
    return c


@pytest.mark.parametrize("answer, why", [
    ("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><stream:features/>", "in the clear behind"),
    ("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "refused STARTTLS"),
    ("<proceed xmlns='urn:other'/>", "refused STARTTLS"), (None, "does not offer STARTTLS")])
def test_starttls_towards_a_false_server(folder, certificates, answer, why):
    """Nothing of what comes in the clear counts for the stream inside TLS, and nothing goes on without TLS."""
    async def go():
        async with Stub() as stub:
            tls = f"    tls: {{enabled: true, ca: {certificates / 'ca.pem'}, server_name: localhost}}"
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES, profiles_dir=starttls_profile(folder), upstream_extra=tls)
            c = await refused_login(g)
            await stub.take()
            stub.say(HEADER + (FEATURES if answer else "<stream:features/>"))
            if answer:
                await stub.until("<starttls")
                stub.say(answer)
            assert "<remote-connection-failed " in await c.rest()
            await asyncio.to_thread(g.wait_line, why)
            assert "<auth" not in stub.got
            g.stop()
    run(go())


def test_alpn_towards_the_server(folder, certificates):
    """Direct TLS (XEP-0368): xmpp-client is offered, SNI names the server; a server without ALPN will do."""
    async def go():
        for protocols in (["xmpp-client"], None):
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
            if protocols:
                context.set_alpn_protocols(protocols)
            seen = asyncio.Queue()
            names = []
            context.sni_callback = lambda sock, name, ctx: names.append(name)

            async def serve(reader, writer):
                if await reader.read(4096):
                    seen.put_nowait(writer.get_extra_info("ssl_object").selected_alpn_protocol())
                writer.close()
            server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
            tls = f"    tls: {{enabled: true, ca: {certificates / 'ca.pem'}, server_name: localhost}}"
            g = Gateway(folder / str(bool(protocols)), server.sockets[0].getsockname()[1], profile="xmpp", rules=RULES,
                        upstream_extra=tls)
            c = await refused_login(g)
            assert await asyncio.wait_for(seen.get(), PATIENCE) == (protocols[0] if protocols else None)
            assert "localhost" in names
            await c.rest()
            g.stop()
            server.close()
    run(go())


def test_drain(folder):
    """With stream management the connection is cut, so that the client resumes elsewhere; else the stream is ended."""
    async def go():
        async with Stub() as stub:
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES, extra="timeouts: {drain: 1s}")
            plain = await login(g, stub)
            counted = await login(g, stub, "<enable xmlns='urn:xmpp:sm:3'/>")
            rest = asyncio.gather(plain.rest(), counted.rest())
            await asyncio.to_thread(g.stop)
            ended, cut = await rest
            assert "<system-shutdown " in ended and ended.endswith("</stream:stream>")
            assert "</stream:stream>" not in cut
    run(go())


def test_drain_during_a_handshake(folder, certificates):
    async def go():
        tls = f"    tls: {{certificate: {certificates / 'server.pem'}, key: {certificates / 'server.key'}}}"
        g = Gateway(folder, free_port(), profile="xmpp", rules=RULES, listener_extra=tls, extra="timeouts: {drain: 1s}")
        c = await Raw.open(g.port)
        await c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        await c.until("<proceed")
        silent = await dial(g.port)
        await asyncio.to_thread(g.stop)
        assert await c.rest() == "", "nothing in the clear where TLS was to begin"
        silent[1].close()
    run(go())


def test_rate_limit(folder):
    """A flood is slowed down, not lost."""
    async def go():
        async with Stub() as stub:
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES, limits="  messages_per_s: 5")
            c = await login(g, stub)
            begun = asyncio.get_running_loop().time()
            await c.send("".join(f"<message to='c@x' id='f{i:02}'><body>{i}</body></message>" for i in range(20)))
            await stub.until("f19")
            assert asyncio.get_running_loop().time() - begun > 1.5
            assert [stub.got.count(f"id='f{i:02}'") for i in range(20)] == [1] * 20
            assert g.metrics()["chatgate_throttled_total"] >= 2
            c.cut()
            g.stop()
    run(go())


@pytest.mark.parametrize("secure", [False, True])
def test_behind_a_balancer_and_over_a_reload(folder, certificates, secure):
    """A PROXY header before the stream or before TLS; a session goes on while everything is loaded anew."""
    async def go():
        async with Stub() as stub:
            extra = "    proxy_protocol_from: [127.0.0.0/8]\n"
            if secure:
                extra += f"    tls: {{certificate: {certificates / 'server.pem'}, key: {certificates / 'server.key'}}}"
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES, listener_extra=extra)
            c = Raw()
            c.reader, c.writer = await dial(g.port)
            c.text = ""
            await c.send("PROXY TCP4 192.0.2.7 192.0.2.1 4000 5222\r\n")
            if secure:
                context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
                context.set_alpn_protocols(["xmpp-client"])
                await c.writer.start_tls(context, server_hostname="localhost")
                assert c.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "xmpp-client"
            await c.send(Raw.header)
            await stub.take()
            stub.say(HEADER + FEATURES)
            await c.until("</stream:features>")
            await c.send(AUTH.format(""))
            await stub.until("</authenticate>")
            stub.say(SUCCESS)
            await c.until("</stream:features>")
            assert (await asyncio.to_thread(g.ask, "reload"))["ok"]
            await c.send(BAD.format("b1"))
            assert "policy-violation" in await c.until("id='b1'")
            c.cut()
            await asyncio.to_thread(g.wait_line, r"session_end .* peer=192.0.2.7 .* agent=amy@localhost ")
            g.stop()
    run(go())


def test_the_network_breaks_bytes_anywhere(folder):
    """Byte by byte through the real sockets, in both directions, with a refusal and a repair among it."""
    async def go():
        async with Stub() as stub:
            g = Gateway(folder, stub.port, profile="xmpp", rules=RULES)
            c = await login(g, stub)
            text = "<message to='c@x' id='1'><body>最好的 &amp; <![CDATA[<最好的>]]></body></message> \n" + BAD.format("2") + \
                   "<iq type='get' id='3'><ping xmlns='urn:xmpp:ping'/></iq>"
            for b in text.encode():
                await c.send_bytes(bytes([b]))
                await asyncio.sleep(0)
            await stub.until("urn:xmpp:ping'/></iq>")
            assert stub.got.endswith("<message to='c@x' id='1'><body>很好的 &amp; <![CDATA[<]]>很好的<![CDATA[>]]></body>"
                                     "</message> \n<iq type='get' id='3'><ping xmlns='urn:xmpp:ping'/></iq>"), stub.got
            assert "policy-violation" in await c.until("id='2'")
            c.cut()
            g.stop()
    run(go())
