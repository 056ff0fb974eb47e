"""chatgate-board on a Redis, its users, its API, and its pages in Chromium."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import subprocess
import tempfile
import time

from gateway import BUILD, PATIENCE, SOURCE, Process, Redis, free_port, wait_for
from selenium import webdriver
from selenium.common.exceptions import (ElementClickInterceptedException, ElementNotInteractableException,
                                        StaleElementReferenceException, WebDriverException)
from selenium.webdriver.common.by import By
from track_redis import Shard

PROGRAM = BUILD / "src" / "board" / "chatgate-board"
PASSWORD = "correct horse 1"
USERS = {  # name: role, teams, shops
    "vera": ("viewer", "*", "*"), "sue": ("supervisor", "*", "*"), "adam": ("admin", "*", "*"),
    "red-view": ("viewer", "red", "*"), "red-sup": ("supervisor", "red", "*"), "shop-sup": ("supervisor", "*", "s2"),
    "none-sup": ("supervisor", "", ""), "ann": ("agent", "*", "*"),
}
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
 --disable-component-update --disable-sync --disable-dev-shm-usage""".split()


def passwd(users, name, *args, password=PASSWORD, check=True):
    done = subprocess.run([str(PROGRAM), "passwd", name, "--users", str(users), *args], input=password + "\n", text=True,
                          capture_output=True, timeout=2 * PATIENCE)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def token(tokens, name, *args):
    """Makes an API token and returns its text."""
    done = subprocess.run([str(PROGRAM), "token", name, "--tokens", str(tokens), *args], text=True, capture_output=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def afternoon():
    """A time zone in which it is between 18:00 and 19:00 now, so that no test depends on when it runs."""
    return f"TST{time.gmtime().tm_hour - 18:+d}"


class Board(Process):
    def __init__(self, folder, redis_socket, users=USERS, extra="", secure=False, redis_extra="", metrics=True, tokens=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.users = folder, folder / "users"
        hash_of = passwd(self.users, "first")  # one hash for all: each takes a while
        line = self.users.read_text().strip().split(":")[1]
        assert hash_of.returncode == 0
        self.users.write_text("".join(f"{n}:{line}:{r}:{t}:{s}\n" for n, (r, t, s) in users.items()))
        self.tokens, self.token = folder / "tokens", {}
        for name, (scopes, teams, shops) in dict(tokens).items():
            self.token[name] = token(self.tokens, name, "--scopes", scopes, "--teams", teams, "--shops", shops)
        self.config = folder / "board.yaml"
        self.config.write_text(f"listen: 127.0.0.1:0\ntimezone: {afternoon()}\nusers: {self.users}\ntokens: {self.tokens}\ncookie_secure: {str(secure).lower()}\n"
                               f"metrics: {'127.0.0.1:0' if metrics else 'none'}\n"
                               f"{self.redis_of(redis_socket, redis_extra)}\n{extra}")
        self.begin()

    def begin(self):
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0", UBSAN_OPTIONS="print_stacktrace=1")
        (self.folder / "board.log").unlink(missing_ok=True)
        super().__init__([PROGRAM, "--config", self.config], self.folder / "board.log", env=env)
        line = self.wait_line(r" ready .* port=(\d+) metrics_port=(\d+)")
        self.port, self.metrics_port = int(line.group(1)), int(line.group(2))

    @staticmethod
    def redis_of(where, extra):
        """A socket, or one of redis_topology.py."""
        if hasattr(where, "config"):
            return f"redis:\n{where.config}"
        return f"redis: {{address: {where}, timeout: 20s{extra}}}"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def stop(self, **kw):
        code = super().stop(**kw)
        assert code == 0 and "ERROR: " not in self.text() and "runtime error" not in self.text(), self.text()[-6000:]
        return code


class Client:
    """One browser's worth of API: cookie and CSRF token; or a program with an API token."""

    def __init__(self, board, name=None, password=PASSWORD, token=None):
        self.board, self.cookie, self.csrf, self.token = board, None, None, token
        if name:
            code, body = self.call("POST", "/api/v1/login", {"user": name, "password": password})
            assert code == 200, body
            self.session, self.csrf = body, body["csrf"]

    def raw(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.board.port, timeout=2 * PATIENCE)
        try:
            c.request(method, path, body, headers or {})
            answer = c.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            c.close()

    def headers(self):
        h = {"Authorization": "Bearer " + self.token} if self.token else {}
        if self.cookie:
            h["Cookie"] = self.cookie
        if self.csrf:
            h["X-CSRF-Token"] = self.csrf
        return h

    def call(self, method, path, body=None):
        h = self.headers()
        if body is not None:
            h["Content-Type"] = "application/json"
        code, got, data = self.raw(method, path, json.dumps(body) if body is not None else None, h)
        if "Set-Cookie" in got:
            self.set_cookie = got["Set-Cookie"]
            self.cookie = got["Set-Cookie"].split(";")[0]
        self.got = got
        return code, json.loads(data)

    def get(self, path):
        code, body = self.call("GET", path)
        assert code == 200, (code, body)
        return body

    def now_until(self, what, probe, seconds=PATIENCE):
        def found():
            d = self.get("/api/v1/now")
            if d["data_ms"] and probe(d):
                return d
            time.sleep(0.1)  # the answer can be a long one: whoever asks all the time keeps the board from its work
            return None
        return wait_for(what, found, seconds)


class Story:
    """Events as a gateway would record them, put in by the pump's script."""

    def __init__(self, db, shards=4):
        self.db = db
        db.hset("cg:meta", mapping={"shards": shards, "version": 1})
        self.shard = [Shard(db, i) for i in range(shards)]
        self.seq = [0] * shards
        s, us = db.time()
        self.now = s * 1000 + us // 1000

    def put(self, shard, *events):
        records = []
        for e in events:
            self.seq[shard] += 1
            records.append((self.seq[shard], {"mid": f"m{shard}.{self.seq[shard]}", **e}))
        assert self.shard[shard].apply("story", records)[3] == "OK"

    def agent(self, name, team, shop, shard=0):
        self.put(shard, {"k": "agent_on", "at": self.now - 3600000 + self.seq[shard], "agent": name, "team": team, "shop": shop})

    def says(self, shard, cust, ago_ms, agent, team, shop, **e):
        self.put(shard, {"k": "in", "at": self.now - ago_ms, "live": True, "sender": cust, "conv": "c-" + cust, "cust": cust,
                         "agent": agent, "team": team, "shop": shop, **e})

    def answers(self, shard, cust, ago_ms, agent, team, shop, **e):
        self.put(shard, {"k": "out", "at": self.now - ago_ms, "dlv": True, "human": True, "conv": "c-" + cust, "cust": cust,
                         "agent": agent, "team": team, "shop": shop, **e})


def start_browser(options, tries=3):
    """A browser takes its time on a busy machine, and its driver gives it up after a minute."""
    while True:
        tries -= 1
        try:
            service = webdriver.chrome.service.Service("/usr/bin/chromedriver", port=free_port())
            return webdriver.Chrome(service=service, options=options)
        except WebDriverException:
            if not tries:
                raise


class Page:
    def __init__(self, url, width=1366, height=900, lang="en-US", scheme="light"):
        options = webdriver.ChromeOptions()
        self.profile = tempfile.TemporaryDirectory()
        for flag in [*FLAGS, f"--user-data-dir={self.profile.name}", f"--lang={lang}"]:
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"intl.accept_languages": lang})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = start_browser(options)
        self.driver.execute_cdp_cmd("Emulation.setLocaleOverride", {"locale": lang})
        self.size(width, height)
        self.scheme(scheme)
        self.driver.get(url)

    def size(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def scheme(self, scheme):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def close(self):
        self.driver.quit()
        self.profile.cleanup()

    def find(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def js(self, text, *args):
        return self.driver.execute_script(text, *args)

    def wait(self, selector, seconds=PATIENCE):
        def shown():
            try:
                return next((e for e in self.find(selector) if e.is_displayed()), None)
            except StaleElementReferenceException:  # it was drawn anew meanwhile
                return None
        return wait_for(selector, shown, seconds)

    def click(self, selector, seconds=PATIENCE):
        """Clicks as a person does, at the next chance when it is drawn anew or covered meanwhile."""
        def clicked():
            try:
                e = next((e for e in self.find(selector) if e.is_displayed()), None)
                return e and (e.click() or True)
            except (StaleElementReferenceException, ElementClickInterceptedException, ElementNotInteractableException):
                return None
        wait_for(selector, clicked, seconds)

    def press(self, selector):
        """Clicks in the page's own turn, for what is drawn anew now and then."""
        wait_for(selector, lambda: self.js("const e = document.querySelector(arguments[0]); e?.click(); return !!e", selector))

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0])?.innerText ?? null", selector)

    def wait_text(self, selector, pattern, seconds=PATIENCE):
        return wait_for(f"{pattern} in {selector}, which is {self.text(selector)!r}",
                        lambda: re.search(pattern, self.text(selector) or ""), seconds)

    def log_in(self, name, password=PASSWORD):
        self.wait("input[name=user]").send_keys(name)
        self.find("input[name=password]")[0].send_keys(password)
        self.click("form button.main")

    def go(self, page):
        self.js("location.hash = arguments[0]", page)
        self.wait(f'nav a[href="#{page}"][aria-current=page]')

    def overflow(self):
        """How far the page is wider than the window, and what sticks out."""
        return self.js("""const w = innerWidth, wide = document.documentElement.scrollWidth - w;
            return wide <= 0 ? [0, []] : [wide, [...document.querySelectorAll("body *")]
              .filter((e) => e.getBoundingClientRect().right > w + 1).slice(0, 5).map((e) => e.tagName + "." + e.className)]""")

    def errors(self):
        return [e["message"] for e in self.driver.get_log("browser")]

    def shot(self, path):
        self.driver.save_screenshot(str(path))


def free_of_surprises(page):
    """No error of the console but the answer to the first question, who is logged in."""
    return [e for e in page.errors() if "/api/v1/session" not in e]


def milliseconds():
    return time.time() * 1000


TWO_SHOPS = """
shops: {s1: {}, s2: {}}
agents:
  - {id: ann, team: red, shop: s1}
  - {id: bob, team: blue, shop: s2}
"""


@contextlib.contextmanager
def two_shops(folder, rules):
    """A Redis and a board for gateways whose agents ann and bob have a shop each, and whose only pack is `rules`."""
    redis = Redis(folder / "redis")
    board = Board(folder / "board", redis.socket)
    (folder / "packs").mkdir()
    (folder / "packs" / "own.yaml").write_text(rules)
    (folder / "directory.yaml").write_text(TWO_SHOPS)
    yield folder, redis, board
    board.stop()
    redis.stop()


def in_thread(fn, *args):
    """What blocks, while gateways and agents of the same test go on."""
    return asyncio.get_running_loop().run_in_executor(None, fn, *args)


__all__ = ["Board", "Client", "Page", "Story", "PASSWORD", "SOURCE", "USERS", "passwd", "token", "free_of_surprises", "milliseconds",
           "two_shops", "in_thread"]
