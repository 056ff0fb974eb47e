"""scripts/quickstart.sh --xmpp, as a new user runs it, with folders of its own."""

import os
import re
import signal
import stat

import pytest  # noqa: F401
from gateway import wait_for
from test_quickstart import Quickstart, processes_of, quickstart  # noqa: F401


def check_story(out):
    at = 0
    for pattern in [
            r"^1\. ", r"^  customer ▶ 你好，这件衣服有货吗？$", r"^  customer ◀ 您好亲，有货的",
            r"^2\. ", r"^  agent    ▶ 加我微信聊", r"^  agent    ✗ 未发送 not sent: .*站外",
            r"^  agent    ▶ .*薇❤信", r"^  agent    ✗ 未发送 not sent: .*站外",
            r"^3\. ", r"^  agent    ▶ 亲，这款效果最佳，图片是光线下拍的。$", r"^  customer ◀ 亲，这款.*，图片是.*拍的。$",
            r"^4\. ", r"^  customer ▶ 收到的衣服破了个洞", r"^5\. ", r"^  agent    ! 提醒 notice: .*guke\d+@localhost",
            r"^6\. ", r"^  customer ◀ 亲，非常抱歉",
            r"^== read back from Redis: how fast", r"^xiaomei@localhost .* s ", r"^guke\d+@localhost .* first ",
            r"^== read back from Redis: the open case", r"\bopen\b.*guke\d+@localhost",
            r"^== read back from Redis: the reminder", r"\bunanswered\b.*guke\d+@localhost"]:
        m = re.compile(pattern, re.M).search(out, at)
        assert m, f"/{pattern}/ is not in\n{out[at:]}"
        at = m.end()
    customer = "\n".join(line for line in out.splitlines() if line.startswith("  customer ◀"))
    assert not re.search("信|最佳|线下", customer), customer
    assert "error" not in out and "warning" not in out, out


def test_start_again_and_stop(quickstart):  # noqa: F811
    out = quickstart.run("--xmpp")
    check_story(out)
    first = quickstart.processes()
    assert set(first) == {"redis", "prosody", "xmpp-gateway"} and processes_of(quickstart.folder) >= set(first.values())
    assert f"port {quickstart.port('xmpp-gateway')} (the gateway)" in out
    assert f"port {quickstart.port('prosody')} (Prosody itself" in out
    accounts = quickstart.folder / "prosody" / "data" / "localhost" / "accounts"
    secrets = [re.search(r'"password"\] = "(\w+)"', p.read_text()).group(1) for p in accounts.glob("*.dat")]
    assert len(set(secrets)) == 3
    logs = "".join(p.read_text() for p in quickstart.folder.glob("*.log"))
    assert not [s for s in secrets if s in out + logs]
    assert stat.S_IMODE(os.stat(quickstart.folder).st_mode) == 0o700

    check_story(quickstart.run("--xmpp"))  # harmless
    assert quickstart.processes() == first

    # an unclean end of the gateway: --once starts it anew at the same address, and ends only that
    port = quickstart.port("xmpp-gateway")
    os.kill(first["xmpp-gateway"], signal.SIGKILL)
    wait_for("it is gone", lambda: first["xmpp-gateway"] not in processes_of(quickstart.folder))
    out = quickstart.run("--once", "--xmpp")
    check_story(out)
    assert out.rstrip().endswith("stopped: xmpp-gateway"), out
    assert quickstart.port("xmpp-gateway") == port
    assert {first["redis"], first["prosody"]} <= processes_of(quickstart.folder)

    assert quickstart.run("stop") == "stopped: prosody redis\n"
    assert processes_of(quickstart.folder) == set()
    assert quickstart.run("--xmpp", "stop") == "nothing was running\n"
