"""The page of the demonstration in a real browser: Chromium through the gateway."""

import tempfile

import pytest
from board_rig import start_browser
from gateway import SOURCE, Gateway, Process, free_port, wait_for
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
 --disable-component-update --disable-sync --disable-dev-shm-usage""".split()


@pytest.fixture
def demo(folder):
    """The IM server with the page, and the gateway before it."""
    ready = folder / "im.port"
    im = Process(["/usr/bin/python3", SOURCE / "scripts/demo/im_server.py", "--ready-file", ready], folder / "im.log")
    wait_for("the IM server", lambda: ready.exists() and ready.read_text().strip())
    gate = Gateway(folder / "gate", int(ready.read_text()), rules=SOURCE / "rules", port=free_port())  # a port that it has again after a restart
    yield gate
    gate.stop()
    im.stop()


class Page:
    def __init__(self, url, width=1400, height=900, scheme="light"):
        options = webdriver.ChromeOptions()
        self.profile = tempfile.TemporaryDirectory()
        for flag in [*FLAGS, f"--user-data-dir={self.profile.name}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = start_browser(options)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.driver.get(url)
        self.wait_online()

    def close(self):
        self.driver.quit()
        self.profile.cleanup()

    def find(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def states(self):
        return [e.get_attribute("class") for e in self.find(".state")]

    def wait_online(self):
        wait_for("both sides online", lambda: self.states() == ["state on", "state on"])

    def type(self, who, text):
        box = self.find(f"#{who}-form input")[0]
        box.send_keys(text)
        box.send_keys(Keys.ENTER)

    def rows(self, who):
        """(class, text) of every entry of one side's log."""
        return [(e.get_attribute("class"), e.text) for e in self.find(f"#{who}-log li")]

    def wait_row(self, who, what):
        return wait_for(f"{what!r} on the {who}'s side",
                        lambda: next((row for row in self.rows(who) if what in row[1]), None))

    def errors(self):
        return [e["message"] for e in self.driver.get_log("browser")]


@pytest.fixture
def page(demo):
    page = Page(f"http://127.0.0.1:{demo.port}/")
    yield page
    page.close()


def test_refused_rewritten_delivered(page):
    page.type("customer", "你好，这件有货吗？")
    page.wait_row("agent", "你好，这件有货吗？")
    page.type("agent", "加我微信")
    row = wait_for("the refusal", lambda: next((r for r in page.rows("agent") if "refused" in r[0]), None))
    assert row[1].startswith("加我微信") and "未发送 not sent: " in row[1], row
    assert len(row[1].split("not sent: ")[1]) > 10, "no reason given"
    page.type("agent", "这款效果最佳，图片是光线下拍的")
    row = page.wait_row("customer", "网关已改写")
    assert "最佳" not in row[1] and "线下" not in row[1], row
    marks = [e.text for e in page.find("#customer-log mark")]
    assert marks and "这款" not in "".join(marks), marks
    page.type("agent", "您好亲，有货的")
    page.wait_row("customer", "您好亲，有货的")
    # the order is kept, so the refused message would have come before
    assert [text for _, text in page.rows("customer") if "微信" in text] == []
    assert len(page.rows("customer")) == 3
    assert page.errors() == []


def test_warning_is_shown(page):
    page.type("agent", "这个做不到")
    page.wait_row("customer", "这个做不到")
    assert page.wait_row("agent", "提醒 notice")[0] == "notice"
    assert page.errors() == []


def test_text_is_never_markup(page):
    evil = "<img src=x onerror=\"document.title='broken'\"><b>x</b>"
    page.type("customer", evil)
    page.wait_row("agent", evil)
    assert page.driver.title != "broken" and page.find("#agent-log img") == []


def test_suggestions_and_reload(page):
    page.find("#agent-try button")[0].click()
    text = page.find("#agent-try button")[0].text
    page.wait_row("customer", text)
    page.driver.refresh()
    page.wait_online()
    page.wait_row("customer", text)  # a reload keeps the conversation, on both sides
    assert page.wait_row("agent", text)[0] == "mine"
    assert page.errors() == []


def test_reconnects_after_a_restart(demo, page):
    page.type("agent", "您好亲")
    page.wait_row("customer", "您好亲")
    assert page.errors() == []
    demo.stop()
    wait_for("the lost connection is shown", lambda: page.states()[0] == "state off")
    page.type("agent", "这句写在断线时")
    assert page.wait_row("agent", "这句写在断线时")[0] == "mine wait"
    port = demo.port
    demo.start()
    assert demo.port == port
    page.wait_online()
    page.wait_row("customer", "这句写在断线时")
    page.type("agent", "还在吗亲")
    page.wait_row("customer", "还在吗亲")
    assert [text for _, text in page.rows("customer")] == ["您好亲", "这句写在断线时", "还在吗亲"]
    wait_for("all is acknowledged", lambda: {c for c, _ in page.rows("agent")} == {"mine"})
    # what the browser itself says about the server that was away, and nothing else
    assert [e for e in page.errors() if "WebSocket" not in e] == []


CONTRAST = """
const rgb = c => c.match(/[\\d.]+/g).map(Number);
const light = c => { const [r, g, b] = rgb(c).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                     return .2126 * r + .7152 * g + .0722 * b; };
const back = e => { const c = getComputedStyle(e).backgroundColor; return rgb(c)[3] === 0 ? back(e.parentElement) : c; };
return [...document.querySelectorAll("h1, small, p, b, li, span, mark, input, button")].filter(e => e.textContent || e.value)
  .map(e => { const l = [light(getComputedStyle(e).color), light(back(e))].sort((x, y) => y - x);
              return [(l[0] + .05) / (l[1] + .05), e.tagName + " " + e.className + " " + e.textContent]; })
  .sort((x, y) => x[0] - y[0])[0];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width,height", [(360, 760), (1400, 900)])
def test_layout(demo, width, height, scheme):
    page = Page(f"http://127.0.0.1:{demo.port}/", width, height, scheme)
    try:
        page.type("customer", "收到的衣服破了个洞，我要投诉" + "！" * 60 + "x" * 200)
        page.type("agent", "这个做不到")
        page.wait_row("agent", "提醒 notice")
        page.type("agent", "加我微信")
        wait_for("the refusal", lambda: [r for r in page.rows("agent") if "refused" in r[0]])
        page.type("agent", "这款效果最佳")
        page.wait_row("customer", "网关已改写")
        run = page.driver.execute_script
        assert run("return innerWidth") == width
        assert run("return document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        assert run("""return [...document.querySelectorAll("section, li, input, button")].filter(e => {
            const r = e.getBoundingClientRect(); return r.width < 1 || r.left < 0 || r.right > innerWidth; }).length""") == 0
        left, right = [e.rect for e in page.find("section")]
        assert (right["x"] > left["x"]) == (width > 760), "side by side on a wide screen, one below the other on a narrow one"
        ratio, where = run(CONTRAST)
        assert ratio >= 4.5, f"contrast {ratio:.2f} of {where}"
        assert page.errors() == []
    finally:
        page.close()
