#!/usr/bin/python3
"""XMPP messages through chatgated beside Prosody and its own mod_firewall with the same words, in one run. Needs Debian's
prosody, prosody-modules and python3-yaml, and a build.

  bench/xmpp.py --build build [--words 100,1000] [--parts relay,capacity] [--rounds 5] [--secs 2] [--rate 500]
                [--pairs 20] [--outstanding 8] [--full 64]

For each number of words, one rule a word on both sides; no text holds one, so that everything is delivered:

relay: `direct` is Prosody alone, `gate` and `gate-all` chatgated in front of it with these rules and with all shipped packs,
`firewall` Prosody that looks for the words itself. At a fixed rate, then with --outstanding messages for each agent.

capacity: what chatgated passes when the server behind it is not the limit. It stands in front of `chatgate-bench
xmpp-backend`, which only delivers; `none` has no rule. chatgated, with one worker, has one core for itself, and so has in its turn
Prosody with mod_firewall; load and backend are one process on another core; `backend` is what these do without a
gateway. --full messages are outstanding for each agent.

No Redis. Everything is on the loopback interface."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from gateway import Gateway, Process, free_port  # noqa: E402
from xmpp_servers import Prosody  # noqa: E402

TEXTS = ROOT / "bench" / "texts.txt"
SERVER_CORE, LOAD_CORE = 0, 1


def shipped_words():
    """Plain words of the shipped packs and lists."""
    found = set()
    for path in sorted(ROOT.glob("rules/*.yaml")) + sorted(ROOT.glob("rules/lists/*")):
        parts = [yaml.safe_load(path.read_text())] if path.suffix == ".yaml" else [path.read_text().split()]
        while parts:
            at = parts.pop()
            if isinstance(at, dict):
                parts += [v for k, v in at.items() if k not in ("examples", "title", "notice", "id", "cite")]
            elif isinstance(at, list):
                parts += at
            elif isinstance(at, str) and 2 <= len(at) <= 8 and all("\u4e00" <= c <= "\u9fff" for c in at):
                found.add(at)
    return sorted(found)


def write_pack(path, chosen):
    rules = [{"id": f"bench.word{i}", "title": "word", "norm": "E1", "action": "block", "words": [w], "notice": "no",
              "examples": {"hit": [w], "miss": ["您好"]}} for i, w in enumerate(chosen)]
    path.write_text(yaml.safe_dump({"pack": "bench", "rules": rules}, allow_unicode=True, sort_keys=False))


class Bench:
    def __init__(self, o, folder, n_words):
        self.o, self.folder, self.n_words, self.started = o, folder, n_words, []
        self.accounts = {f"{role}{i}": "bench" for role in "ac" for i in range(o.pairs)}
        self.pack = folder / "words.yaml"
        self.words = self.choose()
        self.firewall = folder / "words.pfw"
        self.firewall.write_text("::preroute\n" + "".join(
            f"\nKIND: message\nINSPECT: body#/={w}\nBOUNCE=policy-violation\n" for w in self.words))

    def choose(self):
        """So many words that the gateway finds in no text, in no other spelling either."""
        texts, left = TEXTS.read_text(), shipped_words()
        left = [w for w in left if w not in texts]
        while True:
            assert len(left) >= self.n_words, f"only {len(left)} words"
            chosen = left[::len(left) // self.n_words][:self.n_words]
            write_pack(self.pack, chosen)
            found = subprocess.run([self.o.build / "src" / "cli" / "chatgate", "scan", "--rules", self.pack, "--format", "text", TEXTS],
                                   check=True, capture_output=True, text=True).stdout
            hit = {chosen[int(r.removeprefix("bench.word"))] for line in found.splitlines() for r in json.loads(line)["rules"]}
            if not hit:
                return chosen
            left = [w for w in left if w not in hit]

    def prosody(self, name, module=""):
        s = Prosody(self.folder / name, self.accounts, extra=(
            'log = { error = "*console" }\nmodules_enabled = { "roster", "saslauth", "disco", "presence", "message", "iq", "posix", "http", '
            f'"websocket"{module} }}\nfirewall_scripts = {{ "{self.firewall}" }}\n'))
        self.started.append(s)
        return s

    def gate(self, name, rules, port):
        g = Gateway(self.folder / name, port, profile="xmpp", rules=rules, workers=1, program=self.o.build / "src" / "chatgated",
                    upstream_extra="    health: {interval: 1h, fall: 100}", limits="  messages_per_s: 0")
        self.started.append(g)
        return g

    def load(self, targets, *options):
        """targets: name, port of the agents, port of the customers, processes."""
        args = []
        for name, agents, customers, processes in targets:
            args += ["--target", f"{name}=127.0.0.1:{agents},127.0.0.1:{customers}"]
            if processes:
                args += ["--pid", f"{name}={','.join(str(p.pid) for p in processes)}"]
        subprocess.run([self.o.build / "bench" / "chatgate-bench", "xmpp-load", "--corpus", TEXTS, "--pairs", str(self.o.pairs), "--rounds", self.o.rounds,
                        "--secs", self.o.secs, *args, *map(str, options)], check=True)

    def relay(self):
        direct = self.prosody("direct")
        targets = [("direct", direct.c2s, direct.c2s, [direct])]
        for name, rules in (("gate", self.pack), ("gate-all", ROOT / "rules")):
            behind = self.prosody(f"{name}-prosody")
            g = self.gate(name, rules, behind.c2s)
            targets.append((name, g.port, behind.c2s, [g, behind]))
        wall = self.prosody("firewall", ', "firewall"')
        targets.append(("firewall", wall.c2s, wall.c2s, [wall]))
        self.load(targets, "--rate", self.o.rate, "--outstanding", self.o.outstanding)

    def capacity(self):
        wall, port = self.prosody("wall", ', "firewall"'), free_port()
        (self.folder / "none.yaml").write_text("pack: none\nrules: []\n")
        gates = [(name, self.gate(f"{name}-alone", rules, port)) for name, rules in
                 (("none", self.folder / "none.yaml"), ("gate", self.pack), ("gate-all", ROOT / "rules"))]
        for p in [wall, *(g for _, g in gates)]:
            for thread in os.listdir(f"/proc/{p.pid}/task"):
                os.sched_setaffinity(int(thread), {SERVER_CORE})
        self.load([("firewall", wall.c2s, wall.c2s, [wall]), *((name, g.port, port, [g]) for name, g in gates),
                   ("backend", port, port, [])],
                  "--backend", f"127.0.0.1:{port}", "--rate", 0, "--outstanding", self.o.full, "--core", LOAD_CORE)

    def stop(self):
        while self.started:
            self.started.pop().stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", type=lambda p: Path(p).resolve())
    parser.add_argument("--pairs", default=20, type=int)
    for name, value in (("words", "100,1000"), ("parts", "relay,capacity"), ("rounds", "5"), ("secs", "2"), ("rate", "500"),
                        ("outstanding", "8"), ("full", "64")):
        parser.add_argument(f"--{name}", default=value)
    o = parser.parse_args()
    try:
        for n in map(int, o.words.split(",")):
            for part in o.parts.split(","):
                with tempfile.TemporaryDirectory(prefix="cg-bench-") as folder:
                    bench = Bench(o, Path(folder), n)
                    print(f"\n{part}, {n} words, for example {' '.join(bench.words[:5])}:\n", flush=True)
                    try:
                        {"relay": bench.relay, "capacity": bench.capacity}[part]()
                    finally:
                        bench.stop()
    finally:
        for proc in Process.started:  # one that did not come up
            if proc.poll() is None:
                proc.kill()
                proc.wait()


main()
