#!/usr/bin/python3
"""XMPP messages through chatgated, through Prosody alone, and through Prosody with its own mod_firewall and the same words,
in one run. Needs Debian's prosody, prosody-modules and python3-yaml, and a build with -DCHATGATE_BENCH=ON.

  bench/xmpp.py --build build [--words 200] [--rounds 5] [--secs 3] [--rate 500] [--pairs 20] [--outstanding 8]

Three servers of the same configuration, each with its own customers: `direct` is reached by agents at once, `gate` through
chatgated (one worker; no Redis) with a rule of these words, `gate-all` with all shipped packs, `firewall` blocks the words
itself. Words stand in none of the texts, so that everything is delivered. Everything is on the loopback interface."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from gateway import Gateway, Process  # noqa: E402
from xmpp_servers import Prosody  # noqa: E402

TEXTS = ROOT / "bench" / "texts.txt"


def words(n):
    """Plain words of the shipped packs and lists that stand in no text."""
    found, texts = {}, TEXTS.read_text()
    for path in sorted(ROOT.glob("rules/*.yaml")) + sorted(ROOT.glob("rules/lists/*")):
        parts = [yaml.safe_load(path.read_text())] if path.suffix == ".yaml" else [path.read_text().split()]
        while parts:
            at = parts.pop()
            if isinstance(at, dict):
                parts += [v for k, v in at.items() if k not in ("examples", "title", "notice", "id", "cite")]
            elif isinstance(at, list):
                parts += at
            elif isinstance(at, str) and 2 <= len(at) <= 8 and all("\u4e00" <= c <= "\u9fff" for c in at) and at not in texts:
                found[at] = True
    found = sorted(found)
    assert len(found) >= n, f"only {len(found)} words"
    return found[::len(found) // n][:n]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", type=Path)
    parser.add_argument("--words", default=200, type=int)
    parser.add_argument("--pairs", default=20, type=int)
    for name, value in (("rounds", "5"), ("secs", "3"), ("rate", "500"), ("outstanding", "8")):
        parser.add_argument(f"--{name}", default=value)
    o = parser.parse_args()
    accounts = {f"{role}{i}": "bench" for role in "ac" for i in range(o.pairs)}
    with tempfile.TemporaryDirectory(prefix="cg-bench-") as folder:
        folder = Path(folder)
        chosen = words(o.words)
        firewall = "::preroute\n" + "".join(f"\nKIND: message\nINSPECT: body#/={w}\nBOUNCE=policy-violation\n" for w in chosen)
        (folder / "words.pfw").write_text(firewall)
        (folder / "pack").mkdir()
        (folder / "pack" / "words.yaml").write_text(yaml.safe_dump({"pack": "bench", "rules": [{
            "id": "bench.words", "title": "words", "norm": "E1", "action": "block", "words": chosen, "notice": "no",
            "examples": {"hit": [chosen[0]], "miss": ["您好"]}}]}, allow_unicode=True, sort_keys=False))
        quiet = 'log = { error = "*console" }\nmodules_enabled = { "roster", "saslauth", "disco", "presence", "message", "iq", "posix", "http", "websocket" '
        started, targets = [], []

        def server(name, extra=""):
            s = Prosody(folder / name, accounts, extra=quiet + extra + " }\n"
                        + f'firewall_scripts = {{ "{folder / "words.pfw"}" }}\n')
            started.append(s)
            return s

        def target(name, agents, customers, *processes):
            pids = ",".join(str(p.pid) for p in processes)
            targets.extend(["--target", f"{name}={agents}/{customers}", "--pid", f"{name}={pids}"])

        def gate(name, rules, behind):
            g = Gateway(folder / name, behind.c2s, profile="xmpp", rules=rules, workers=1,
                        program=o.build.resolve() / "src" / "chatgated")
            started.append(g)
            return g

        try:
            direct = server("direct")
            target("direct", direct.c2s, direct.c2s, direct)
            for name, rules in (("gate", folder / "pack"), ("gate-all", ROOT / "rules")):
                behind = server(f"{name}-prosody")
                g = gate(name, rules, behind)
                target(name, g.port, behind.c2s, g, behind)
            wall = server("firewall", ', "firewall"')
            target("firewall", wall.c2s, wall.c2s, wall)
            subprocess.run([o.build.resolve() / "bench" / "xmpp_load", "--texts", TEXTS, "--pairs", str(o.pairs), "--rounds", o.rounds,
                            "--secs", o.secs, "--rate", o.rate, "--outstanding", o.outstanding, *targets], check=True)
            print(f"\n{len(chosen)} words, for example {' '.join(chosen[:5])}")
        finally:
            for s in started:
                s.stop()
            for proc in Process.started:  # one that did not come up
                if proc.poll() is None:
                    proc.kill()
                    proc.wait()


main()
