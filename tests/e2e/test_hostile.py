"""What clients and backends must not be able to do to the gateway, to each other, or to a message."""

import asyncio
import json
import struct

import pytest

from gateway import PATIENCE, Backend, Gateway, run, until
from raw import (RawBackend, UPGRADE, answer, connect, cpu_seconds, frame, read_frame, rest, rss_kib, small_buffers,
                 switch, text, upgraded)


def gateway(folder, port, **kw):
    kw.setdefault("rules", [])
    return Gateway(folder, port, **kw)


PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FAST = "timeouts: {handshake: 1s, request: 1s, idle: 2s, connect: 1s, websocket_idle: 2s}"


async def pages(b, reader, writer):
    while True:
        head = await b.head(reader)
        n = next((int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")), 0)
        await reader.readexactly(n)
        if b"chunked" in head:
            await reader.readuntil(b"0\r\n\r\n")
        writer.write(PAGE)


# --- slow clients end by their deadline ---

async def drip(writer, data, pause=0.2, sent=None):
    """Byte by byte; `sent` grows with each that left."""
    try:
        for i in range(len(data)):
            writer.write(data[i:i + 1])
            await writer.drain()
            if sent is not None:
                sent.append(i)
            await asyncio.sleep(pause)
    except ConnectionError:
        pass


@pytest.mark.parametrize("kind", ["silence", "head", "body", "chunks", "second head"])
def test_slow_loris_ends(folder, kind):
    async def go():
        async with RawBackend(pages) as b:
            g = gateway(folder, b.port, extra=FAST)
            reader, writer = await connect(g.port)
            slow = {
                "silence": b"",
                "head": b"GET / HTTP/1.1\r\nX: " + b"y" * 200,
                "body": b"z" * 200,
                "chunks": b"1\r\nx\r\n" * 50,
                "second head": b"GET / HTTP/1.1\r\nX: " + b"y" * 200,
            }[kind]
            if kind == "body":
                writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n")
            if kind == "chunks":
                writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            if kind == "second head":
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await answer(reader))[0] == 200
            sent = []
            dripper = asyncio.create_task(drip(writer, slow, sent=sent))
            data = await rest(reader)
            assert len(sent) < 40, "8 s and more: each byte is no new deadline"
            assert data == b"" if kind == "silence" else b" 408 " in data.split(b"\r\n")[0], data
            dripper.cancel()
            g.stop()
    run(go())


def test_a_balancer_that_sends_half_a_header_costs_no_time(folder):
    async def go():
        async with RawBackend(pages) as b:
            g = gateway(folder, b.port, listener_extra="    proxy_protocol_from: [127.0.0.0/8]\n",
                        extra="timeouts: {handshake: 3s}")
            reader, writer = await connect(g.port)
            before = cpu_seconds(g.pid)
            writer.write(b"PROXY TCP4 10.1.2.3")
            assert await rest(reader) == b""
            assert cpu_seconds(g.pid) - before < 1
            reader, writer = await connect(g.port)  # and byte by byte it works
            await drip(writer, b"PROXY TCP4 10.1.2.3 10.0.0.1 5 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 0.001)
            assert (await answer(reader))[0] == 200
            assert b"X-Forwarded-For: 10.1.2.3\r\n" in b.heads[-1]
            g.stop()
    run(go())


def test_the_limit_per_address_counts_who_stands_in_the_proxy_header(folder):
    async def go():
        async with RawBackend(pages) as b:
            g = gateway(folder, b.port, listener_extra="    proxy_protocol_from: [127.0.0.0/8]\n",
                        limits="  connections_per_address: 2\n")
            kept = []
            for who in (1, 1, 2, 2, 3):
                reader, writer = await connect(g.port)
                writer.write(b"PROXY TCP4 10.1.2.%d 10.0.0.1 5 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" % who)
                assert (await answer(reader))[0] == 200
                kept.append(writer)
            reader, writer = await connect(g.port)
            writer.write(b"PROXY TCP4 10.1.2.1 10.0.0.1 5 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert await rest(reader) == b""
            g.stop()
    run(go())


# --- HTTP: what belongs to whom ---

def test_pipelined_requests_keep_their_order(folder):
    async def go():
        async def serve(b, reader, writer):
            while True:
                head = await b.head(reader)
                await asyncio.sleep(0.02)
                body = head.split(b" ")[1]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port)
            reader, writer = await connect(g.port)
            writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(20)))
            writer.write(b"GET /.. HTTP/1.1\r\nHost: a\r\n\r\nGET /late HTTP/1.1\r\nHost: a\r\n\r\n")
            writer.write_eof()
            for i in range(20):
                assert (await answer(reader))[2] == b"/%d" % i
            assert (await answer(reader))[0] == 400
            assert await rest(reader) == b""
            assert not any(b"/late" in h for h in b.heads)
            g.stop()
    run(go())


SMUGGLING = {
    "length and chunked": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "space before colon": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "folded": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "bare line feed": b"POST / HTTP/1.1\r\nHost: a\nContent-Length: 0\r\n\r\n",
    "listed length": b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 44\r\n\r\n",
    "chunk extension": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;\n\r\n\r\n",
    "hex length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n",
    "two codings": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling_reaches_nobody(folder, name):
    async def go():
        async with RawBackend(pages) as b:
            g = gateway(folder, b.port)
            reader, writer = await connect(g.port)
            writer.write(SMUGGLING[name] + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            data = await rest(reader)
            assert data.split(b" ")[1] == b"400", data
            assert not any(b"smuggled" in h for h in b.heads)
            g.stop()
    run(go())


@pytest.mark.parametrize("when", ["with it", "behind it"])
def test_an_answer_that_nobody_asked_for_is_not_given_to_the_next_request(folder, when):
    async def go():
        answered, left = asyncio.Event(), asyncio.Event()

        async def serve(b, reader, writer):
            while True:
                head = await b.head(reader)
                poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
                if b"/first" in head:
                    writer.write(PAGE + (poison if when == "with it" else b""))
                    if when == "behind it":
                        await answered.wait()
                        writer.write(poison)
                        assert await reader.read() == b"", "no other request comes over this connection"
                        left.set()
                        return
                else:
                    writer.write(PAGE)

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port)
            reader, writer = await connect(g.port)
            for path in (b"/first", b"/second", b"/third"):
                writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await answer(reader))[2] == b"ok", path
                answered.set()
                if when == "behind it":
                    await asyncio.wait_for(left.wait(), PATIENCE)
            if when == "with it":
                writer.write(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n")
                assert [(await answer(reader))[2] for _ in range(2)] == [b"ok", b"ok"]
            g.stop()
    run(go())


def test_a_used_backend_connection_that_closes_under_a_request_is_no_error(folder):
    """The server ends an idle connection in the very moment in which the next request is sent over it."""
    async def go():
        async def serve(b, reader, writer):
            await b.head(reader)
            writer.write(PAGE)
            await b.head(reader)  # reads the second request and goes away without a word

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port)
            reader, writer = await connect(g.port)
            for _ in range(5):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await answer(reader))[0] == 200
            g.stop()
    run(go())


def test_100_continue_and_a_backend_that_dies_behind_it(folder):
    async def go():
        async def serve(b, reader, writer):
            head = await b.head(reader)
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await reader.readexactly(5)
            if b"/good" in head:
                writer.write(PAGE)
                await asyncio.sleep(5)

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port)
            for path, status in ((b"/good", 200), (b"/dies", 502)):
                reader, writer = await connect(g.port)
                writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
                assert (await answer(reader))[0] == 100
                writer.write(b"12345")
                assert (await answer(reader))[0] == status
            g.stop()
    run(go())


def test_head_has_no_body_even_when_the_gateway_answers(folder):
    async def go():
        async with RawBackend(pages) as b:
            g = gateway(folder, b.port)
            reader, writer = await connect(g.port)
            writer.write(b"HEAD /a/../b HTTP/1.1\r\nHost: a\r\n\r\n")
            data = await rest(reader)
            assert data.startswith(b"HTTP/1.1 400 ") and data.endswith(b"\r\n\r\n"), data
            reader, writer = await connect(g.port)  # HTTP/1.0: the connection ends, whatever was asked for
            writer.write(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            assert (await rest(reader)).endswith(b"\r\n\r\nok")
            g.stop()
    run(go())


def test_the_clients_word_about_forwarding_is_not_passed_on(folder):
    async def go():
        async with RawBackend(pages) as b:
            g = gateway(folder, b.port)
            reader, writer = await connect(g.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
            await answer(reader)
            assert b.heads[0].lower().count(b"x-forwarded-proto") == 1 and b"6.6.6.6" not in b.heads[0]
            assert b"X-Forwarded-Proto: http\r\n" in b.heads[0]
            g.stop()
    run(go())


# --- everything queued arrives ---

@pytest.mark.parametrize("end", ["length", "close", "half closed"])
def test_a_slow_reader_gets_the_whole_answer(folder, end):
    """The backend is done long before the client has read it all; the client takes longer than any linger time."""
    size = 900_000

    async def go():
        async def serve(b, reader, writer):
            await b.head(reader)
            length = b"" if end == "close" else b"Content-Length: %d\r\n" % size
            writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + b"x" * size)
            await writer.drain()

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port, extra="timeouts: {idle: 3s}")
            s = small_buffers(g.port)
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"Connection: close\r\n" if end == "length" else b"") + b"\r\n")
            if end == "half closed":
                s.shutdown(1)
            got = 0

            def read():
                nonlocal got
                data = b""
                while True:
                    piece = s.recv(2048)
                    if not piece:
                        break
                    data += piece
                    import time
                    time.sleep(0.016)
                got = len(data.split(b"\r\n\r\n", 1)[1])
            await asyncio.to_thread(read)
            assert got == size
            s.close()
            g.stop()
    run(go())


def test_messages_before_a_broken_one_are_delivered(folder):
    """Good messages, then bytes that are not UTF-8, in one piece: the good ones arrive, in order, and nothing else."""
    async def go():
        got = []

        async def serve(b, reader, writer):
            writer.write(switch(await b.head(reader)))
            while True:
                got.append(await read_frame(reader))

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port, extra="policy: {no_identity: pass}")
            reader, writer = await upgraded(g.port)
            writer.write(b"".join(text({"type": "message", "conversationId": "c", "id": str(i), "text": "x"})
                                  for i in range(5)) + frame(1, b"\xff\xfe")
                         + text({"type": "message", "conversationId": "c", "id": "late", "text": "x"}))
            data = await rest(reader)
            at = data.rfind(b"\x88")
            assert struct.unpack("!H", data[at + 2:at + 4])[0] == 1007
            await until("the close frame", lambda: got and got[-1][0] == 8)
            assert [json.loads(p)["id"] for op, p in got if op == 1] == list("01234")
            g.stop()
    run(go())


def test_messages_sent_before_the_client_went_away_reach_a_slow_backend(folder):
    async def go():
        go_on = asyncio.Event()
        got = []

        async def serve(b, reader, writer):
            writer.write(switch(await b.head(reader)))
            await go_on.wait()
            while True:
                got.append(await read_frame(reader))

        async with RawBackend(serve) as b:
            b.server.sockets[0].setsockopt(1, 8, 4096)
            g = gateway(folder, b.port, extra="policy: {no_identity: pass}")
            reader, writer = await upgraded(g.port)
            for i in range(30):
                writer.write(text({"type": "message", "conversationId": "c", "id": str(i), "text": "x" * 30000}))
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.5)
            go_on.set()
            await until("all of them", lambda: len(got) == 30)
            assert [json.loads(p)["id"] for op, p in got if op == 1] == [str(i) for i in range(30)]
            g.stop()
    run(go())


# --- memory ---

def test_endless_empty_fragments_are_a_message_too_big(folder):
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port, limits="  message_bytes: 64k")
            reader, writer = await upgraded(g.port)
            writer.write(frame(1, b"a", fin=False))
            try:
                for _ in range(200):
                    writer.write(frame(0, b"", fin=False) * 5000)
                    await writer.drain()
            except ConnectionError:
                pass
            data = await rest(reader)
            at = data.rfind(b"\x88")
            assert at >= 0 and struct.unpack("!H", data[at + 2:at + 4])[0] == 1009
            assert not b.raw
            g.stop()
    run(go())


def test_a_client_that_reads_nothing_and_is_refused_all_the_time_stays_small(folder):
    """Refusals pile up for a client that never reads: it is not read any more, and memory stays flat."""
    async def go():
        async with Backend() as b:
            g = gateway(folder, b.port, limits="  buffer_bytes: 64k\n  message_bytes: 64k",
                        extra="policy: {no_identity: block}")
            s = small_buffers(g.port)
            s.sendall(UPGRADE)
            head = b""
            while b"\r\n\r\n" not in head:
                head += await asyncio.to_thread(s.recv, 1)
            refused = frame(1, b'{"type":"message","conversationId":"c","id":"%s","text":"x"}' % (b"i" * 200))
            before = rss_kib(g.pid)
            s.settimeout(1)

            def send():
                n = 0
                try:
                    while n < 60_000_000:
                        n += s.send(refused * 200)
                except TimeoutError:
                    pass
                return n
            sent = await asyncio.to_thread(send)
            assert sent < 30_000_000, "the gateway went on reading"
            assert rss_kib(g.pid) - before < 24 * 1024  # most of it is the sanitizer keeping freed memory
            assert not b.messages
            s.settimeout(PATIENCE)  # it reads at last: everything is answered, and more can be sent
            s.setblocking(False)
            loop = asyncio.get_running_loop()
            data = b""
            while data.count(b'"ref"') < 200:
                data += await asyncio.wait_for(loop.sock_recv(s, 65536), PATIENCE)
            s.close()
            g.stop()
    run(go())


# --- backends that lie ---

BROKEN_FRAMES = {
    "masked": frame(1, b"hi"),
    "reserved bit": frame(1, b"hi", mask=b"", rsv=0x40),
    "long ping": frame(9, b"x" * 126, mask=b""),
    "continuation first": frame(0, b"x", mask=b""),
    "garbage": b"HTTP/1.1 200 OK\r\n\r\n",
    "length with the highest bit": b"\x81\x7f" + b"\xff" * 8,
}


@pytest.mark.parametrize("name", BROKEN_FRAMES)
def test_broken_frames_of_the_backend_end_the_session(folder, name):
    async def go():
        async def serve(b, reader, writer):
            writer.write(switch(await b.head(reader)))
            writer.write(frame(1, b'"good"', mask=b"") + BROKEN_FRAMES[name])
            await reader.read()

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port)
            reader, writer = await upgraded(g.port)
            assert await read_frame(reader) == (1, b'"good"')
            assert await read_frame(reader) == (8, struct.pack("!H", 1011) + b"the server sent a broken frame")
            assert await rest(reader) == b""
            g.stop()
    run(go())


def test_a_backend_that_dies_inside_a_frame(folder):
    async def go():
        async def serve(b, reader, writer):
            writer.write(switch(await b.head(reader)))
            writer.write(frame(1, b"x" * 50000, mask=b"")[:20000])

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port)
            reader, writer = await upgraded(g.port)
            data = await rest(reader)
            assert len(data) == 20000  # what came, no close frame in the middle of a frame, and the end
            g.stop()
    run(go())


@pytest.mark.parametrize("extra", [b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"Sec-WebSocket-Protocol: mqtt\r\n"],
                         ids=["extension", "subprotocol"])
def test_a_handshake_that_was_not_asked_for_is_refused(folder, extra):
    async def go():
        async def serve(b, reader, writer):
            writer.write(switch(await b.head(reader), extra) + frame(1, b"secret", mask=b""))
            await reader.read()

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port)
            reader, writer = await connect(g.port)
            writer.write(UPGRADE)
            data = await rest(reader)
            assert data.startswith(b"HTTP/1.1 502 ") and b"secret" not in data
            g.stop()
    run(go())


ANSWERS = {
    "not http": b"\x00\x01\x02 hello\r\n\r\n",
    "101 to a page": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30000,
    "folded": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_broken_answers_of_the_backend_are_502(folder, name):
    async def go():
        async def serve(b, reader, writer):
            await b.head(reader)
            writer.write(ANSWERS[name])
            await reader.read()

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port)
            reader, writer = await connect(g.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await answer(reader))[0] == 502
            g.stop()
    run(go())


def test_a_backend_that_never_answers(folder):
    async def go():
        async def serve(b, reader, writer):
            head = await b.head(reader)
            if b"/half" in head:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            await asyncio.sleep(600)

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port, extra=FAST)
            reader, writer = await connect(g.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await answer(reader))[0] == 504
            reader, writer = await connect(g.port)
            writer.write(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await rest(reader)).endswith(b"\r\n\r\nhalf")
            g.stop()
    run(go())


def test_a_backend_that_does_not_close_after_the_close_frames(folder):
    """Both said close; the connection does not stay for the idle time of an hour."""
    async def go():
        async def serve(b, reader, writer):
            writer.write(switch(await b.head(reader)))
            await reader.readexactly(4)
            await asyncio.sleep(600)

        async with RawBackend(serve) as b:
            g = gateway(folder, b.port)
            reader, writer = await upgraded(g.port)
            writer.write(frame(8, struct.pack("!H", 1000)))
            assert b"\x88" in await rest(reader)
            g.stop()
    run(go())
