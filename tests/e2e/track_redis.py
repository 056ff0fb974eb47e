"""A private redis-server and the Lua scripts of src/track/lua, called as the pump and the command line call them."""
import pathlib
import re
import subprocess
import time

import msgpack
import redis

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src" / "track"
LUA = SOURCE / "lua"


def key_names(shard=0):
    names = re.findall(r'X\(KEY_\w+, "([^"]+)"\)', (SOURCE / "schema.h").read_text())
    return [f"cg:{{{shard}}}:{n}" for n in names]


def script_text(name):
    text = (LUA / f"{name}.lua").read_text()
    needs = re.match(r"-- needs: (.+)\n", text)
    names = needs[1].split() if needs else []
    rare = "".join((LUA / f"{n[5:]}.lua").read_text() + "\n" for n in names if n.startswith("rare:"))
    if rare:  # as embed_lua.cmake does
        rare = ("local rare_made\nfunction rare()\n    rare_made = rare_made or (function()\n" + rare +
                "end)()\n    return rare_made\nend\n")
    return "".join((LUA / f"{n}.lua").read_text() for n in names if not n.startswith("rare:")) + rare + text


def values(packed):
    """Values one behind the other."""
    reader = msgpack.Unpacker(raw=True)
    reader.feed(packed)
    return [v.decode() if isinstance(v, bytes) else v for v in reader]


def fingerprint(key):
    h = 7
    for b in key.encode():
        h = (h * 31 + b) % 16777216
    return h.to_bytes(3, "big")


def short_form(e):
    """The bytes of a plain message as src/track/event.c makes them; None when it has more to say."""
    if e["k"] not in ("in", "out") or any(e.get(f) for f in ("edit", "ckind", "conf", "hraw", "hid")) or not e.get("conv"):
        return None
    is_in = e["k"] == "in"
    flags = int(bool(e.get("live"))) if is_in else sum(bit for f, bit in (("dlv", 1), ("human", 2), ("ackonly", 4)) if e.get(f))
    who = e.get("sender" if is_in else "agent", "")
    key = ("i:" if is_in else "o:") + (e["mid"] if e.get("mid") else f"\t{who}\t{e['at']}\t{e.get('th', '')}")
    out = [e["k"], e["at"], flags, *(e.get(f, "") for f in ("agent", "team", "shop", "conv", "cust", "mid")),
           e.get("sender", "") if is_in else "", e.get("act", 0), *(e.get(f, "") for f in ("rules", "shadow", "rv", "th")),
           fingerprint(key)]
    if e.get("oc") or e.get("due"):
        out += [e.get("ob", 0), e.get("oc", 0)] + ([e["due"], e.get("prule", "")] if e.get("due") else [])
    return b"".join(msgpack.packb(v, use_bin_type=False) for v in out)


def read_head(b):
    """The head of a conversation, as src/track/lua/rounds.lua describes it."""
    h, at = {}, 0
    for name, size in (("version", 1), ("top", 6), ("total", 4), ("exp", 6), ("at", 6), ("since", 6), ("n", 4), ("last", 6),
                       ("news", 6), ("rep", 1), ("so", 6), ("sc", 4)):
        h[name] = int.from_bytes(b[at:at + size], "big")
        at += size
    for name in ("cu", "og", "g", "p", "ref", "extra", "fps"):
        size = int.from_bytes(b[at:at + 2], "big")
        h[name] = b[at + 2:at + 2 + size]
        at += 2 + size
    return h


class Server:
    def __init__(self, folder):
        self.socket = str(folder / "redis.sock")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", str(folder)],
            stdout=open(folder / "redis.log", "w"))
        self.db = redis.Redis(unix_socket_path=self.socket)
        until = time.monotonic() + 20
        while True:
            try:
                self.db.ping()
                return
            except redis.exceptions.ConnectionError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise
                time.sleep(0.01)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Shard:
    """One shard of the schema in one Redis."""

    def __init__(self, db, shard=0):
        self.db, self.shard, self.keys = db, shard, key_names(shard)
        self.counting = ()  # zone of days and measure, as gateways of this version tell with every call
        self.sha = {}

    def key(self, name):
        return f"cg:{{{self.shard}}}:{name}"

    def run(self, script, *args):
        if script not in self.sha:
            self.sha[script] = self.db.script_load(script_text(script))
        return self.db.evalsha(self.sha[script], len(self.keys), *self.keys, *args)

    def apply(self, ring, records, offset=0, node="n1", version="2"):
        """records: (sequence number, event) pairs. Returns (last, applied, duplicates, status)."""
        args = []
        for seq, event in records:
            args += [seq, event if isinstance(event, bytes) else msgpack.packb(event)]
        last, applied, dups, status = self.run("apply", version, ring, offset, node, len(records), *args,
                                               *self.counting)
        return last, applied, dups, status.decode()

    def now(self):
        s, us = self.db.time()
        return s * 1000 + us // 1000

    def read(self, *question):
        rows = self.run("read", *question)[1:]
        return [[v.decode() if isinstance(v, bytes) else v for v in row] for row in rows]

    def packed(self, name):
        return {k.decode(): msgpack.unpackb(v, strict_map_key=False) for k, v in self.db.hgetall(self.key(name)).items()
                if not k.startswith(b"#")}

    def conversations(self):
        """The heads of all conversations, as src/track/lua/rounds.lua describes them."""
        return {k.decode(): read_head(v) for k, v in self.db.hgetall(self.key("conv")).items()}

    def stream(self, **match):
        out = []
        for _, e in self.db.xrange(self.key("stream")):
            e = {k.decode(): v.decode() for k, v in e.items()}
            if all(e.get(k) == v for k, v in match.items()):
                out.append(e)
        return out

    def state(self):
        """What must not depend on the order of arrival, read from the raw keys as docs/redis.md describes them."""
        self.read("figures", 0, 1, "a", "")  # folds what was counted last into the hashes
        s = {"waiting": {}, "figures": {}, "cases": {}, "open": set(), "done": set()}
        convs = self.conversations()
        for conv, since in self.db.zrange(self.key("waiting"), 0, -1, withscores=True):
            h = convs[conv.decode()]
            assert h["since"] == since
            s["waiting"][conv.decode()] = (int(since), *values(h["og"]), h["n"])
        s["rounds"] = sorted(tuple(v.decode() if isinstance(v, bytes) else v for v in msgpack.unpackb(r)[:9])
                             for r in self.db.zrange(self.key("rounds"), 0, -1))
        for slot in [f"hours:{i}" for i in range(8)] + [f"days:{i}" for i in range(4)]:
            for field, m in self.packed(slot).items():
                if not field.endswith("|v"):
                    b = m["b"]
                    m = {**m, "b": {int(k): v for k, v in (b.items() if isinstance(b, dict) else enumerate(b, 1))}}
                s["figures"][slot[0] + field] = m
        s["due"] = sorted((m.decode().split("\n")[0], int(at)) for m, at in
                          self.db.zrange(self.key("due"), 0, -1, withscores=True))
        cases = self.packed("case")
        for c in cases.values():
            s["cases"].setdefault(c["cu"], []).append(
                {"state": c["s"], "opened": c["opened"], "sev": c["sv"], "kinds": list(c["kinds"]), "n": c["n"],
                 "orders": list(c["od"]), "words": c["wo"], "done": c["done"],
                 "hist": [tuple(h) for h in c["hist"]]})
        for c in s["cases"].values():
            c.sort(key=lambda case: case["opened"])
        for name in ("open", "done"):
            for i, at in self.db.zrange(self.key("case_" + name), 0, -1, withscores=True):
                s[name].add((cases[i.decode()]["cu"], int(at)))
        return s
