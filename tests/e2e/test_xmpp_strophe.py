"""libstrophe, the library of many clients in C, through the gateway to Prosody and ejabberd: STARTTLS, refusals, notices,
and its own resumption after cuts in the middle of refused messages."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import PATIENCE, SOURCE, Gateway, Process, run, until
from xmpp_client import Client
from xmpp_servers import Ejabberd, Prosody

RULES = SOURCE / "tests" / "e2e" / "rules"
ACCOUNTS = {"amy": "secret-a", "cus": "secret-c", **{f"w{i}": "secret-w" for i in range(20)}}


@pytest.fixture(params=[Prosody, Ejabberd], ids=["prosody", "ejabberd"])
def server(folder, request):
    s = request.param(folder / "server", ACCOUNTS)
    yield s
    s.stop()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    out = tmp_path_factory.mktemp("strophe") / "strophe_client"
    source = Path(__file__).parent / "clients" / "strophe_client.c"
    subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", out, source, "-lstrophe"], check=True)
    return out


class Strophe:
    @classmethod
    async def start(cls, program, port, ca):
        c = cls()
        c.proc = await asyncio.create_subprocess_exec(program, str(port), "amy@localhost/strophe", "secret-a", str(ca),
                                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr)
        c.seen = []
        return c

    def do(self, line):
        self.proc.stdin.write(line.encode() + b"\n")

    async def wait(self, *words):
        """The first line that begins with these words and was not awaited before."""
        while True:
            for line in self.seen:
                if line[:len(words)] == list(words):
                    self.seen.remove(line)
                    return line
            try:
                line = (await asyncio.wait_for(self.proc.stdout.readline(), PATIENCE)).decode().split()
            except asyncio.TimeoutError:
                raise AssertionError(f"{words} did not come, only {self.seen}") from None
            assert line, f"the client ended, after {self.seen}"
            self.seen.append(line)


class Wire:
    """What stands between client and gateway, so that a test can cut it."""

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.writers = []
        return self

    async def __aexit__(self, *exc):
        self.cut()
        self.server.close()

    async def pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()

    async def serve(self, reader, writer):
        there, out = await asyncio.open_connection("127.0.0.1", self.to)
        self.writers += [writer, out]
        await asyncio.gather(self.pump(reader, out), self.pump(there, writer))

    def cut(self):
        for w in self.writers:
            w.transport.abort()
        self.writers.clear()


def blocked(g):
    return g.metrics()["chatgate_messages_blocked_total"]


def test_refusals_notices_and_resumption(folder, server, certificates, program):
    async def go():
        tls = f"    tls: {{certificate: {certificates / 'server.pem'}, key: {certificates / 'server.key'}}}"
        g = Gateway(folder, server.c2s, profile="xmpp", rules=RULES, listener_extra=tls)
        async with Wire() as wire, Client("cus", "secret-c", server.c2s, tls=False) as cus:
            wire.to = g.port
            c = await Strophe.start(program, wire.port, certificates / "ca.pem")
            Process.started.append(Ended(c.proc))
            assert (await c.wait("ready"))[1] == "secured"
            want, resumed = [], 0
            for turn in range(5):
                for i, body in enumerate(("您好", "加我微信", "最好的", "加我微信")):
                    c.do(f"send cus@localhost/r1 t{turn}-{i} {body}")
                want += [(f"t{turn}-0", "您好"), (f"t{turn}-2", "很好的")]
                c.do(f"send w{turn}@localhost n{turn} 大概吧")
                for i in (1, 3):
                    line = await c.wait("rejected", "cus@localhost/r1", f"t{turn}-{i}")
                    assert line[3] == "请在平台内沟通。"
                assert (await c.wait("message", "localhost"))[3] == "请给出明确的答复。"
                cus.say("amy@localhost/strophe", f"第{turn}", f"c{turn}")
                await c.wait("message", "cus@localhost/r1", f"c{turn}")
                server.proc.send_signal(signal.SIGSTOP)  # so that the refusal is not there before the cut
                try:
                    c.do(f"send cus@localhost/r1 x{turn} 加我微信")
                    while blocked(g) < 3 * (turn + 1):
                        await asyncio.sleep(0.02)
                    wire.cut()
                    await c.wait("ended")
                finally:
                    server.proc.send_signal(signal.SIGCONT)
                await c.wait("ready")
                resumed += 1
                await c.wait("rejected", "cus@localhost/r1", f"x{turn}")
            got = [await cus.next() for _ in want]
            assert [(m["id"], m["body"]) for m in got] == want and cus.messages.empty()
            c.do("stop")
            await c.wait("ended", "0")
            await asyncio.wait_for(c.proc.wait(), PATIENCE)
            pattern = "resuming existing session" if isinstance(server, Prosody) else "Resumed session for"
            await until("the server has written it down", lambda: server.text().count(pattern) >= 5)
            assert resumed == server.text().count(pattern) == 5, "each time by resumption, not by a new login"
            assert c.seen == [], "nothing came twice, nothing failed"
        m = g.metrics()
        assert m["chatgate_notices_total"] == 5 and m["chatgate_xmpp_foreign_resumptions_total"] == 0
        g.stop()
    run(go())


class Ended:
    """A process of asyncio for conftest.py, which ends what a failed test left behind."""

    def __init__(self, proc):
        self.proc = proc

    def poll(self):
        return self.proc.returncode

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.proc.pid, signal.SIGKILL)

    def wait(self):
        pass
