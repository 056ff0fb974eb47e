"""The commands that talk to the daemon, against a control socket of the test's own: what they send, what they print."""

import json
import socket
import subprocess
import threading

import pytest

from gateway import BUILD

CHATGATE = BUILD / "src/cli/chatgate"


class Daemon:
    """Answers every line with the next prepared answer and remembers the lines."""

    def __init__(self, path):
        self.lines, self.answer = [], b""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(4)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            with connection:
                line = connection.makefile("rb").readline()
                if line == b"end\n":
                    return
                self.lines.append(line.decode())
                connection.sendall(self.answer)

    def stop(self, path):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(b"end\n")
        self.thread.join(10)
        self.listener.close()


@pytest.fixture
def control(folder):
    return folder / "control.sock"


@pytest.fixture
def daemon(control):
    d = Daemon(control)
    yield d
    d.stop(control)


def run(*args):
    done = subprocess.run([CHATGATE, *map(str, args)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_status_is_readable(daemon, control):
    answer = {"ok": True, "status": {"mode": "enforce", "workers": 2, "redis": {"connected": True, "error": None},
                                     "listeners": [{"name": "web", "tls": False}, {"name": "b\x1b[2J", "tls": True}],
                                     "shards": [1, 2], "none": [], "empty": {}, "why": ""}}
    daemon.answer = json.dumps(answer).encode() + b"\n"
    assert run("status", "--control", control) == (
        0,
        "mode: enforce\nworkers: 2\nredis:\n  connected: true\n  error: -\n"
        "listeners:\n  - name: web\n    tls: false\n  - name: b?[2J\n    tls: true\n"
        "shards: 1, 2\nnone: none\nempty: none\nwhy: -\n", "")
    assert daemon.lines == ["status\n"]
    code, out, _ = run("status", "--control", control, "--json")
    assert (code, json.loads(out)) == (0, answer)


def test_the_socket_comes_from_the_configuration(daemon, control, folder):
    daemon.answer = b'{"ok":true,"status":{"mode":"observe"}}\n'
    (folder / "c.yaml").write_text("control: control.sock\nlisteners: broken\n")
    assert run("status", "--config", folder / "c.yaml") == (0, "mode: observe\n", "")
    (folder / "d.yaml").write_text(f"control: {control}\n")
    assert run("status", "--config", folder / "d.yaml") == (0, "mode: observe\n", "")


def test_reload(daemon, control):
    daemon.answer = b'{"ok":true,"needs_restart":[]}\n'
    assert run("reload", "--control", control) == (0, "reloaded\n", "")
    daemon.answer = b'{"ok":true,"needs_restart":["workers","node"]}\n'
    assert run("reload", "--control", control) == (0, "reloaded\nneeds a restart: workers\nneeds a restart: node\n", "")
    daemon.answer = b'{"ok":false,"error":"nothing was changed","errors":["a.yaml:1:2: x","b.yaml:3:4: y"]}\n'
    assert run("reload", "--control", control) == (1, "", "a.yaml:1:2: x\nb.yaml:3:4: y\nchatgate: nothing was changed\n")


def test_mode_and_drain(daemon, control):
    daemon.answer = b'{"ok":true}\n'
    assert run("mode", "observe", "--for", "30m", "--control", control) == (0, "mode is observe now, for 30m\n", "")
    assert run("mode", "enforce", "--control", control) == (0, "mode is enforce now\n", "")
    assert run("drain", "--control", control) == (0, "draining\n", "")
    assert daemon.lines == ["mode observe 30m\n", "mode enforce\n", "drain\n"]
    daemon.answer = b'{"ok":false,"error":"mode: no"}\n'
    assert run("mode", "bypass", "--control", control) == (1, "", "chatgate: mode: no\n")


def test_no_daemon(control):
    code, out, err = run("status", "--control", control)
    assert (code, out) == (2, "")
    assert err == f"chatgate: no daemon at {control}: No such file or directory\n"


@pytest.mark.parametrize("answer", [b"", b"{", b"what\n", b"[]\n", b'{"ok":true'])
def test_a_daemon_that_talks_nonsense(daemon, control, answer):
    daemon.answer = answer
    code, out, err = run("status", "--control", control)
    assert (code, out) == (2, "")
    assert err.startswith("chatgate: the daemon")


@pytest.mark.parametrize("args", [("mode",), ("mode", "a", "b"), ("status", "x"), ("reload", "--for", "3s"),
                                  ("status", "--control"), ("drain", "--now")])
def test_bad_usage(args):
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert f"usage: chatgate {args[0]} " in err
