"""The board with what nobody plans for: names as long as they may be, names that are markup, 500 agents, and nothing at all."""

import os

import pytest
from board_rig import Board, Page, Story
from gateway import Process, Redis, wait_for

LONG = "w" * 100 + "长" * 33
MARKUP = "<img src=x onerror=\"document.title='taken'\">"
SCRIPT = "\"><script>document.title='taken'</script>'&amp;{{7*7}}"
AGENTS = [(LONG, LONG[:-1], LONG[1:]), (MARKUP, MARKUP, SCRIPT), (SCRIPT, "red", "s1")] + [(f"agent-{i:03}", f"team-{i % 7}", "s1") for i in range(497)]
PAGES = ("now", "cases", "agents", "violations", "rules", "held", "reminders", "health")
WIDTHS = (1366, 400)


def tell(story):
    for i, (name, team, shop) in enumerate(AGENTS):
        shard = i % 4
        story.agent(name, team, shop, shard)
        cust = name if i < 3 else f"c{i}"
        story.says(shard, cust, 1_900_000 + i, name, team, shop)
        story.answers(shard, cust, 1_800_000 + 40 * i, name, team, shop, act=3 if i < 3 else 0,
                      rules="extreme.superlative" if i < 3 else "", txm=name)
        if i < 3 or i % 10 == 0:
            story.says(shard, "w" + cust, 30_000 + 997 * i, name, team, shop, **({"ckind": "regulator", "sev": 4, "crule": "complaint.regulator", "words": name * 2} if i < 3 else {}))


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    yield from rig(tmp_path_factory.mktemp("extremes"), tell)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    yield from rig(tmp_path_factory.mktemp("empty"), lambda story: None)


def rig(folder, tell_it):
    redis = Redis(folder / "redis")
    tell_it(Story(redis.client()))
    board = Board(folder / "board", redis.socket)
    for one in (redis, board):
        Process.started.remove(one.proc)  # they live as long as the module
    yield board
    board.stop()
    redis.stop()


def walk(page, kind, lang):
    """Every page at every width: nothing sticks out, nothing ran, nothing complained."""
    shots = os.environ.get("CHATGATE_SHOTS")
    for name in PAGES:
        page.go(name)
        page.wait("main h1, main h2, main .empty, main table")
        wait_for("it is read", lambda: "…" != page.text("main"))
        for width in WIDTHS:
            page.size(width, 1000)
            page.js("scrollTo(0, 0)")
            if shots:
                page.shot(f"{shots}/{kind}-{lang}-{name}-{width}.png")
            assert page.overflow() == [0, []], (kind, name, width)
            if name == "now" and width > 1000:  # the figures stand beside any name, without scrolling
                assert page.js("return [...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)"), (kind, width)
    assert page.js("return document.title") != "taken" and page.js("return document.querySelectorAll('main img, main script').length") == 0


@pytest.mark.parametrize("lang", ["en-US", "zh-CN"])
def test_names_as_they_come(full, lang):
    page = Page(full.url, lang=lang)
    try:
        page.log_in("adam")
        page.wait("li.wait")
        walk(page, "full", lang)
        page.go("agents")
        wait_for("the names stand there as they are",
                 lambda: {LONG, MARKUP, SCRIPT} <= set(page.js("return [...document.querySelectorAll('main td:first-child, main td a')].map(e => e.textContent.trim())")))
    finally:
        page.close()


@pytest.mark.parametrize("lang", ["en-US", "zh-CN"])
def test_nothing_at_all(empty, lang):
    page = Page(empty.url, lang=lang)
    try:
        page.log_in("adam")
        page.wait("main .empty, main h2")
        walk(page, "empty", lang)
    finally:
        page.close()
