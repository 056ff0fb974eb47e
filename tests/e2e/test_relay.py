"""The gateway as a transparent proxy: HTTP, WebSocket frames, limits, failures of either side."""

import asyncio
import json
import os
import random
import re
import socket
import struct

import pytest
import websockets

from gateway import PATIENCE, Agent, Backend, Gateway, free_port, run, until


def gateway(folder, backend_port, **kw):
    return Gateway(folder, backend_port, rules=[], **kw)


def http(port, raw):
    """Sends raw bytes, reads until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as s:
        s.sendall(raw)
        data = b""
        while got := s.recv(65536):
            data += got
        return data


def test_pages_and_keep_alive(folder):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port)
            reader, writer = await asyncio.open_connection("127.0.0.1", g.port)
            for i in range(3):
                writer.write(f"GET /page/{i}?q=%41 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
                assert f"X-Path: /page/{i}?q=%41".encode() in head
                length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
                assert await reader.readexactly(length) == f"page /page/{i}?q=%41".encode()
            writer.close()
            path, headers = b.requests[0]
            assert headers["X-Forwarded-For"] == "127.0.0.1"
            g.stop()
    run(go())


@pytest.mark.parametrize("raw,status", [
    (b"GET / HTTP/1.1\r\n\r\n", b"400"),
    (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
    (b"GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", b"403"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70000 + b"\r\n\r\n", b"431"),
    (b"GET / HTTP/9.1\r\nHost: a\r\n\r\n", b"505"),
], ids=["no host", "length and chunked", "dot segments", "h2c", "huge head", "version"])
def test_bad_requests_are_refused(folder, raw, status):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port)
            answer = await asyncio.to_thread(http, g.port, raw)
            assert answer.split(b" ")[1] == status, answer[:200]
            assert not b.requests
            g.stop()
    run(go())


def test_backend_absent_is_502_and_recovers(folder):
    async def go():
        b = Backend(free_port())
        g = gateway(folder, b.port)
        answer = await asyncio.to_thread(http, g.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b" 502 " in answer.split(b"\r\n")[0]
        async with b, Agent(g.url, "amy") as a:
            await a.send("c1", "hello", "1")
            assert (await a.until("ack"))["ref"] == "1"
        g.stop()
    run(go())


def test_second_server_takes_over(folder):
    async def go():
        async with Backend() as b:
            g = gateway(folder, 0, servers=[f"127.0.0.1:{free_port()}", f"127.0.0.1:{b.port}"])
            for i in range(4):
                async with Agent(g.url, f"a{i}") as a:
                    await a.send("c", "x", str(i))
                    await a.until("ack")
            assert len(b.messages) == 4
            g.stop()
    run(go())


def test_frames_pass_byte_for_byte(folder):
    """Fragments, interleaved pings, pongs, binary and empty messages, and a close code reach the other side as sent."""
    async def go():
        seen = []

        async def serve(ws):
            try:
                async for m in ws:
                    seen.append(m)
                    await ws.send(m)
            except websockets.ConnectionClosed:
                pass
            seen.append(("close", ws.close_code, ws.close_reason))

        server = await websockets.serve(serve, "127.0.0.1", 0, compression=None, max_size=2**22, ping_interval=None)
        g = gateway(folder, server.sockets[0].getsockname()[1], extra="policy: {bad_json: pass, binary: pass}")
        async with websockets.connect(g.url, ping_interval=None, max_size=2**22, open_timeout=PATIENCE) as ws:
            await ws.send(["frag", "men", "ted 片段"])
            assert await ws.recv() == "fragmented 片段"
            await (await ws.ping(b"12345"))
            for size in (0, 1, 125, 126, 65535, 65536, 200000):
                text = "x" * size
                await ws.send(text)
                assert await ws.recv() == text
            await ws.send(b"\x00\xff" * 10)
            assert await ws.recv() == b"\x00\xff" * 10
            await ws.close(4321, "why not")
        await until("the close frame", lambda: seen[-1][0] == "close")
        assert seen[-1] == ("close", 4321, "why not")
        server.close()
        await server.wait_closed()
        g.stop()
    run(go())


def handshake(port):
    s = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    s.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
              b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        head += s.recv(1)
    assert b" 101 " in head and b"xtensions" not in head, head
    return s


def frame(opcode, payload, fin=True, mask=b"\1\2\3\4", rsv=0):
    n = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv | opcode])
    bit = 0x80 if mask else 0
    head += bytes([bit | n]) if n < 126 else struct.pack("!BH", bit | 126, n) if n < 65536 else \
        struct.pack("!BQ", bit | 127, n)
    return head + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(payload)) if mask else head + payload


def close_code(s):
    data = b""
    try:
        while True:
            got = s.recv(4096)
            if not got:
                break
            data += got
    except TimeoutError:
        pass
    i = data.rfind(b"\x88")
    return struct.unpack("!H", data[i + 2:i + 4])[0] if i >= 0 else None


PROTOCOL_ERRORS = [
    ("unmasked", frame(1, b"hi", mask=b""), 1002),
    ("rsv1", frame(1, b"hi", rsv=0x40), 1002),
    ("bad opcode", frame(3, b"hi"), 1002),
    ("continuation first", frame(0, b"hi"), 1002),
    ("text inside fragments", frame(1, b"a", fin=False) + frame(1, b"b"), 1002),
    ("long ping", frame(9, b"x" * 126), 1002),
    ("bad utf-8", frame(1, b"\xff\xfe"), 1007),
    ("bad utf-8 over fragments", frame(1, b"\xe4\xb8", fin=False) + frame(0, b"x"), 1007),
    ("too big", frame(1, b"x" * 300000), 1009),
    ("close code 1005", frame(8, struct.pack("!H", 1005)), 1002),
]


@pytest.mark.parametrize("name,data,code", PROTOCOL_ERRORS, ids=[row[0] for row in PROTOCOL_ERRORS])
def test_protocol_errors_close_with_their_code(folder, name, data, code):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port)
            s = await asyncio.to_thread(handshake, g.port)
            s.sendall(data)
            assert await asyncio.to_thread(close_code, s) == code, name
            assert not b.raw
            g.stop()
    run(go())


def test_every_split_of_frames(folder):
    """One stream of messages cut at random places arrives the same."""
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port)
            s = await asyncio.to_thread(handshake, g.port)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            want = []
            stream = frame(1, json.dumps({"type": "auth", "token": "amy"}).encode())
            for i in range(60):
                text = json.dumps({"type": "message", "conversationId": "c", "id": str(i), "text": "字" * (i * 7)},
                                  ensure_ascii=False).encode()
                want.append(i)
                mask = os.urandom(4)
                if i % 3 == 0:
                    k = len(text) // 2
                    stream += frame(1, text[:k], fin=False, mask=mask) + frame(9, b"p") + frame(0, text[k:], mask=mask)
                else:
                    stream += frame(1, text, mask=mask)
            rng = random.Random(7)
            at = 0
            while at < len(stream):
                n = rng.choice([1, 1, 2, 3, 7, 50, 400])
                s.sendall(stream[at:at + n])
                at += n
                await asyncio.sleep(0)
            await until("all messages", lambda: len(b.messages) == 60)
            assert [int(m["id"]) for _, m in b.messages] == want
            assert all(m["text"] == "字" * (int(m["id"]) * 7) for _, m in b.messages)
            s.close()
            g.stop()
    run(go())


def test_backend_gone_closes_cleanly(folder):
    async def go():
        b = await Backend().__aenter__()
        g = gateway(folder, b.port)
        a = await Agent(g.url, "amy").__aenter__()
        for ws in list(b.agents.values()):
            ws.transport.abort()
        with pytest.raises(websockets.ConnectionClosed):
            await a.recv()
        assert a.ws.close_code == 1013
        await b.__aexit__()
        g.stop()
    run(go())


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


@pytest.mark.parametrize("slow", ["backend", "client"])
def test_slow_reader_keeps_memory_flat(folder, slow):
    """The fast side is held back; memory stays far below what it tries to send."""
    async def go():
        total = 40 * 1024 * 1024
        text = "y" * 60000
        release = asyncio.Event()

        async def serve(ws):
            if slow == "backend":
                await release.wait()
                async for _ in ws:
                    pass
            else:
                with_suppress = asyncio.create_task(flood(ws))
                await release.wait()
                with_suppress.cancel()

        async def flood(ws):
            for _ in range(total // len(text)):
                await ws.send(text)

        server = await websockets.serve(serve, "127.0.0.1", 0, compression=None, max_queue=1, read_limit=4096,
                                        ping_interval=None)
        g = gateway(folder, server.sockets[0].getsockname()[1], extra="policy: {bad_json: pass}")
        ws = await websockets.connect(g.url, compression=None, max_queue=1, read_limit=4096, ping_interval=None,
                                      open_timeout=PATIENCE)
        await asyncio.sleep(0.3)
        before = rss_kib(g.pid)
        sender = asyncio.create_task(flood(ws)) if slow == "backend" else None
        await asyncio.sleep(3)
        grown = rss_kib(g.pid) - before
        assert grown < 12 * 1024, f"grew by {grown} KiB"
        release.set()
        if sender:
            sender.cancel()
        ws.transport.abort()
        server.close()
        await server.wait_closed()
        g.stop()
    run(go())


def test_limits_per_address_give_slots_back(folder):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port, limits="  connections_per_address: 3")
            agents = [await Agent(g.url, f"a{i}").__aenter__() for i in range(3)]
            with pytest.raises((websockets.InvalidHandshake, websockets.ConnectionClosed, OSError, EOFError)):
                await websockets.connect(g.url, open_timeout=PATIENCE)
            await agents[0].ws.close()
            await until("the slot", lambda: g.ask("status")["status"]["sessions"] < 3)
            async with Agent(g.url, "late"):
                pass
            for a in agents[1:]:
                await a.ws.close()
            g.stop()
    run(go())


def test_rate_limit_slows_down_and_loses_nothing(folder):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port, limits="  messages_per_s: 20")
            async with Agent(g.url, "amy") as a:
                for i in range(50):
                    await a.send("c", "x", str(i))
                for _ in range(50):
                    await a.until("ack")
                assert [m["id"] for _, m in b.messages] == [str(i) for i in range(50)]
            assert g.metrics()["chatgate_throttled_total"] >= 1
            g.stop()
    run(go())


def test_sigterm_drains_with_going_away(folder):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port, extra="timeouts: {drain: 1s}")
            agents = [await Agent(g.url, f"a{i}").__aenter__() for i in range(5)]
            stopped = asyncio.create_task(asyncio.to_thread(g.stop))
            for a in agents:
                with pytest.raises(websockets.ConnectionClosed):
                    await a.recv()
                assert a.ws.close_code == 1001
            assert await stopped == 0
    run(go())
