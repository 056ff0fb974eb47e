"""Node.js programs of tests/e2e/npm: real clients, a real server and stubs, driven line by line."""

import json
import os
import queue
import shutil
import subprocess
import threading
import time
from pathlib import Path

from gateway import PATIENCE, Process

NPM = Path(__file__).resolve().parent / "npm"


def packages():
    """The folder that npm/install.sh filled. Missing it is an error, not a skip."""
    folder = os.environ.get("CHATGATE_NPM_DIR", "")
    if not folder or not (Path(folder) / "node_modules").is_dir():
        raise AssertionError("CHATGATE_NPM_DIR does not name a folder filled by tests/e2e/npm/install.sh: "
                             f"\"{folder}\"")
    return folder


class Peer:
    """One program: `do` sends a command, `wait` returns the next event of a kind."""

    def __init__(self, script, folder, **env):
        node = shutil.which("node")
        assert node, "node is missing: install nodejs"
        self.name = script
        self.log = open(Path(folder) / f"{script}.log", "wb")
        self.proc = subprocess.Popen([node, NPM / f"{script}.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=self.log, env=dict(os.environ, CHATGATE_NPM_DIR=packages(), **env), text=True)
        Process.started.append(self.proc)
        self.events = queue.Queue()
        self.seen = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.proc.stdout:
            self.events.put(json.loads(line))

    def do(self, command, **more):
        self.proc.stdin.write(json.dumps({"do": command, **more}) + "\n")
        self.proc.stdin.flush()

    def wait(self, kind, seconds=PATIENCE):
        """Takes events until one of that kind comes; the others are kept in `seen`."""
        return self.wait_any(kind, seconds=seconds)

    def wait_any(self, *kinds, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while True:
            try:
                event = self.events.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{self.name}: none of {kinds} within {seconds} s, only {self.seen}\n"
                                     + Path(self.log.name).read_text(errors="replace")[-2000:]) from None
            if event["event"] in kinds:
                return event
            self.seen.append(event)
            assert event["event"] != "failed", event

    def stop(self):
        self.proc.stdin.close()
        self.proc.wait(PATIENCE)
        self.log.close()
