"""The reference: what a stream of events means, computed plainly over the whole stream in time order, with no windows, no
corrections and no knowledge of the Lua code. And a maker of random streams as several rings would record them."""
import math
import re

LIMITS = (3000, 30000, 60000, 180000, 300000)
HOUR, DAY, SESSION, REOPEN = 3600000, 86400000, 8 * 3600000, 7 * 86400000
ACTIONS = ("pass", "warn", "rewrite", "hold", "block")
LIVE = ("open", "acknowledged", "waiting", "reopened")


def bucket(ms):
    if ms < 64:
        return ms
    shift = int(math.log2(ms)) - 6 if ms < 1 << 30 else ms.bit_length() - 7
    return (shift + 1) * 64 + (ms >> shift) - 64


class Reference:
    def __init__(self, events):
        """events: dictionaries with true times in "at" (all clocks corrected)."""
        self.figures, self.rounds, self.cases, self.waiting, self.due = {}, [], {}, {}, []
        events = self.without_copies(events)
        for e in events:
            self.count(e)
        for conv in sorted({e["conv"] for e in events}):
            self.conversation(conv, [e for e in events if e["conv"] == conv])
        for customer in sorted({e["cust"] for e in events}):
            self.complaints(customer, [e for e in events if e["cust"] == customer and e["k"] == "in"])

    def without_copies(self, events):
        """One message seen by several gateways counts once, at the earliest time."""
        kept = {}
        for i, e in enumerate(sorted(events, key=lambda e: (e["at"], e.get("agent", "")))):
            if e["k"] == "in":
                key = ("in", e["conv"], e.get("mid") or (e["sender"], e["at"], e["th"]))
            elif e["k"] == "out" and e.get("dlv") and e.get("human") and not e.get("edit"):
                key = ("out", e["conv"], e["mid"])
            else:
                key = i
            kept.setdefault(key, e)
        return list(kept.values())

    def bump(self, at, e, kind, fn):
        for grain, number in (("h", at // HOUR), ("d", at // DAY)):
            for scope, name in (("a", e.get("agent")), ("t", e.get("team")), ("s", e.get("shop"))):
                if name:
                    fn(self.figures.setdefault(f"{grain}{number}|{scope}|{name}|{kind}", {}))

    def add(self, at, e, what):
        def fn(m):
            m[what] = m.get(what, 0) + 1
        self.bump(at, e, "v", fn)

    def rules(self, e, what):
        for scope, names in (("r", e.get("rules")), ("x", e.get("shadow"))):
            for name in filter(None, (names or "").split(",")):
                for grain, number in (("h", e["at"] // HOUR), ("d", e["at"] // DAY)):
                    m = self.figures.setdefault(f"{grain}{number}|{scope}|{name}|v", {})
                    m[what] = m.get(what, 0) + 1
                if e.get("agent"):
                    m = self.figures.setdefault(f"h{e['at'] // DAY}|a|{e['agent']}|h", {})
                    hit = f"{what}{'@' if scope == 'r' else '?'}{name}"
                    m[hit] = m.get(hit, 0) + 1

    def count(self, e):
        what = {"in": "in", "out": ACTIONS[e.get("act", 0)], "refused": "refused"}[e["k"]]
        self.add(e["at"], e, what)
        if e["k"] != "refused":
            self.rules(e, "pass" if e["k"] == "in" else what)

    def reply(self, e, start, first, n, conv):
        ms = e["at"] - start

        def fn(m):
            m["n"], m["sum"] = m.get("n", 0) + 1, m.get("sum", 0) + ms
            m["w"] = [w + (ms <= limit) for w, limit in zip(m.get("w", [0] * 5), LIMITS)]
            m.setdefault("b", {})[bucket(ms)] = m.get("b", {}).get(bucket(ms), 0) + 1
        self.bump(e["at"], e, "f" if first else "n", fn)
        self.rounds.append((conv, e["cust"], start, e["at"], e["agent"], e["team"], e["shop"], int(first), n))

    def conversation(self, conv, events):
        refused = {e["mid"] for e in events if e["k"] == "refused"}
        asked, replied, before, promises = [], False, None, []
        for e in sorted(events, key=lambda e: e["at"]):
            if e["k"] == "in":
                if not asked and before is not None and e["at"] - before > SESSION:
                    replied = False
                asked.append(e)
            elif e["k"] == "out" and e.get("dlv") and e.get("human") and not e.get("edit") and e["mid"] not in refused:
                if asked:
                    self.reply(e, asked[0]["at"], not replied, len(asked), conv)
                asked, replied = [], True
                if not e.get("ackonly"):
                    for p in promises:
                        late = e["at"] > p["due"]
                        self.add(e["at"], p, "promise_broken" if late else
                                 "promise_extended" if e.get("due") else "promise_kept")
                    promises = []
                if e.get("due"):
                    promises.append(e)
            else:
                continue
            before = e["at"]
        if asked:
            a = asked[0]
            self.waiting[conv] = (a["at"], a["agent"], a["team"], a["shop"], len(asked))
        self.due += [(conv, p["due"]) for p in promises]

    def complaints(self, customer, events):
        cases = []
        for e in sorted(events, key=lambda e: e["at"]):
            cur = cases[-1] if cases else None

            def move(to, who, why):
                cur["hist"].append((e["at"], cur["state"], to, who, why))
                cur["state"], cur["done"] = to, 0 if to in LIVE else e["at"]
            if e.get("ckind"):
                orders = [o for o in re.findall(r"[0-9]+", e["words"])
                          if 10 <= len(o) <= 20 and not re.fullmatch("1[3-9].{9}", o)]  # no mobile numbers
                if cur and (cur["state"] in LIVE or e["at"] - cur["done"] <= REOPEN):
                    cur["n"] += 1
                    cur["sev"] = max(cur["sev"], e["sev"])
                    cur["kinds"] += [e["ckind"]] if e["ckind"] not in cur["kinds"] else []
                    cur["orders"] = list(dict.fromkeys(cur["orders"] + orders))[:8]
                    if cur["state"] not in LIVE:
                        move("reopened", "customer", e["crule"])
                else:
                    cur = {"state": "", "opened": e["at"], "sev": e["sev"], "kinds": [e["ckind"]], "n": 1,
                           "orders": list(dict.fromkeys(orders)), "words": e["words"], "done": 0, "hist": []}
                    cases.append(cur)
                    move("open", "customer", e["crule"])
            elif e.get("conf") and cur and cur["state"] in LIVE:
                move("solved", "customer", "confirmed")
        if cases:
            self.cases[customer] = cases

    def state(self):
        return {"waiting": self.waiting, "rounds": sorted(self.rounds), "figures": self.figures, "due": sorted(self.due),
                "cases": self.cases,
                "open": {(u, c["opened"]) for u, l in self.cases.items() for c in l if c["state"] in LIVE},
                "done": {(u, c["done"]) for u, l in self.cases.items() for c in l if c["state"] not in LIVE}}


class Maker:
    """A random stream over some conversations, agents and gateways. self.true: all events with true times;
    self.rings: per gateway the records as its clock (off by self.offset) saw them."""
    AGENTS = (("ann", "red", "shop1"), ("bob", "red", "shop1"), ("cay", "blue", "shop2"))

    def __init__(self, rng, start, length, conversations=3, rings=3, per_conversation=32, span=18 * HOUR):
        self.rng, self.true = rng, []
        self.rings = [[] for _ in range(rings)]
        self.offset = [0] + [rng.randint(-2000, 2000) for _ in range(rings - 1)]
        self.number, self.left = 0, {f"c{i}": per_conversation for i in range(conversations)}
        self.log_left = {}
        at, end = start, start + span
        for _ in range(length):
            at += rng.choice((1, rng.randint(2, 900), rng.randint(1000, 90000), rng.randint(60000, 900000),
                              9 * HOUR if rng.random() < 0.02 else 500))
            if at < end:
                self.one(at)

    def put(self, e, ring):
        self.true.append(e)
        seen = dict(e)
        if e["k"] != "in" or e.get("live"):
            seen["at"] = e["at"] - self.offset[ring]
        self.rings[ring].append({k: v for k, v in seen.items() if v not in ("", 0, False)})

    def spend(self, conv):
        if self.left[conv] == 0:
            return False
        self.left[conv] -= 1
        return True

    def one(self, at):
        rng = self.rng
        self.number += 1
        conv, ring = rng.choice(list(self.left)), rng.randrange(len(self.rings))
        agent, team, shop = rng.choice(self.AGENTS)
        e = {"at": at, "conv": conv, "cust": "u0" if conv in ("c0", "c1") else "u" + conv, "agent": agent, "team": team,
             "shop": shop, "mid": f"m{self.number}", "th": f"{self.number:016x}", "rules": rng.choice(("", "r.a", "r.a,r.b")),
             "shadow": rng.choice(("", "", "s.x"))}
        if rng.random() < 0.5:
            self.incoming(e, ring)
        else:
            self.outgoing(e, ring)

    def incoming(self, e, ring):
        rng = self.rng
        if not self.spend(e["conv"]):
            return
        e.update(k="in", sender=e["cust"], live=rng.random() < 0.7)
        if not e["live"] and rng.random() < 0.5:
            e["mid"] = ""
        if rng.random() < 0.3 and self.log_left.setdefault(e["cust"], 16) > 0:
            self.log_left[e["cust"]] -= 1
            if rng.random() < 0.5:
                e["conf"] = True
            else:
                order = rng.randrange(10**9, 10**12)
                e.update(ckind=rng.choice(("refund", "damaged", "late")), sev=rng.randint(1, 4), crule="rule." + "xyz"[rng.randrange(3)],
                         words=f"坏了,订单{order} {self.number}")
        self.put(e, ring)
        while rng.random() < 0.25:  # another device or gateway shows it as well
            agent, team, shop = rng.choice(self.AGENTS)
            later = e["at"] + (rng.randint(0, 3000) if e["live"] else 0)
            self.put({**e, "at": later, "agent": agent, "team": team, "shop": shop}, rng.randrange(len(self.rings)))

    def outgoing(self, e, ring):
        rng = self.rng
        e.update(k="out", act=rng.choice((0, 0, 0, 1, 2, 3, 4)), human=rng.random() < 0.9, edit=rng.random() < 0.1)
        e["dlv"] = e["act"] < 3 and rng.random() < 0.95
        if e["dlv"] and e["human"] and not e["edit"]:
            if not self.spend(e["conv"]):
                return
            e["ackonly"] = rng.random() < 0.3
            if rng.random() < 0.3:
                e["due"] = e["at"] + rng.choice((20000, 600000, 2 * HOUR))
            self.put(e, ring)
            if rng.random() < 0.15 and self.spend(e["conv"]):
                r = {k: e[k] for k in ("conv", "cust", "agent", "team", "shop", "mid", "th")}
                self.put({**r, "k": "refused", "at": e["at"] + rng.randint(1, 500)}, ring)
        else:
            self.put(e, ring)
