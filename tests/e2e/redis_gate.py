"""A door between one gateway and Redis that can be shut at a chosen command: the moment at which a test kills the
gateway is then known exactly."""

import asyncio
import contextlib
import hashlib

from gateway import SOURCE

LUA = SOURCE / "src" / "track" / "lua"


class RedisGate:
    """`shut("remind_raise", "command")`: that script's next call does not reach Redis, nothing behind it either;
    `shut(…, "answer")`: it does, but no answer comes back any more. `is_shut` is set when it happened."""

    def __init__(self, redis, path):
        self.redis, self.socket = redis, path
        self.at, self.what = None, None
        self.is_shut = asyncio.Event()
        self.scripts = {f.stem: f.read_bytes() for f in LUA.glob("*.lua")}
        self.sha = {}

    async def __aenter__(self):
        self.server = await asyncio.start_unix_server(self.serve, str(self.socket))
        return self

    async def __aexit__(self, *exc):
        self.server.close()

    def shut(self, script, what):
        self.at, self.what = script, what

    def look(self, argv):
        """True: this command must not go on."""
        if argv[0].upper() == b"SCRIPT" and argv[1].upper() == b"LOAD":
            for name, text in self.scripts.items():
                if argv[2].endswith(text):
                    self.sha[hashlib.sha1(argv[2]).hexdigest().encode()] = name
        if argv[0].upper() == b"EVALSHA" and self.sha.get(argv[1]) == self.at and not self.is_shut.is_set():
            self.is_shut.set()
            return self.what == "command"
        return False

    async def command(self, reader):
        """One command: its bytes and its words."""
        raw = await reader.readuntil(b"\r\n")
        argv = []
        for _ in range(int(raw[1:])):
            head = await reader.readuntil(b"\r\n")
            body = await reader.readexactly(int(head[1:]) + 2)
            raw += head + body
            argv.append(body[:-2])
        return raw, argv

    async def up(self, reader, writer):
        while True:
            raw, argv = await self.command(reader)
            if self.is_shut.is_set() or self.look(argv):
                await asyncio.sleep(3600)
            writer.write(raw)
            await writer.drain()

    async def down(self, reader, writer):
        while data := await reader.read(65536):
            if self.is_shut.is_set():
                await asyncio.sleep(3600)
            writer.write(data)
            await writer.drain()

    async def serve(self, reader, writer):
        r, w = await asyncio.open_unix_connection(str(self.redis.socket))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            both = [asyncio.ensure_future(self.up(reader, w)), asyncio.ensure_future(self.down(r, writer))]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
                    await task
        w.close()
        writer.close()
