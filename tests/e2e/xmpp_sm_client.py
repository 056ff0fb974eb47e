"""A strict client of stream management (XEP-0198): it keeps what is not acknowledged, sends it again after a resumption,
and fails when a counter of the server cannot be. (slixmpp 1.8.3 loses count by itself when its connection is cut.)"""

import asyncio
import base64
import re
import xml.etree.ElementTree as ET
from collections import deque

from gateway import PATIENCE
from xmpp_client import Raw

SM = "{urn:xmpp:sm:3}"
CLIENT = "{jabber:client}"
STANZAS = {CLIENT + n for n in ("message", "presence", "iq")}


async def acked(c):
    """What the server has counted, on a raw stream."""
    await c.send("<r xmlns='urn:xmpp:sm:3'/>")
    return int(re.search(r"h=['\"](\d+)", await c.until("<a ")).group(1))


async def with_sm(port):
    """A raw stream of amy's with stream management."""
    c = await Raw.login(port, "amy", "secret-a")
    await c.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    c.sm_id = re.search(r" id=['\"]([^'\"]+)", await c.until("<enabled")).group(1)
    return c


async def resume(port, sm_id, h, answer="<resumed"):
    c = await Raw.login(port, "amy", "secret-a", resource=None)
    await c.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{sm_id}' h='{h}'/>")
    c.answer = await c.until(answer)
    return c


class SmClient:
    def __init__(self, port, user, password, resource="sm"):
        self.port, self.user, self.password, self.resource = port, user, password, resource
        self.unacked = deque()
        self.acked = self.handled = self.resumptions = self.resent = 0
        self.sm_id = None
        self.seen = []          # every stanza that came
        self.reader_task = None

    async def connect(self):
        self.raw = await Raw.open(self.port)
        plain = base64.b64encode(f"\0{self.user}\0{self.password}".encode()).decode()
        await self.raw.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>")
        await self.raw.until("<success")
        await self.raw.send(Raw.header)
        await self.raw.until("</stream:features>")
        self.parser = ET.XMLPullParser(["start", "end"])
        self.parser.feed(Raw.header.replace("<?xml version='1.0'?>", ""))
        self.depth = 0
        self.ready = asyncio.Event()
        self.reader_task = asyncio.ensure_future(self.read())
        if self.sm_id:
            await self.raw.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{self.sm_id}' h='{self.handled}'/>")
        else:
            await self.raw.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>"
                                f"{self.resource}</resource></bind></iq>")
        await asyncio.wait_for(self.ready.wait(), PATIENCE)

    async def read(self):
        self.take(self.raw.text.encode())
        while True:
            try:
                data = await self.raw.reader.read(65536)
            except ConnectionError:
                return
            if not data:
                return
            self.take(data)

    def take(self, data):
        self.parser.feed(data)
        for event, e in self.parser.read_events():
            self.depth += 1 if event == "start" else -1
            if event == "end" and self.depth == 1:
                self.on_element(e)

    def on_element(self, e):
        if e.tag in STANZAS and self.sm_id:
            self.handled += 1
            self.seen.append(e)
        elif e.tag == CLIENT + "iq" and e.get("id") == "b":
            self.write("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        elif e.tag == SM + "enabled":
            self.sm_id = e.get("id")
            self.ready.set()
            self.send("<presence/>")
        elif e.tag == SM + "r":
            self.write(f"<a xmlns='urn:xmpp:sm:3' h='{self.handled}'/>")
        elif e.tag == SM + "a":
            self.on_ack(int(e.get("h")))
        elif e.tag == SM + "resumed":
            self.on_ack(int(e.get("h")))
            self.resumptions += 1
            self.resent += len(self.unacked)
            for text in self.unacked:
                self.write(text)
            self.ready.set()
        else:
            raise AssertionError(ET.tostring(e))

    def on_ack(self, h):
        n = (h - self.acked) % 2**32
        assert n <= len(self.unacked), f"the server has counted {h}, only {self.acked + len(self.unacked)} were sent"
        for _ in range(n):
            self.unacked.popleft()
        self.acked = h

    def write(self, text):
        self.raw.writer.write(text.encode())

    def send(self, text):
        self.unacked.append(text)
        self.write(text)
        if len(self.unacked) % 5 == 0:
            self.write("<r xmlns='urn:xmpp:sm:3'/>")

    async def cut(self):
        self.raw.cut()
        await self.reader_task
        self.raw.text = ""

    async def until(self, probe, seconds=PATIENCE):
        """Polls; an error of the reader is the test's."""
        end = asyncio.get_running_loop().time() + seconds
        while not probe():
            if asyncio.get_running_loop().time() >= end:
                got = {e.get("id") for e in self.seen}
                missing = [f"c{i}" for i in range(1000) if f"c{i}" not in got]
                raise AssertionError(f"only {len(self.seen)} stanzas came in {seconds} s, {self.resumptions} resumptions; of "
                                     f"c0 to c999 not {missing[:20]}")
            if self.reader_task.done():
                self.reader_task.result()
                raise AssertionError("the connection has ended")
            await asyncio.sleep(0.02)

    def messages(self, is_error=False):
        return [e for e in self.seen if e.tag == CLIENT + "message" and (e.get("type") == "error") == is_error]
