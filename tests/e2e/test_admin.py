"""The operator's doors of the real daemon: control socket, commands, /metrics, /healthz, /readyz."""

import os
import re
import socket
import socketserver
import stat
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from gateway import PATIENCE, Gateway, free_port, wait_for

RULES = """pack: local_test
direction: outgoing
rules:
  - id: local_test.word
    title: test
    action: block
    words: [加我微信]
    notice: 请在平台内沟通。
    examples:
      hit: [加我微信]
      miss: [你好]
"""


@pytest.fixture
def rules(folder):
    (folder / "packs").mkdir()
    (folder / "packs/local_test.yaml").write_text(RULES)
    return folder / "packs"


@pytest.fixture
def backend():
    """Something that accepts connections: enough for a health check, as many as come."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as s:
        threading.Thread(target=s.serve_forever, args=(0.05,), daemon=True).start()
        yield s.server_address[1]
        s.shutdown()


@pytest.fixture
def gateway(folder, rules, backend):
    g = Gateway(folder / "gw", backend, rules=rules, upstream_extra="    health: {interval: 100ms, timeout: 5s}")
    yield g
    g.stop()


def get(gateway, path, method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{gateway.admin_port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode(), e.headers


def lint_metrics(text):
    """The text format's rules: one HELP and TYPE per family before its values, families unmixed, series unique, names
    and labels well-formed, our prefix, counters named _total, histograms cumulative."""
    assert text.endswith("\n")
    kinds, helped, series, current, buckets = {}, set(), set(), None, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            assert current not in helped, f"HELP twice: {line}"
            helped.add(current)
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert name == current and name not in kinds and kind in ("counter", "gauge", "histogram"), line
            kinds[name] = kind
        else:
            m = re.fullmatch(r'(chatgate_[a-z0-9_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (\S+)', line)
            assert m, f"not a sample: {line}"
            name = m[1] if m[1] == current else re.sub("_(bucket|sum|count)$", "", m[1])
            assert name == current and name in kinds, f"outside of its family: {line}"
            assert (m[1], m[2]) not in series, f"twice: {line}"
            series.add((m[1], m[2]))
            value = float(m[3])
            if kinds[name] == "counter":
                assert name.endswith("_total") and value >= 0, line
            if m[1].endswith("_bucket"):
                le = re.search(r'le="([^"]+)"', m[2])[1]
                key = m[2].replace(f'le="{le}"', "")
                bounds = buckets.setdefault((name, key), [])
                assert not bounds or (float(le) > bounds[-1][0] and value >= bounds[-1][1]), line
                bounds.append((float(le), value))
    for bounds in buckets.values():
        assert bounds[-1][0] == float("inf")
    assert set(kinds) == helped
    return kinds


def test_metrics_are_well_formed(gateway):
    status, text, headers = get(gateway, "/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    kinds = lint_metrics(text)
    assert len(kinds) > 20


def test_health_and_readiness(gateway):
    assert get(gateway, "/healthz")[:2] == (200, "ok\n")
    wait_for("ready", lambda: get(gateway, "/readyz")[0] == 200)
    assert get(gateway, "/readyz")[1] == "ready\n"
    assert gateway.ask("ready") == {"ok": True, "ready": True}
    assert get(gateway, "/metrics", "POST")[0] == 405
    assert get(gateway, "/other")[0] == 404


def test_not_ready_without_a_backend(folder, rules):
    g = Gateway(folder / "gw", free_port(), rules=rules, upstream_extra="    health: {interval: 100ms, timeout: 1s, fall: 1}")
    try:
        status, text, _ = wait_for("not ready", lambda: (r := get(g, "/readyz"))[0] == 503 and r)
        assert text.startswith("not ready: ")
        assert get(g, "/healthz")[0] == 200
    finally:
        g.stop()


def test_a_name_that_nobody_knows_keeps_nobody_from_starting(folder, rules):
    g = Gateway(folder / "gw", 0, rules=rules, servers=["no-such-host.invalid:80"])
    try:
        assert "upstream_down upstream=im server=no-such-host.invalid:80" in g.text()
        status, text, _ = get(g, "/readyz")
        assert (status, text.startswith("not ready: ")) == (503, True)
        with socket.create_connection(("127.0.0.1", g.port), timeout=PATIENCE) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert s.makefile("rb").read(12) == b"HTTP/1.1 502"
        assert g.cli("reload", "--config", g.config).returncode == 0
    finally:
        g.stop()


def test_status(gateway):
    out = gateway.cli("status", "--config", gateway.config).stdout
    assert re.search(r"^mode: enforce$", out, re.M), out
    status = gateway.ask("status")
    assert status["ok"] and status["status"]["mode"] == "enforce"
    assert set(status["status"]) >= {"mode", "version"}


def test_mode_returns_by_itself(gateway):
    assert gateway.cli("mode", "bypass", "--for", "300ms", "--control", gateway.control).stdout == \
        "mode is bypass now, for 300ms\n"
    wait_for("enforce again", lambda: gateway.ask("status")["status"]["mode"] == "enforce")
    gateway.cli("mode", "observe", "--control", gateway.control)
    assert gateway.ask("status")["status"]["mode"] == "observe"
    done = gateway.cli("mode", "off", "--control", gateway.control, check=False)
    assert done.returncode == 2 and "enforce" in done.stderr and "bypass" in done.stderr
    assert gateway.ask("status")["status"]["mode"] == "observe"


def test_log_level_is_live(gateway):
    assert gateway.ask("log_level error") == {"ok": True}
    before = gateway.text()
    assert gateway.ask("mode observe") == {"ok": True}
    assert "command=mode" not in gateway.text()[len(before):]
    assert gateway.ask("log_level info") == {"ok": True}
    assert gateway.ask("mode enforce") == {"ok": True}
    gateway.wait_line(rf"control command=mode arg=enforce uid={os.getuid()} pid={os.getpid()}")


def test_any_command(gateway):
    out = gateway.cli("control", "help", "--control", gateway.control).stdout
    assert "- name: log_level\n  args: error|warn|info|debug\n  help: least important lines that are logged\n" in out
    wait_for("ready", lambda: gateway.cli("control", "ready", "--config", gateway.config).stdout == "ready: true\n")
    done = gateway.cli("control", "log_level", "loud", "--control", gateway.control, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "chatgate: log_level: must be one of error, warn, info, debug\n"


def test_reload_tells_every_error_and_changes_nothing(gateway, rules):
    assert gateway.cli("reload", "--control", gateway.control).stdout.splitlines()[0] == "reloaded"
    good = gateway.config.read_text()
    before = gateway.ask("status")["status"]
    gateway.config.write_text(good.replace("connections: 5000", "connections: many") + "\nnonsense: 1\n")
    done = gateway.cli("reload", "--control", gateway.control, check=False)
    assert done.returncode == 1
    assert re.search(rf"^{re.escape(str(gateway.config))}:\d+:\d+: limits\.connections: is \"many\", must be", done.stderr, re.M)
    assert re.search(rf"^{re.escape(str(gateway.config))}:\d+:\d+: nonsense: unknown key", done.stderr, re.M)
    assert done.stderr.endswith("chatgate: nothing was changed\n")
    gateway.config.write_text(good)
    (rules / "local_test.yaml").write_text(RULES.replace("action: block", "action: blok"))
    done = gateway.cli("reload", "--control", gateway.control, check=False)
    assert done.returncode == 1
    assert re.search(rf"^{re.escape(str(rules))}/local_test\.yaml:6:\d+: ", done.stderr, re.M), done.stderr
    after = gateway.ask("status")["status"]
    assert after["mode"] == before["mode"]
    (rules / "local_test.yaml").write_text(RULES)
    gateway.cli("reload", "--control", gateway.control)


def test_reload_names_what_needs_a_restart(gateway):
    gateway.config.write_text(gateway.config.read_text().replace("workers: 2", "workers: 3"))
    for _ in range(2):  # as long as it is so, not only the first time
        out = gateway.cli("reload", "--control", gateway.control).stdout
        assert out == "reloaded\nneeds a restart: workers\n"
    gateway.config.write_text(gateway.config.read_text().replace("workers: 3", "workers: 2"))
    assert gateway.cli("reload", "--control", gateway.control).stdout == "reloaded\n"


def test_socket_file(gateway, folder):
    st = os.stat(gateway.control)
    assert stat.S_ISSOCK(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o660
    second = subprocess.run([gateway.program, "--config", gateway.config], capture_output=True, text=True, timeout=120)
    assert second.returncode == 1, second.stderr
    assert gateway.ask("version")["ok"]  # the first one is unharmed


def test_a_killed_daemon_leaves_no_obstacle(folder, rules, backend):
    g = Gateway(folder / "gw", backend, rules=rules)
    g.proc.kill()
    g.proc.wait()
    assert g.control.exists()
    g.out.close()
    g.start()
    assert g.ask("version")["ok"]
    assert g.stop() == 0
    assert not g.control.exists()


def test_drain_ends_the_daemon(folder, rules, backend):
    g = Gateway(folder / "gw", backend, rules=rules)
    assert g.cli("drain", "--config", g.config).stdout == "draining\n"
    wait_for("the end", lambda: g.proc.poll() is not None)
    assert g.proc.returncode == 0
    assert not g.control.exists()
    g.stop()
