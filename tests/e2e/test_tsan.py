"""The daemon built with the thread sanitizer under everything that several threads touch at once: rings and pump, swapped
rules, the node table, messages that wait for approval, counters that are read while they are written, the operator's mode,
drain."""

import asyncio
import contextlib
import json
import shutil
import signal

import websockets

from gateway import BUILD, PATIENCE, SOURCE, Agent, Backend, Gateway, Redis, run, until
from raw import rest, upgraded
from test_hold import OFFER, PACK

PROGRAM = BUILD / "tsan" / "src" / "chatgated"
TEXTS = ["您好，请问有什么可以帮您", "加我微信 wx12345", "这是最好的产品", "可能大概明天发货", "稍等", "好评返现五元", OFFER]


def test_no_data_race(folder, monkeypatch):
    monkeypatch.setenv("TSAN_OPTIONS", f"suppressions={SOURCE / 'tests' / 'e2e' / 'tsan.supp'}")

    async def go():
        redis = Redis(folder / "redis")
        rules = folder / "rules"
        # Of each kind of rule some, not all: with this sanitizer the whole set takes ten seconds of a processor to load, and
        # it is loaded seven times.
        rules.mkdir()
        shutil.copytree(SOURCE / "rules" / "lists", rules / "lists")
        for pack in "off_platform", "extreme", "review_inducement", "commitment":
            shutil.copy(SOURCE / "rules" / f"{pack}.yaml", rules)
        shutil.copy(SOURCE / "tests" / "e2e" / "rules" / "e2e_in.yaml", rules)
        (rules / "hold.yaml").write_text(PACK)
        over = asyncio.Event()

        async def customer_answers(agent, ws, m):
            if int(m["id"].split("-")[1]) % 3 == 0:
                await b.say(agent, m["conversationId"], "我要投诉，什么时候发货？", "in" + m["id"])

        async def agent(i):
            n = 0
            while not over.is_set():
                with contextlib.suppress(websockets.ConnectionClosed, websockets.InvalidHandshake, OSError,
                                         asyncio.IncompleteReadError):
                    # one agent on several workers: the node table is shared
                    async with Agent(g.url, f"agent{i % 3}", open_timeout=2 * PATIENCE) as a:
                        reader = asyncio.create_task(swallow(a.ws))
                        for _ in range(25):
                            n += 1
                            await a.send(f"c{n % 4}", TEXTS[n % len(TEXTS)], f"{i}-{n}")
                            await asyncio.sleep(0.01)
                        reader.cancel()

        async def swallow(ws):
            with contextlib.suppress(websockets.ConnectionClosed):
                async for _ in ws:
                    pass

        def decide():
            """Those that wait are sent or refused in turn."""
            def cli(*args):
                return g.cli("held", *args, "--config", g.config, check=False)
            for k, row in enumerate(json.loads(cli("list", "--json").stdout)[:4]):
                cli("refuse" if k % 4 == 3 else "approve", row["id"], "--reason", "so")

        async def operator():
            for k in range(6):
                await asyncio.to_thread(decide)
                for command in ("mode observe", "reload", "mode bypass", "status", "mode enforce"):
                    assert (await asyncio.to_thread(g.ask, command))["ok"], command
                await asyncio.to_thread(g.metrics)
                await asyncio.sleep(0.2)

        async def rude():
            while not over.is_set():
                with contextlib.suppress(OSError, asyncio.IncompleteReadError, AssertionError):
                    reader, writer = await upgraded(g.port)
                    writer.write(b"\xff\xff\xff")
                    await rest(reader)
                await asyncio.sleep(0.05)

        async with Backend() as b:
            b.on_message = customer_answers
            g = Gateway(folder / "gate", b.port, redis=redis, rules=[rules], workers=3, program=PROGRAM,
                        extra="timeouts: {drain: 2s}", redis_extra="  keep: 1s")
            tasks = [asyncio.create_task(agent(i)) for i in range(6)] + [asyncio.create_task(rude())]
            await operator()
            await until("they have got something done", lambda: len(b.messages) > 50)
            while not any(m["text"] == OFFER for _, m in b.messages):
                await asyncio.to_thread(decide)
            over.set()
            await asyncio.to_thread(g.stop, signal.SIGTERM, 2 * PATIENCE)  # with all of them at work
            await asyncio.gather(*tasks, return_exceptions=True)
            assert "ThreadSanitizer" not in g.text(), g.text()[g.text().index("ThreadSanitizer") - 100:][:6000]
        redis.stop()
    run(go())
