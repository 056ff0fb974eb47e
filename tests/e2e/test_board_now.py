"""The Now page in Chromium, on a live Redis that a real gateway fills."""

import asyncio
import http.client
import time

import pytest
from board_rig import Board, Client, Page, free_of_surprises, in_thread
from gateway import PATIENCE, Agent, Backend, Gateway, Redis, wait_for

DIRECTORY = """
agents:
  - {id: ann, team: red, shop: s1}
  - {id: bob, team: blue, shop: s2}
"""


# The colors that a customer's row has had, seen by the page itself: who polls it from outside may miss one.
COLORS_SEEN = """window.colors = []; const look = () => { for (const e of document.querySelectorAll("li.wait"))
    for (const c of e.classList) if (c.startsWith("is-") && colors.at(-1) !== c.slice(3)) colors.push(c.slice(3)); };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true}); look();"""


@pytest.fixture
def rig(folder):
    redis = Redis(folder / "redis")
    board = Board(folder / "board", redis.socket, extra="waiting: {amber: 5s, red: 10s}\n")
    yield folder, redis, board
    board.stop()
    redis.stop()


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
                    page.js(COLORS_SEEN)
                    await im.say("ann", "cust-7", "在吗？", "m1")
                    said = time.monotonic()
                    await in_thread(page.wait, 'li.wait[data-key$="cust-7"]')
                    await in_thread(page.wait, "li.wait.is-red")
                    assert page.js("return colors") == ["green", "amber", "red"]  # so it was there in less than five seconds
                    assert page.text('[data-tile="longest"] .value').startswith("0:")
                    await ann.send("cust-7", "加我微信 abc12345 转账", "x1")  # refused: the customer still waits
                    await in_thread(page.wait_text, '[data-tile="blocked"] .value', "^1$")
                    assert page.find("li.wait.is-red")
                    await ann.send("cust-7", "在的，请问有什么可以帮您？", "x2")
                    await in_thread(wait_for, "nobody waits", lambda: not page.find("li.wait"))
                    share = "100" if time.monotonic() - said < 25 else "(100|0)"
                    await in_thread(page.wait_text, '[data-tile="w30"] .value', f"^{share}\\s?%$")
                    await in_thread(page.wait_text, '[data-tile="online"] .under', "^1 open")
                await in_thread(page.wait_text, '[data-tile="online"] .value', "^0$")
                assert free_of_surprises(page) == []
            finally:
                await in_thread(page.close)
                gate.stop()

    asyncio.run(run())


def test_redis_goes_and_comes_back(rig):
    folder, redis, board = rig
    page = Page(board.url)
    try:
        page.log_in("sue")
        page.wait_text(".banner", "No gateway has written to this Redis yet")
        assert Client(board, "sue").call("GET", "/api/v1/cases")[1]["error"] == "no_gateway"
        redis.client().hset("cg:meta", mapping={"shards": 2, "version": 1})
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

    def calls():
        return db.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]

    def stream():
        c = http.client.HTTPConnection("127.0.0.1", board.port, timeout=PATIENCE)
        c.request("GET", "/api/v1/events", headers=client.headers())
        answer = c.getresponse()
        assert answer.status == 200
        return c, answer

    def calls_per_tick(answer, ticks=3):
        """Counted from tick to tick, so that a slow machine asks as often for each as a fast one."""
        def tick():
            while answer.readline() != b"event: tick\n":
                pass
        tick()
        before = calls()
        for _ in range(ticks):
            tick()
        return (calls() - before) / ticks

    def is_quiet():
        before, at = calls(), time.monotonic()
        wait_for("time goes by", lambda: time.monotonic() - at > 1.5)
        return calls() == before

    pages = [stream()]
    one = calls_per_tick(pages[0][1])
    pages += [stream() for _ in range(9)]
    ten = calls_per_tick(pages[0][1])
    assert 4 <= one <= 10, one  # 4 shards: 4 calls for who waits, and their share of the slower questions
    assert ten <= one * 1.5 + 1, (one, ten)
    for c, answer in pages:
        answer.close()
        c.close()
    wait_for("nobody looks, nothing is read", is_quiet)
