"""A private redis-server and the Lua scripts of src/track/lua, called as the pump and the command line call them."""
import collections
import pathlib
import re
import subprocess
import time

import msgpack
import redis

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src" / "track"
LUA = SOURCE / "lua"
HOUR_MS = 3600000


def key_names(shard=0):
    names = re.findall(r'X\(KEY_\w+, "([^"]+)"\)', (SOURCE / "schema.h").read_text())
    return [f"cg:{{{shard}}}:{n}" for n in names]


def script_text(name):
    """As embed_lua.cmake puts it together."""
    own = (LUA / f"{name}.lua").read_text()
    needs = re.match(r"-- needs: (.+)\n", own)
    text, opened = "", []
    for need in needs[1].split() + [""] if needs else []:
        *groups, file = need.split(":")
        depth = 0
        while depth < min(len(groups), len(opened)) and groups[depth] == opened[depth]:
            depth += 1
        while len(opened) > depth:
            text += f"end)()\n    return {opened.pop()}_made\nend\n"
        for group in groups[depth:]:
            text += f"local {group}_made\nfunction {group}()\n    {group}_made = {group}_made or (function()\n"
            opened.append(group)
        text += (LUA / f"{file}.lua").read_text() + "\n" if file else ""
    return text + own


def values(packed):
    """Values one behind the other."""
    reader = msgpack.Unpacker(raw=True)
    reader.feed(packed)
    return [v.decode() if isinstance(v, bytes) else v for v in reader]


def fingerprint(key, size=2):
    h = 7
    for b in key.encode():
        h = (h * 31 + b) % 256 ** size
    return h.to_bytes(size, "big")


def parts(e):
    """Kind, flags and key of a plain message; None when it has more to say."""
    if e["k"] not in ("in", "out") or any(e.get(f) for f in ("edit", "ckind", "conf", "hraw", "hid")) or not e.get("conv"):
        return None
    is_in = e["k"] == "in"
    flags = int(bool(e.get("live"))) if is_in else sum(bit for f, bit in (("dlv", 1), ("human", 2), ("ackonly", 4)) if e.get(f))
    who = e.get("sender" if is_in else "agent", "")
    return is_in, flags, ("i:" if is_in else "o:") + (e["mid"] if e.get("mid") else f"\t{who}\t{e['at']}\t{e.get('th', '')}")


def text(v, size=1):
    b = v if isinstance(v, bytes) else v.encode()
    return len(b).to_bytes(size, "big") + b


def plain_form(e):
    """The bytes of a plain message as src/track/event_plain.c makes them; None when it has more to say."""
    if not parts(e):
        return None
    is_in, flags, key = parts(e)
    what = (1 if flags else 2) if is_in else 3 if flags % 4 == 3 else 4
    who = b"".join(msgpack.packb(e.get(f, ""), use_bin_type=False) for f in ("agent", "team", "shop"))
    record = (e["at"].to_bytes(6, "big") + bytes([3 if is_in else 1 + 2 * (flags & 4)]) +
              (0 if is_in else e.get("due", 0)).to_bytes(6, "big") + (e.get("ob", 0) if e.get("oc") else 0).to_bytes(6, "big") +
              e.get("oc", 0).to_bytes(4, "big") + text(key) + text(who, 2) + text("" if is_in else e.get("th", "")) +
              text(e.get("prule", "") if e.get("due") and not is_in else ""))
    marks = bool(e.get("act") or e.get("rules") or e.get("shadow"))
    return (bytes([1, what, marks]) + fingerprint(key) + len(record).to_bytes(2, "big") + text(e["conv"]) + record +
            bytes([flags, e.get("act", 0)]) + text(e.get("cust", "")) + text(e.get("sender", "") if is_in else "") +
            b"".join(text(e.get(f, "")) for f in ("rv", "rules", "shadow")))


def conv_of(plain):
    return plain[8:8 + plain[7]]


def shifted(plain, ms):
    """As the pump does it: times on Redis's clock, but of replayed messages."""
    at = 8 + plain[7]
    moved = max(int.from_bytes(plain[at:at + 6], "big") + (0 if plain[1] == 2 else ms), 0)
    return plain[:at] + moved.to_bytes(6, "big") + plain[at + 6:]


def frame(number, event):
    return number.to_bytes(6, "big") + text(event, 2)


def short_form(e):
    """The same as gateways of schema versions 1 and 2 made it."""
    if not parts(e):
        return None
    is_in, flags, key = parts(e)
    out = [e["k"], e["at"], flags, *(e.get(f, "") for f in ("agent", "team", "shop", "conv", "cust", "mid")),
           e.get("sender", "") if is_in else "", e.get("act", 0), *(e.get(f, "") for f in ("rules", "shadow", "rv", "th")),
           fingerprint(key, 3)]
    if e.get("oc") or e.get("due"):
        out += [e.get("ob", 0), e.get("oc", 0)] + ([e["due"], e.get("prule", "")] if e.get("due") else [])
    return b"".join(msgpack.packb(v, use_bin_type=False) for v in out)


def read_head(b):
    """The head of a conversation, as src/track/lua/conv_form.lua describes it."""
    if b[0] in (4, 5, 6):
        return read_short_head(b)
    h, at = {}, 0
    for name, size in (("version", 1), ("top", 6), ("total", 4), ("exp", 6), ("at", 6), ("since", 6), ("n", 4), ("last", 6),
                       ("news", 6), ("rep", 1), ("so", 6), ("sc", 4)):
        h[name] = int.from_bytes(b[at:at + size], "big")
        at += size
    for name, size in (("cu", 1), ("og", 2), ("g", 2), ("rare", 2)):
        n = int.from_bytes(b[at:at + size], "big")
        h[name] = b[at + size:at + size + n]
        at += size + n
    return {**h, "fps": b[at:]}


def read_short_head(b):
    r = Bytes(b)
    h = {"version": r.number(1), "top": r.number(6), "total": r.number(4), "news": r.number(6)}
    h |= {"at": h["top"], "since": 0, "n": 0, "last": h["top"], "rep": 1, "so": 0, "sc": 0, "rare": b""}
    if h["version"] > 4:
        h["since"], n, h["last"] = r.number(6), r.number(4), r.number(6)
        h["n"], h["rep"] = divmod(n, 2)
    if h["version"] > 5:
        h["so"], h["sc"] = r.number(6), r.number(4)
    who, h["cu"] = r.take(r.number(2)), r.take(r.number(1))
    return {**h, "og": who if h["since"] else b"", "g": who if h["last"] else b"", "fps": b[r.at:]}


def told(fields):
    """What an entry of the stream tells: an event, or the messages of a batch (docs/redis.md, "Stream")."""
    if fields.get(b"k") != b"batch":
        return [{k.decode(): v.decode(errors="replace") for k, v in fields.items()}]
    return batch(fields[b"id"].decode().rpartition(":")[0], fields[b"node"].decode(), fields[b"b"])


def read_stream(db, key):
    return [e for _, fields in db.xrange(key) for e in told(fields)]


class Bytes:
    def __init__(self, b):
        self.b, self.at = b, 0

    def take(self, n):
        self.at += n
        assert self.at <= len(self.b)
        return self.b[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def text(self, size=1):
        return self.take(self.number(size)).decode(errors="replace")


def batch(ring, node, frames):
    b = Bytes(frames)
    while b.at < len(frames):
        e = {"id": f"{ring}:{b.number(6)}", "node": node}
        end = b.number(2) + b.at
        assert b.number(1) == 1
        is_in, has_entry = b.number(1) <= 2, b.number(1)
        b.take(2 + 2)
        e |= {"k": "in" if is_in else "out", "conv": b.text(), "at": str(b.number(6))}
        b.take(1)
        due = b.number(6)
        b.take(6 + 4)
        key = b.text()
        e["mid"] = "" if key[2:3] == "\t" else key[2:]
        who = msgpack.Unpacker(raw=False)
        who.feed(b.take(b.number(2)))
        e["agent"], e["team"], e["shop"] = who
        b.text()
        rule, flags, act = b.text(), b.number(1), b.number(1)
        names = ("live",) if is_in else ("dlv", "human", "ackonly")
        e |= {n: "1" if flags >> i & 1 else "" for i, n in enumerate(names)}
        e |= {"cust": b.text(), "sender": b.text(), "rv": b.text(), "rules": b.text(), "shadow": b.text()}
        e |= {"act": str(act or ""), "due": str(due or ""), "prule": rule if due else ""}
        assert b.at == end
        if not has_entry:  # otherwise the same stands in an entry of its own
            yield {k: v for k, v in e.items() if v != ""}


def count_plain(counts, event):
    """What a gateway counts of a plain message that has no more to say (src/track/pump_pack.c)."""
    b = Bytes(event)
    b.take(1)
    what, marks = b.number(1), b.number(1)
    b.take(2 + 2)
    b.text()
    at = b.number(6)
    b.take(1 + 6 + 6 + 4)
    b.text()
    if not marks:
        counts[at, b.take(b.number(2)), what <= 2] += 1


def counted(counts, step):
    """The entry of `figlog` for them."""
    hours = {}
    for (at, who, is_in), n in counts.items():
        hours.setdefault((at // step * step / HOUR_MS, who), [0, 0])[not is_in] += n
    return msgpack.packb([1] + [v for (hour, who), n in hours.items() for v in (hour, who, *n)], use_bin_type=False) if hours else b""


class Server:
    def __init__(self, folder):
        self.socket = str(folder / "redis.sock")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", str(folder)],
            stdout=open(folder / "redis.log", "w"))
        self.db = redis.Redis(unix_socket_path=self.socket)
        until = time.monotonic() + 60
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
        self.process.wait(60)


class Shard:
    """One shard of the schema in one Redis."""

    def __init__(self, db, shard=0):
        self.db, self.shard, self.keys = db, shard, key_names(shard)
        self.counting = ()  # zone of days and measure, as gateways of this version tell with every call
        self.zones = "-"  # shops with days of their own
        self.tell = None  # what apply is told of the records beside them: None something, True all, a text all but who is busy, False nothing
        self.sha = {}

    def key(self, name):
        return f"cg:{{{self.shard}}}:{name}"

    def run(self, script, *args):
        if script not in self.sha:
            self.sha[script] = self.db.script_load(script_text(script))
        return self.db.evalsha(self.sha[script], len(self.keys), *self.keys, *args)

    def apply(self, ring, records, offset=0, node="n1", version="4"):
        """records: (sequence number, event) pairs. Returns (last, applied, duplicates, status)."""
        frames, convs, counts = b"", collections.Counter(), collections.Counter()
        for seq, event in records:
            event = event if isinstance(event, bytes) else msgpack.packb(event)
            if event[:1] == b"\x01":
                event = shifted(event, offset)
                convs[conv_of(event)] += 1
                count_plain(counts, event)
            frames += frame(seq, event)
        tell = self.tell
        named = sorted(c for c in convs if tell or tell is None and c[-1] % 3)  # the script finds those that are not named, too
        busy = [c for c in named if convs[c] > 1 and (tell is True or tell is None and len(frames) % 3)]  # it does not rely on being told
        named = busy + [c for c in named if c not in busy]
        counting = self.counting or [v or b"" for v in self.db.hmget(self.key("info"), "zone", "tracking")]
        parts = self.parts(counting[0])
        is_whole = all(b[0] == a[0] + 1 for a, b in zip(records, records[1:])) and (tell or tell is None and len(frames) % 2)
        figures = counted(counts, HOUR_MS // int(parts)) if is_whole else b""
        last, applied, dups, status = self.run("apply", version, ring, offset, node, frames, *counting, parts, self.zones, figures, len(busy), *named)
        return last, applied, dups, status.decode()

    def parts(self, zone):
        """Into how many parts days of these zones cut an hour."""
        zone = zone.decode() if isinstance(zone, bytes) else zone
        offsets = re.findall(r"(?m)^\S+ (-?\d+)(?: (-?\d+))?", f"{zone}\n{self.zones}")
        return "4" if any(int(v or 0) % 3600000 for pair in offsets for v in pair) else "1"

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
        """The heads of all conversations, as src/track/lua/conv_form.lua describes them."""
        return {k.decode(): read_head(v) for k, v in self.db.hgetall(self.key("conv")).items()}

    def stream(self, **match):
        out = []
        for e in read_stream(self.db, self.key("stream")):
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
                if not field.endswith(("|v", "|h")):
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
