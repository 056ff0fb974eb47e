"""The Now page in Chromium, on a live Redis that a real gateway fills."""

import asyncio
import time

import pytest
from board_rig import Board, Client, Page, free_of_surprises
from gateway import Agent, Backend, Gateway, Redis, wait_for

DIRECTORY = """
agents:
  - {id: ann, team: red, shop: s1}
  - {id: bob, team: blue, shop: s2}
"""


@pytest.fixture
def rig(folder):
    redis = Redis(folder / "redis")
    board = Board(folder / "board", redis.socket, extra="waiting: {amber: 2s, red: 4s}\n")
    yield folder, redis, board
    board.stop()
    redis.stop()


async def in_thread(fn, *args):
    return await asyncio.get_running_loop().run_in_executor(None, fn, *args)


def test_a_customer_waits_green_amber_red_and_is_answered(rig):
    folder, redis, board = rig

    async def run():
        async with Backend() as im:
            gate = Gateway(folder / "gate", im.port, redis=redis)
            page = await in_thread(Page, board.url)
            try:
                async with Agent(gate.url, "ann") as ann:
                    await in_thread(page.log_in, "sue")
                    await in_thread(page.wait_text, '[data-tile="waiting"] .value', "^0$")
                    await in_thread(page.wait_text, '[data-tile="online"] .value', "^1$")
                    await in_thread(page.wait_text, '[data-tile="w30"] .value', "^–$")  # nothing answered: undefined, not 0
                    await im.say("ann", "cust-7", "在吗？", "m1")
                    said = time.monotonic()
                    await in_thread(page.wait, 'li.wait[data-key$="cust-7"]')
                    shown_after = time.monotonic() - said
                    colors = []
                    for color in ("green", "amber", "red"):
                        await in_thread(page.wait, f"li.wait.is-{color}")
                        colors.append(color)
                    assert colors == ["green", "amber", "red"]
                    assert shown_after < 2.5, shown_after  # the pump's turn, one tick, and this browser's polling
                    assert page.text('[data-tile="longest"] .value').startswith("0:0")
                    await ann.send("cust-7", "加我微信 abc12345 转账", "x1")  # refused: the customer still waits
                    await in_thread(page.wait_text, '[data-tile="blocked"] .value', "^1$")
                    assert page.find("li.wait.is-red")
                    await ann.send("cust-7", "在的，请问有什么可以帮您？", "x2")
                    await in_thread(wait_for, "nobody waits", lambda: not page.find("li.wait"))
                    await in_thread(page.wait_text, '[data-tile="w30"] .value', "^100\\s?%$")
                    await in_thread(page.wait_text, '[data-tile="online"] .under', "^1 open")
                await in_thread(page.wait_text, '[data-tile="online"] .value', "^0$")
                assert free_of_surprises(page) == []
            finally:
                await in_thread(page.close)
                gate.stop()

    asyncio.run(run())


def test_redis_goes_and_comes_back(rig):
    folder, redis, board = rig
    redis.client().hset("cg:meta", mapping={"shards": 2, "version": 1})
    page = Page(board.url)
    try:
        page.log_in("sue")
        page.wait_text('[data-tile="waiting"] .value', "^0$")
        redis.stop()
        page.wait_text(".banner", "Redis cannot be reached. What you see is \\d+ s old")
        assert "old" in page.find("main")[0].get_attribute("class")
        assert Client(board, "sue").call("GET", "/api/v1/cases")[0] == 503
        redis.start()
        wait_for("the banner goes", lambda: not page.find(".banner")[0].is_displayed())
        assert page.text('[data-tile="waiting"] .value') == "0"
        assert free_of_surprises(page) == []
    finally:
        page.close()


def test_one_poll_for_all_pages(rig):
    """Ten pages cost Redis as much as one, and none costs nothing."""
    folder, redis, board = rig
    db = redis.client()
    db.hset("cg:meta", mapping={"shards": 4, "version": 1})
    client = Client(board, "vera")
    client.now_until("data", lambda d: True)

    def calls_per_s(seconds=4.0):
        def count():
            return db.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
        start, at = count(), time.monotonic()
        wait_for("time goes by", lambda: time.monotonic() - at > seconds)
        return (count() - start) / (time.monotonic() - at)

    def stream():
        import http.client
        c = http.client.HTTPConnection("127.0.0.1", board.port, timeout=20)
        c.request("GET", "/api/v1/events", headers=client.headers())
        assert c.getresponse().status == 200
        return c

    pages = [stream()]
    one = calls_per_s()
    pages += [stream() for _ in range(9)]
    ten = calls_per_s()
    assert 4 <= one <= 10, one  # 4 shards: 4 calls for who waits, and their share of the slower questions
    assert ten <= one * 1.3, (one, ten)
    for c in pages:
        c.close()
    wait_for("nobody looks, nothing is read", lambda: calls_per_s(1.5) == 0, 40)
