"""scripts/quickstart.sh, as a new user runs it, with folders of its own."""

import os
import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
from gateway import BUILD, SOURCE, wait_for

SCRIPT = SOURCE / "scripts" / "quickstart.sh"


class Quickstart:
    def __init__(self, folder):
        self.folder = folder
        self.env = dict(os.environ, CHATGATE_DEMO_DIR=str(folder), CHATGATE_RELEASE_DIR=str(BUILD / "quickstart"))

    def run(self, *args, status=0):
        done = subprocess.run([str(SCRIPT), *args], env=self.env, stdin=subprocess.DEVNULL, text=True, timeout=2000,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == status, done.stdout
        return done.stdout

    def processes(self):
        """name -> process id of what the script says that it started."""
        return {p.stem: int(p.read_text().split()[0]) for p in self.folder.glob("*.pid")}

    def port(self, name):
        return int((self.folder / f"{name}.port").read_text())


def processes_of(folder):
    """Every process whose command line names the folder."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in path.read_bytes():
                found.add(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


@pytest.fixture
def quickstart(tmp_path):
    quickstart = Quickstart(tmp_path / "demo")
    yield quickstart
    quickstart.run("stop")
    assert processes_of(quickstart.folder) == set()


def check_story(out):
    """The lines that tell the story, in this order."""
    at = 0
    for pattern in [
            r"^1\. ", r"^  customer ▶ 你好，这件衣服有货吗？$", r"^  customer ◀ 您好亲，有货的",
            r"^2\. ", r"^  agent    ▶ 加我微信聊", r"^  agent    ✗ 未发送 not sent: .*站外",
            r"^  agent    ▶ .*薇❤信", r"^  agent    ✗ 未发送 not sent: .*站外",
            r"^3\. ", r"^  agent    ▶ 亲，这款效果最佳，图片是光线下拍的。$", r"^  customer ◀ 亲，这款.*，图片是.*拍的。$",
            r"^4\. ", r"^  customer ▶ 收到的衣服破了个洞", r"^5\. ", r"^  agent    ! 提醒 notice: \S",
            r"^6\. ", r"^  customer ◀ 亲，非常抱歉",
            r"^== read back from Redis: how fast", r"\bxiaomei\b", r"^== read back from Redis: the open case", r"\bdemo-\d+",
            r"^== read back from Redis: the reminder", r"\bdemo-\d+"]:
        m = re.compile(pattern, re.M).search(out, at)
        assert m, f"/{pattern}/ is not in\n{out[at:]}"
        at = m.end()
    customer = "\n".join(line for line in out.splitlines() if line.startswith("  customer ◀"))
    assert not re.search("信|最佳|线下", customer), customer
    assert "error" not in out and "warning" not in out, out


def test_once(quickstart):
    out = quickstart.run("--once")
    check_story(out)
    assert out.rstrip().endswith("stopped: gateway im redis"), out
    assert processes_of(quickstart.folder) == set()


def test_start_again_and_stop(quickstart):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8080))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which is as good
        out = quickstart.run()
    check_story(out)
    first = quickstart.processes()
    assert processes_of(quickstart.folder) == set(first.values()) and len(first) == 3
    address = re.search(r"Open (http://127\.0\.0\.1:(\d+)/)", out)
    assert int(address.group(2)) == quickstart.port("gateway") != 8080
    with urllib.request.urlopen(address.group(1)) as page:
        assert "加我微信" in page.read().decode()
    metrics = re.search(r"http://\S+/metrics", out).group(0)
    with urllib.request.urlopen(metrics) as page:
        assert "chatgate_" in page.read().decode()

    # an unclean end of two of them: the third is kept, the address stays
    ports = quickstart.port("gateway"), quickstart.port("im")
    for name in "gateway", "im":
        os.kill(first[name], signal.SIGKILL)
    wait_for("they are gone", lambda: processes_of(quickstart.folder) == {first["redis"]})
    # --once ends only what it started itself, and none of that was there before it
    out = quickstart.run("--once")
    check_story(out)
    assert out.rstrip().endswith("stopped: gateway im"), out
    assert processes_of(quickstart.folder) == {first["redis"]}
    assert (quickstart.port("gateway"), quickstart.port("im")) == ports

    check_story(quickstart.run())
    second = quickstart.processes()
    check_story(quickstart.run())  # harmless
    assert quickstart.processes() == second and second["redis"] == first["redis"]

    assert quickstart.run("stop") == "stopped: gateway im redis\n"
    assert processes_of(quickstart.folder) == set()
    assert quickstart.run("stop") == "nothing was running\n"


def test_another_process_with_the_id_is_left_alone(quickstart):
    quickstart.folder.mkdir()
    other = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    try:
        (quickstart.folder / "gateway.pid").write_text(f"{other.pid} 1\n")
        assert quickstart.run("stop") == "nothing was running\n"
        assert other.poll() is None
    finally:
        other.communicate()


def test_one_at_a_time(quickstart):
    quickstart.folder.mkdir()
    with open(quickstart.folder / "lock", "w") as lock:
        import fcntl
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another scripts/quickstart.sh is at work" in quickstart.run("stop", status=1)


def test_usage(quickstart):
    assert quickstart.run("--twice", status=2).startswith("usage: ")
