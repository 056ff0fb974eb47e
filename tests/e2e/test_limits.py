"""What runs out: descriptors, connections, time of day. Nobody is dropped for it, and everything is given back."""

import asyncio
import contextlib
import json
import random
import resource
import socket
import struct
import subprocess

from gateway import BUILD, PATIENCE, Agent, Backend, Gateway, Process, free_port, run, until, wait_for
from raw import RawBackend, answer, connect, descriptors, frame, rest, rss_kib, switch, text, upgraded

PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def limited(folder, port, descriptors_max, **kw):
    """The gateway with a small descriptor limit, set for it alone."""
    program = folder / "limited"
    program.write_text(f'#!/bin/sh\nulimit -n {descriptors_max}\nexec "{BUILD / "src" / "chatgated"}" "$@"\n')
    program.chmod(0o755)
    return Gateway(folder / "gate", port, rules=[], program=program, **kw)


async def pages(b, reader, writer):
    while True:
        await b.head(reader)
        writer.write(PAGE)


def test_descriptors_run_out_and_nobody_is_dropped(folder):
    """60 agents come to a gateway with descriptors for far fewer: those inside work on, the others wait and get in later."""
    async def go():
        async with Backend() as b:
            g = limited(folder, b.port, 100)
            inside, waiting = [], []

            async def come(i):
                async with Agent(g.url, f"a{i}", open_timeout=2 * PATIENCE) as a:
                    inside.append(a)
                    await a.send("c", "hello", str(i))
                    await a.until("ack", 2 * PATIENCE)
                    await leave.wait()
                inside.remove(a)

            leave = asyncio.Event()
            waiting = [asyncio.create_task(come(i)) for i in range(60)]
            await asyncio.to_thread(g.wait_line, "accept_paused")
            await until("all who got in are at work", lambda: g.metrics()["chatgate_sessions"] == len(inside) > 5)
            n = len(inside)
            assert n < 50
            for a in list(inside):  # those inside are not disturbed
                await a.send("c", "still here", f"{a.name}-again")
                await a.until("ack")
            assert descriptors(g.pid) < 100
            assert g.ask("status")["ok"] and g.metrics()["chatgate_sessions"] == n
            leave.set()
            await asyncio.gather(*waiting)
            assert len({m["id"] for _, m in b.messages}) == 60 + n
            assert "backend_failed" not in g.text()
            g.stop()
    run(go())


def test_a_flood_on_one_connection_leaves_the_quiet_ones_alone(folder):
    """One worker; one agent always has 1,000 messages under way, twenty others write now and then: what is looked for is
    that nobody starves, not how fast it is."""
    bench, port = BUILD / "bench" / "chatgate-bench", free_port()
    echo = Process([bench, "echo", "--listen", f"127.0.0.1:{port}"], folder / "echo.log")
    g = Gateway(folder, port, workers=1, limits="  messages_per_s: 0\n  bytes_per_s: 0")
    flood = Process([bench, "load", "--target", f"g={g.url}", "--conns", 1, "--closed", 1000, "--secs", 600, "--rounds", 1],
                    folder / "flood.log")
    wait_for("the flood is there", lambda: g.metrics()["chatgate_messages_passed_total"] > 2000)
    quiet = [bench, "load", "--target", f"g={g.url}", "--conns", "20", "--rate", "100", "--secs", "3", "--rounds", "1",
             "--first-agent", "100", "--json", folder / "quiet.json"]
    subprocess.run(quiet, check=True, capture_output=True)
    before = g.metrics()["chatgate_messages_passed_total"]
    wait_for("it is still there", lambda: g.metrics()["chatgate_messages_passed_total"] > before + 200)
    told = json.loads((folder / "quiet.json").read_text())["targets"][0]["rounds"][0]
    assert told["answered"] == 300 and told["lost"] == 0
    assert told["p99_us"] < 20e6, told  # one that has to wait for the flood's end does so for minutes
    for process in (flood, g, echo):
        process.stop()


def test_the_limit_of_connections_is_counted(folder):
    async def go():
        async with RawBackend(pages) as b:
            g = Gateway(folder, b.port, rules=[])
            g.stop()
            g.write_config(g.config.read_text().replace("connections: 5000", "connections: 3"))
            g.start()
            kept = []
            for _ in range(3):
                reader, writer = await connect(g.port)
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await answer(reader))[0] == 200
                kept.append(writer)
            reader, writer = await connect(g.port)
            assert await rest(reader) == b""
            assert g.metrics()["chatgate_sessions_refused_total"] == 1
            kept[0].close()
            await asyncio.to_thread(wait_for, "the place", lambda: g.metrics()["chatgate_sessions"] < 3)
            reader, writer = await connect(g.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await answer(reader))[0] == 200
            g.stop()
    run(go())


def test_5000_half_open_connections_end_by_themselves(folder):
    """They say nothing or half of something; agents come through meanwhile, and all are gone after the handshake time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(5000, hard - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def go():
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=[], extra="timeouts: {handshake: 8s}")
            g.write_config(g.config.read_text().replace("connections: 5000", "connections: 6000"))
            assert g.ask("reload")["ok"]
            idle = descriptors(g.pid)
            half = []
            for i in range(count):
                s = socket.create_connection(("127.0.0.1", g.port), timeout=PATIENCE)
                if i % 3:
                    s.send(b"GET / HTTP/1.1\r\nHo"[:i % 17 + 1])
                half.append(s)
            async with Agent(g.url, "amy") as a:
                await a.send("c", "hello", "1")
                assert (await a.until("ack"))["ref"] == "1"
            await asyncio.to_thread(wait_for, "all are gone", lambda: g.metrics()["chatgate_sessions"] == 0)
            await until("descriptors are back", lambda: descriptors(g.pid) <= idle + 2)
            for s in half:
                s.close()
            g.stop()
    run(go())


def test_2000_sessions_of_every_end_leave_nothing_behind(folder):
    async def go():
        async def serve(b, reader, writer):
            head = await b.head(reader)
            if b"websocket" not in head:
                writer.write(PAGE if b"/half" not in head else PAGE[:30])
                if b"/half" not in head:
                    await pages(b, reader, writer)
                return
            writer.write(switch(head))
            if rng.random() < 0.3:
                half = frame(1, b"y" * 500, mask=b"")[:100] if rng.random() < 0.5 else b""
                writer.write(frame(1, b'{"type":"x"}', mask=b"") + half)
                return
            await reader.read(200)
            if rng.random() < 0.5:
                writer.transport.abort()

        async def visit(i):
            kind = i % 8
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, AssertionError, TimeoutError):
                reader, writer = await (upgraded(g.port) if kind < 4 else connect(g.port))
                if kind == 0:
                    writer.write(frame(8, struct.pack("!H", 1000)))
                    await rest(reader)
                elif kind == 1:
                    writer.write(text({"type": "message", "conversationId": "c", "id": str(i), "text": "加我微信"})[:-3])
                    writer.transport.abort()
                elif kind == 2:
                    writer.write(b"\xff" * 10)
                    await rest(reader)
                elif kind == 3:
                    writer.write(frame(1, b"x" * 3000, fin=False))
                elif kind == 4:
                    writer.write(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
                    await rest(reader)
                elif kind == 5:
                    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
                    await answer(reader)
                elif kind == 6:
                    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
                    writer.write_eof()
                writer.close()

        rng = random.Random(3)

        async def visits(first, n):
            for at in range(first, first + n, 40):
                await asyncio.gather(*(visit(i) for i in range(at, at + 40)))
            await asyncio.to_thread(wait_for, "all have ended", lambda: g.metrics()["chatgate_sessions"] == 0)

        async with RawBackend(serve) as b:
            g = Gateway(folder, b.port, rules=[], extra="timeouts: {request: 2s, idle: 2s, websocket_idle: 3s}")
            await visits(0, 400)
            await asyncio.sleep(1)
            fds, rss = descriptors(g.pid), rss_kib(g.pid)
            await visits(400, 2000)
            await asyncio.to_thread(wait_for, "descriptors are back", lambda: descriptors(g.pid) <= fds + 1)
            plain = b"asan" not in subprocess.run(["ldd", BUILD / "src" / "chatgated"], capture_output=True).stdout
            if plain:  # the address sanitizer keeps freed memory
                assert rss_kib(g.pid) - rss < 1500
            held = "chatgate_upstream_sessions" + '{upstream="im",server="127.0.0.1:%d"}' % b.port
            await until("no slot is held", lambda: g.metrics()[held] == 0)
            g.stop()
    run(go())


def test_reload_while_sessions_are_in_every_state(folder):
    """Forty reloads that change the upstream each time, while requests, sockets and connects are under way."""
    async def go():
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=[], extra="timeouts: {handshake: 120s, request: 120s}")
            config = g.config.read_text()
            over = asyncio.Event()

            async def agent(i):
                n = 0
                async with Agent(g.url, f"a{i}") as a:
                    while not over.is_set():
                        n += 1
                        await a.send("c", "x", f"{i}-{n}")
                        assert (await a.until("ack"))["ref"] == f"{i}-{n}"

            async def visitor():
                while not over.is_set():
                    reader, writer = await connect(g.port)
                    writer.write(b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
                    assert [(await answer(reader))[0] for _ in range(2)] == [200, 200]
                    writer.close()

            tasks = [asyncio.create_task(agent(i)) for i in range(8)] + [asyncio.create_task(visitor()) for _ in range(4)]
            await asyncio.sleep(0.3)
            half, half_writer = await connect(g.port)
            half_writer.write(b"GET /late HTTP/1.1\r\nHo")
            for k in range(40):
                g.write_config(config.replace("upstreams:\n  - name: im\n", "upstreams:\n  - name: im\n"
                                              f"    health: {{interval: {k + 1}s}}\n"))  # another one each time
                assert (await asyncio.to_thread(g.ask, "reload"))["ok"]
            half_writer.write(b"st: a\r\n\r\n")
            assert (await answer(half))[0] == 200
            over.set()
            await asyncio.gather(*tasks)
            g.stop()
    run(go())
