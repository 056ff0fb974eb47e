"""The Held messages page in Chromium: a message that a rule holds is approved and reaches the backend, or is refused and the
agent is told why."""

import asyncio
import json
import os
import re

import pytest
from board_rig import Client, Page, free_of_surprises, in_thread, two_shops
from gateway import PATIENCE, Agent, Backend, Gateway, wait_for
from test_board_api import check

RULES = """pack: approval
direction: outgoing
rules:
  - id: approval.discount
    title: 折扣需要批准
    action: hold
    words: [五折优惠]
    notice: 该消息需要主管批准。
    examples: {hit: [五折优惠], miss: [你好]}
"""


@pytest.fixture
def rig(folder):
    with two_shops(folder, RULES) as rig:
        yield rig


def held(client, n):
    return wait_for(f"{n} held", lambda: (lambda d: d["held"] if len(d["held"]) == n else None)(client.get("/api/v1/held")))


def test_approved_and_refused_on_the_page(rig):
    folder, redis, board = rig

    async def run():
        async with Backend() as im:
            gate = Gateway(folder / "gate", im.port, redis=redis, rules=folder / "packs", extra=f"directory: {folder / 'directory.yaml'}\nhold: {{ttl: 10m}}\n")
            page = await in_thread(Page, board.url)
            try:
                async with Agent(gate.url, "ann") as ann, Agent(gate.url, "bob") as bob:
                    await in_thread(lambda: Client(board, "sue").now_until("data", lambda d: d["agents"]))
                    await in_thread(page.log_in, "sue")
                    await in_thread(page.go, "held")
                    await in_thread(page.wait_text, "main", "No message waits for approval")
                    await ann.send("u1", "给您五折优惠，今天有效", "x1")
                    await in_thread(page.wait, "[data-held] blockquote")
                    assert "五折优惠" in page.text("[data-held]") and "approval.discount" in page.text("[data-held]") and "ann" in page.text("[data-held]")
                    left = page.text("[data-held] .time")
                    assert re.match("9:|10:00|8:", left), left
                    assert not [m for _, m in im.messages]
                    await ann.send("u1", "您稍等", "x2")  # later messages are not held back
                    await in_thread(wait_for, "the later one", lambda: len(im.messages) == 1)
                    for width in (360, 768, 1280, 1920):
                        await in_thread(page.size, width, 900)
                        assert page.overflow() == [0, []], width
                    await in_thread(page.size, 1366, 900)
                    if os.environ.get("CHATGATE_SHOTS"):
                        page.shot(os.environ["CHATGATE_SHOTS"] + "/held-1366.png")
                    await in_thread(page.click, "[data-decide=approve]")
                    await in_thread(wait_for, "it is sent", lambda: len(im.messages) == 2)
                    assert im.messages[1][0] == "ann" and im.messages[1][1]["text"] == "给您五折优惠，今天有效"
                    await in_thread(page.wait_text, "[data-past]", "sent")
                    await in_thread(page.wait_text, "main", "No message waits for approval")
                    # refused: a reason is needed, and the agent is told
                    await ann.send("u1", "再给您五折优惠", "x3")
                    await in_thread(page.click, "[data-decide=refuse]")
                    await in_thread(page.wait_text, "[data-held] .error", "Please give a reason")
                    (await in_thread(page.wait, "[data-held] input")).send_keys("not below 60 %")
                    await in_thread(page.click, "[data-decide=refuse]")
                    await in_thread(page.wait_text, "[data-past]", "refused")
                    assert "not below 60 %" in page.text("[data-past]")

                    async def told():
                        while "not below 60 %" not in json.dumps(await ann.recv(), ensure_ascii=False):
                            pass
                    await asyncio.wait_for(told(), PATIENCE)
                    assert len(im.messages) == 2
                    # the other team's, and what is over
                    await bob.send("u2", "也给您五折优惠", "x4")
                    await in_thread(api, im)
                assert free_of_surprises(page) == []
            finally:
                await in_thread(page.close)
                gate.stop()

    def api(im):
        sue, red, shop = Client(board, "sue"), Client(board, "red-sup"), Client(board, "shop-sup")
        seen = held(sue, 3)
        check("get", "/api/v1/held", 200, sue.get("/api/v1/held"))
        assert [m["state"] for m in seen] == ["waiting", "refused", "sent"]
        assert [m["agent"] for m in held(red, 2)] == ["ann", "ann"] and [m["agent"] for m in held(shop, 1)] == ["bob"]
        bobs, anns = seen[0]["id"], seen[1]["id"]

        def decide(who, id, **body):
            code, got = who.call("POST", f"/api/v1/held/{id}/decide", body)
            check("post", "/api/v1/held/{id}/decide", code, got)
            return code, got
        assert decide(red, bobs, decision="approve")[0] == 404
        assert decide(sue, bobs, decision="later")[0] == decide(sue, bobs, decision="refuse")[0] == decide(sue, bobs, decision="refuse", why=" ")[0] == 400
        assert decide(sue, anns, decision="approve")[1]["state"] == "refused"
        assert decide(sue, "0-12345", decision="approve")[0] == decide(sue, "99-1", decision="approve")[0] == decide(sue, "x", decision="approve")[0] == 404
        assert Client(board, "vera").call("GET", "/api/v1/held")[0] == 403
        assert decide(shop, bobs, decision="approve", why="fine") == (200, {"id": bobs, "state": "approved"})
        wait_for("it is sent", lambda: im.messages[-1][0] == "bob" and im.messages[-1][1]["text"] == "也给您五折优惠")
        audit = [(e["action"], e["who"], e["target"], e["result"]) for e in Client(board, "adam").get("/api/v1/audit")["entries"]]
        for line in [("held_approve", "shop-sup", bobs, "ok"), ("held_approve", "red-sup", bobs, "not_visible"), ("held_approve", "sue", anns, "refused"), ("held_refuse", "sue", anns, "ok")]:
            assert line in audit, (line, audit)

    asyncio.run(run())
