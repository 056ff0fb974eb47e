"""TLS on both sides, PROXY headers, certificate reload, health of several servers."""

import asyncio
import socket
import ssl
import struct
import subprocess

import pytest
import websockets

from gateway import PATIENCE, Agent, Backend, Gateway, free_port, run, until


def tls_listener(d):
    return f"    tls: {{certificate: {d / 'server.pem'}, key: {d / 'server.key'}}}"


def client_context(d):
    c = ssl.create_default_context(cafile=str(d / "ca.pem"))
    return c


def test_agent_side_tls(folder, certificates):
    async def go():
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=[], listener_extra=tls_listener(certificates))
            context = client_context(certificates)
            async with Agent(f"wss://localhost:{g.port}/ws", "amy", ssl=context) as a:
                for i in range(50):
                    await a.send("c", "字" * i * 40, str(i))
                    await a.until("ack")
                await a.send("c", "x" * 60000, "big")
                await a.until("ack")
            assert len(b.messages) == 51
            path, headers = b.requests[0]
            assert headers["X-Forwarded-Proto"] == "https"
            old = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
            old.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
            with pytest.raises((ssl.SSLError, OSError)):
                await websockets.connect(f"wss://localhost:{g.port}/ws", ssl=old)
            h2 = client_context(certificates)
            h2.set_alpn_protocols(["h2"])  # only http/1.1 is spoken
            with pytest.raises((ssl.SSLError, OSError)):
                await websockets.connect(f"wss://localhost:{g.port}/ws", ssl=h2)
            g.stop()
    run(go())


def test_plain_http_on_a_tls_port_and_silence_are_ended(folder, certificates):
    async def go():
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=[], listener_extra=tls_listener(certificates),
                        extra="timeouts: {handshake: 1s}")
            for data in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b""):
                with socket.create_connection(("127.0.0.1", g.port), timeout=PATIENCE) as s:
                    s.sendall(data)

                    def read_all():
                        try:
                            while s.recv(4096):
                                pass
                        except ConnectionResetError:
                            pass
                    await asyncio.to_thread(read_all)
            g.stop()
    run(go())


def test_certificates_are_reloaded_without_drops(folder, certificates):
    async def go():
        async with Backend() as b:
            mine = folder / "tls"
            mine.mkdir()
            for f in ("server.pem", "server.key", "ca.pem"):
                (mine / f).write_bytes((certificates / f).read_bytes())
            g = Gateway(folder, b.port, rules=[], listener_extra=tls_listener(mine))
            async with Agent(f"wss://localhost:{g.port}/ws", "amy", ssl=client_context(certificates)) as a:
                subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                "-nodes", "-days", "2", "-subj", "/CN=second", "-addext", "subjectAltName=DNS:localhost",
                                "-keyout", mine / "server.key", "-out", mine / "server.pem"], check=True,
                               capture_output=True)
                assert g.ask("reload")["ok"]
                await a.send("c", "still here", "1")
                await a.until("ack")
                second = ssl.create_default_context(cafile=str(mine / "server.pem"))
                async with Agent(f"wss://localhost:{g.port}/ws", "bob", ssl=second) as c:
                    await c.send("c", "new", "2")
                    await c.until("ack")
                (mine / "server.key").write_text("nonsense")
                bad = g.ask("reload")
                assert not bad["ok"] and "server.key" in str(bad)
                await a.send("c", "still here", "3")
                await a.until("ack")
            g.stop()
    run(go())


def test_backend_tls_is_verified(folder, certificates):
    async def go():
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        b = Backend()
        server = await websockets.serve(b.serve, "127.0.0.1", 0, compression=None, ssl=server_context)
        port = server.sockets[0].getsockname()[1]
        good = f"    tls: {{enabled: true, ca: {certificates / 'ca.pem'}, server_name: localhost}}"
        g = Gateway(folder / "good", 0, servers=[f"127.0.0.1:{port}"], rules=[], upstream_extra=good)
        async with Agent(g.url, "amy") as a:
            await a.send("c", "y" * 60000, "1")
            await a.until("ack")
        g.stop()
        for name, extra in (("unknown", "    tls: {enabled: true, server_name: localhost}"),
                            ("name", f"    tls: {{enabled: true, ca: {certificates / 'ca.pem'}, server_name: other}}")):
            g = Gateway(folder / name, 0, servers=[f"127.0.0.1:{port}"], rules=[], upstream_extra=extra)
            with pytest.raises(websockets.InvalidStatusCode) as e:
                await websockets.connect(g.url, open_timeout=PATIENCE)
            assert e.value.status_code == 502 and "certificate" in g.text()
            g.stop()
        server.close()
        await server.wait_closed()
    run(go())


def proxy_v2(address, port):
    body = socket.inet_aton(address) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", port, 80)
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11]) + struct.pack("!H", len(body)) + body


@pytest.mark.parametrize("header,seen", [
    (b"PROXY TCP4 192.0.2.7 127.0.0.1 4444 80\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::9 ::1 4444 80\r\n", "2001:db8::9"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (proxy_v2("192.0.2.8", 5), "192.0.2.8"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
], ids=["v1 ipv4", "v1 ipv6", "v1 unknown", "v2 ipv4", "missing"])
def test_proxy_header(folder, header, seen):
    async def go():
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=[], listener_extra="    proxy_protocol_from: [127.0.0.0/8]")
            reader, writer = await asyncio.open_connection("127.0.0.1", g.port)
            data = b""
            try:
                for i in range(0, len(header), 5):  # it may come in pieces
                    writer.write(header[i:i + 5])
                    await writer.drain()
                    await asyncio.sleep(0.002)
                if seen:
                    writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                data = await asyncio.wait_for(reader.read(), PATIENCE)
            except ConnectionResetError:
                assert not seen  # bytes of ours were unread when it closed
            if seen:
                assert data.startswith(b"HTTP/1.1 200"), data
                assert b.requests[0][1]["X-Forwarded-For"] == seen
            else:
                assert data == b"" and not b.requests
            writer.close()
            g.stop()
    run(go())


def test_health_checks_mark_servers(folder):
    async def go():
        b = await Backend(free_port()).__aenter__()
        g = Gateway(folder, b.port, rules=[], upstream_extra="    health: {interval: 200ms, timeout: 5s, fall: 2, rise: 1}")
        up = lambda: g.ask("status")["status"]["upstreams"][0]["up"]
        assert up()
        await b.__aexit__()
        await until("down", lambda: not up())
        assert not g.ask("status")["status"]["ready"]
        async with b:
            await until("up again", up)
            async with Agent(g.url, "amy"):
                pass
        g.stop()
    run(go())
