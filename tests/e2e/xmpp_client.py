"""A slixmpp client for tests: every stanza that comes is kept, and can be awaited."""

import asyncio
import base64
import ssl

import slixmpp
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from gateway import PATIENCE, dial


class Client(slixmpp.ClientXMPP):
    """Connects to 127.0.0.1:port as user@localhost/resource."""

    def __init__(self, user, password, port, resource="r1", ca=None, direct=False, tls=True, sm=False, plugins=()):
        super().__init__(f"{user}@localhost/{resource}", password)
        self.port, self.direct, self.tls = port, direct, tls
        self.messages = asyncio.Queue()
        self.failed = asyncio.Queue()
        self.presences = []
        self.started = asyncio.Event()
        self.gone = asyncio.Event()
        self.acked = []
        if ca:
            self.ssl_context = ssl.create_default_context(cafile=str(ca))
            self.get_ssl_context = lambda: self.ssl_context
        self["feature_mechanisms"].unencrypted_plain = True
        self["feature_mechanisms"].unencrypted_scram = True
        if not tls:
            self["feature_mechanisms"].encrypted_plain = False
        if sm:
            self.register_plugin("xep_0198")
        for p in plugins:
            self.register_plugin(p)
        self.add_event_handler("session_start", self.on_start)
        self.add_event_handler("session_resumed", lambda _: self.started.set())
        self.add_event_handler("disconnected", lambda _: self.gone.set())
        self.add_event_handler("presence", self.presences.append)
        self.add_event_handler("stanza_acked", self.acked.append)
        self.register_handler(Callback("every message", MatchXPath("{jabber:client}message"), self.on_message))

    def on_message(self, m):
        (self.failed if m["type"] == "error" else self.messages).put_nowait(m)

    async def on_start(self, _):
        self.send_presence()
        self.started.set()

    async def login(self, seconds=PATIENCE):
        self.started.clear()
        self.gone.clear()
        self.connect(("127.0.0.1", self.port), use_ssl=self.direct, force_starttls=self.tls and not self.direct,
                     disable_starttls=not self.tls)
        await asyncio.wait_for(self.started.wait(), seconds)
        return self

    async def __aenter__(self):
        return await self.login()

    async def __aexit__(self, *exc):
        if not self.gone.is_set():
            self.disconnect(wait=1)
            await asyncio.wait_for(self.gone.wait(), PATIENCE)

    def say(self, to, body, mid, kind="chat"):
        m = self.make_message(mto=to, mbody=body, mtype=kind)
        m["id"] = mid
        m.send()

    async def next(self, seconds=PATIENCE):
        return await asyncio.wait_for(self.messages.get(), seconds)

    async def next_failed(self, seconds=PATIENCE):
        return await asyncio.wait_for(self.failed.get(), seconds)


class Raw:
    """A stream on a bare socket, for bytes that no library sends."""

    header = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' " \
             "xmlns:stream='http://etherx.jabber.org/streams'>"

    @classmethod
    async def open(cls, port):
        c = cls()
        c.reader, c.writer = await dial(port)
        c.text = ""
        await c.send(c.header)
        c.features = await c.until("</stream:features>")
        return c

    @classmethod
    async def login(cls, port, user, password, resource="raw"):
        c = await cls.open(port)
        plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        await c.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>")
        await c.until("<success")
        await c.send(c.header)
        c.features = await c.until("</stream:features>")
        if resource:
            await c.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>"
                         f"{resource}</resource></bind></iq><presence/>")
            await c.until("</bind></iq>")
        return c

    async def send(self, text):
        await self.send_bytes(text.encode())

    async def send_bytes(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def until(self, what, seconds=PATIENCE):
        """Reads until `what` was seen; returns the bytes up to the end of the tag or element that holds it."""
        while True:
            at = self.text.find(what)
            end = self.text.find(">", at + len(what) - 1) if at >= 0 else -1
            if end >= 0:
                start = self.text.rfind("<message", 0, at)
                if self.text.find("</message>", start, at) >= 0:
                    start = -1  # it was another one
                if what.startswith("<") or start < 0:
                    got, self.text = self.text[:end + 1], self.text[end + 1:]
                    return got
                close = self.text.find("</message>", at)
                if close >= 0:
                    got, self.text = self.text[start:close + 10], self.text[close + 10:]
                    return got if "xmlns='jabber:client'" in got else \
                        got.replace("<message", "<message xmlns='jabber:client'", 1)
            try:
                data = await asyncio.wait_for(self.reader.read(65536), seconds)
            except asyncio.TimeoutError:
                raise AssertionError(f"not within {seconds} s: {what}, but: {self.text[-2000:]}") from None
            assert data, f"ended before {what}: {self.text[-2000:]}"
            self.text += data.decode()

    async def rest(self, seconds=PATIENCE):
        """Everything until the end of the connection."""
        try:
            data = await asyncio.wait_for(self.reader.read(), seconds)
        except ConnectionResetError:
            data = b""
        self.writer.close()
        return self.text + data.decode()

    async def close(self):
        await self.send("</stream:stream>")
        return await self.rest()

    def cut(self):
        """The connection breaks."""
        self.writer.transport.abort()
