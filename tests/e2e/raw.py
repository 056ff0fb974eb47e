"""Raw sockets for tests that do what well-behaved libraries cannot: half heads, broken frames, backends that lie."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import socket
import struct

from gateway import PATIENCE, dial

UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def frame(opcode, payload=b"", fin=True, mask=b"\1\2\3\4", rsv=0):
    n = len(payload)
    bit = 0x80 if mask else 0
    head = bytes([(0x80 if fin else 0) | rsv | opcode])
    head += bytes([bit | n]) if n < 126 else struct.pack("!BH", bit | 126, n) if n < 65536 else \
        struct.pack("!BQ", bit | 127, n)
    if not mask:
        return head + payload
    return head + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(payload))


def text(payload, **kw):
    """A text frame of an agent."""
    if not isinstance(payload, (bytes, str)):
        payload = json.dumps(payload, ensure_ascii=False)
    return frame(1, payload.encode() if isinstance(payload, str) else payload, **kw)


def accept_of(head):
    key = next(line.split(b":", 1)[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def switch(head, extra=b""):
    """The backend's answer to a handshake."""
    return (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept_of(head) + b"\r\n" + extra + b"\r\n")


class RawBackend:
    """Calls `serve(reader, writer)` for each connection; `heads` keeps what asked for something."""

    def __init__(self, serve):
        self.serve = serve
        self.heads = []
        self.tasks = set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.on_connect, "127.0.0.1", 0, limit=2**24)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc):
        self.server.close()
        for t in list(self.tasks):
            t.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.server.wait_closed()

    async def on_connect(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.serve(self, reader, writer)
        with contextlib.suppress(Exception):
            writer.close()
        self.tasks.discard(task)

    async def head(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        return head


async def connect(port, **kw):
    return await dial(port, limit=2**24, **kw)


async def answer(reader):
    """One HTTP answer with Content-Length: status, head, body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
    return int(head.split(b" ")[1]), head, await reader.readexactly(length)


async def rest(reader, seconds=PATIENCE):
    """Everything until the connection ends (a reset counts as an end)."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while True:
            got = await asyncio.wait_for(reader.read(65536), seconds)
            if not got:
                break
            data += got
    return data


async def upgraded(port):
    """A raw agent connection after the handshake."""
    reader, writer = await connect(port)
    writer.write(UPGRADE)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    assert b" 101 " in head, head
    return reader, writer


async def read_frame(reader):
    """One frame of the gateway: opcode and payload."""
    b = await reader.readexactly(2)
    n = b[1] & 127
    if n == 126:
        n = struct.unpack("!H", await reader.readexactly(2))[0]
    elif n == 127:
        n = struct.unpack("!Q", await reader.readexactly(8))[0]
    mask = await reader.readexactly(4) if b[1] & 128 else None
    payload = await reader.readexactly(n)
    if mask:
        payload = bytes(c ^ mask[i % 4] for i, c in enumerate(payload))
    return b[0] & 15, payload


def small_buffers(port, receive=4096):
    """A connected socket that takes little before its peer notices."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(PATIENCE)
    s.connect(("127.0.0.1", port))
    return s


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
