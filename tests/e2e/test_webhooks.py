"""Webhooks against real receivers: signed, at least once with one delivery id, whatever the receiver does and whichever
gateway dies; robots in their own formats and within their limits; nothing goes where it must not."""

import asyncio
import base64
import hashlib
import hmac
import json
import signal
import time
import urllib.parse

import pytest
from gateway import PATIENCE, SOURCE, Agent, Backend, Gateway, Redis, run, until, wait_for
from hook_receiver import Receiver, check_signature
from track_redis import Shard

RULES = SOURCE / "tests" / "e2e" / "rules"
SECRET = "a secret of the deployment"
FAST = "[{after: 1s, to: agent}, {after: 2s, to: supervisor}]"


def target(folder, url, name="desk", secret=SECRET, url_file=False, **keys):
    lines = {"name": name, "timeout": "20s", **keys}
    if secret:
        (folder / f"{name}.secret").write_text(secret + "\n")
        lines["secret_file"] = folder / f"{name}.secret"
    if url_file:
        (folder / f"{name}.url").write_text(url + "\n")
        lines["url_file"] = folder / f"{name}.url"
    else:
        lines["url"] = f'"{url}"'
    return "    - {" + ", ".join(f"{k}: {v}" for k, v in lines.items()) + "}\n"


def gateway(folder, port, redis, targets, node="one", steps="[]", hosts="[localhost]", networks="[127.0.0.0/8, '::1/128']",
            retry="24h", **more):
    return Gateway(folder / node, port, redis=redis, node=node, rules=RULES, extra=f"""
reminders:
  unanswered: {steps}
webhooks:
  allow_hosts: {hosts}
  allow_networks: {networks}
  retry_for: {retry}
  targets:
{targets}""", **more)


def wait_ready(redis):
    """The gateways have told the scripts that somebody wants events."""
    wait_for("all shards know of webhooks", lambda: all(
        redis.client().hexists(f"cg:{{{i}}}:info", "hooks_until") for i in range(16)))


def left(redis):
    """Events and deliveries that still lie in Redis."""
    r = redis.client()
    return sum(r.hlen(f"cg:{{{i}}}:hook") + r.zcard(f"cg:{{{i}}}:hook_at") + r.zcard(f"cg:{{{i}}}:hook_urgent")
               for i in range(16))


def hurry(redis):
    """What is to be tried again later is due now, as if the time had passed."""
    r = redis.client()
    for i in range(16):
        for queue in ("hook_at", "hook_urgent"):
            for member in r.zrange(f"cg:{{{i}}}:{queue}", 0, -1):
                r.zadd(f"cg:{{{i}}}:{queue}", {member: 1}, xx=True)


def complain(redis, n, sev=3, first=0, shop="s1", ago=0):
    """Complaints as a gateway's pump would record them, of many customers at once."""
    for i in range(first, first + n):
        shard = Shard(redis.client(), i % 16)
        seq = 1 + int(shard.db.hget(shard.key("applied"), "test") or 0)
        assert shard.apply("test", [(seq, {"k": "in", "at": shard.now() - ago, "live": True, "conv": f"c{i}", "cust": f"u{i}",
                                           "mid": f"m{i}", "agent": "amy", "shop": shop, "ckind": "refund", "sev": sev,
                                           "crule": "r", "words": "客户的话"})])[3] == "OK"


def test_reminders_and_cases_arrive_signed_over_tls(folder, certificates):
    async def go():
        with Receiver(certificates) as hook:
            async with Backend() as b:
                redis = Redis(folder / "redis")
                g = gateway(folder, b.port, redis, target(folder, hook.url + "/in?a=1", ca=certificates / "ca.pem"),
                            steps=FAST)
                wait_ready(redis)
                async with Agent(g.url, "amy") as amy:
                    await b.say("amy", "客户1", "你们发错货了，订单 20260101123456", "in-1")
                    assert (await amy.until("notice"))["conversationId"] == "客户1"
                    await until("case and supervisor's reminder", lambda: len(hook.got()) == 2)
                await until("all told", lambda: left(redis) == 0)
                await until("and seen to be", lambda: g.metrics()["chatgate_webhook_waiting"] == 0)
                (case,), (reminder,) = hook.got(event="case"), hook.got(event="reminder")
                for r in (case, reminder):
                    check_signature(r, SECRET)
                    assert r["path"] == "/in?a=1" and r["headers"]["Host"] == f"localhost:{hook.port}"
                    assert r["headers"]["X-Chatgate-Delivery"] == r["body"]["id"] and len(r["body"]["id"]) == 40
                    assert r["headers"]["X-Chatgate-Attempt"] == "1"
                    assert "发错" not in r["raw"].decode(), "no chat text"
                body = dict(case["body"])
                assert (body["state"], body["severity"], body["urgent"], body["customer"], body["kinds"]) == (
                    "open", 3, True, "客户1", "other") and abs(body["at_ms"] / 1000 - time.time()) < 1000
                body = reminder["body"]
                assert (body["kind"], body["step"], body["to"], body["agent"], body["conversation"], body["severity"]) == (
                    "unanswered", 1, "supervisor", "amy", "客户1", 2), "the agent's own step was shown in the chat"
                m = g.metrics()
                assert m['chatgate_webhook_sent_total{target="desk"}'] == 2
                assert m['chatgate_webhook_seconds_count{target="desk"}'] == 2
                (state,) = g.ask("status")["status"]["webhooks"]
                assert (state["target"], state["sent"], state["failed"], state["usable"]) == ("desk", 2, 0, True)
                assert SECRET not in g.text()
                g.stop()
                redis.stop()
    run(go())


def test_an_agent_who_is_not_there_is_told_by_the_next_channel(folder):
    async def go():
        with Receiver() as hook:
            async with Backend() as b:
                redis = Redis(folder / "redis")
                g = gateway(folder, b.port, redis, target(folder, hook.url), steps="[{after: 5s, to: agent}]")
                wait_ready(redis)
                async with Agent(g.url, "amy") as amy:
                    await b.say("amy", "c1", "在吗", "in-1")
                    await amy.until("message")
                    amy.ws.transport.abort()    # gone long before the reminder is due
                await until("a webhook", hook.got)
                (r,) = hook.got()
                assert (r["body"]["to"], r["body"]["severity"], r["body"]["agent"]) == ("agent", 1, "amy")
                check_signature(r, SECRET)
                g.stop()
                redis.stop()
    run(go())


def bad_answers(hook):
    """Every way to fail, then good ones."""
    kinds = [(500, {}, b"oops"), (429, {"Retry-After": "1"}, b""), (302, {"Location": hook.url + "/elsewhere"}, b""),
             (404, {}, b""), (200, {}, b"{}")]
    return lambda request: kinds[min(len(hook.requests), len(kinds)) - 1]


def test_failures_are_tried_again_with_the_same_id(folder):
    with Receiver() as hook:
        hook.answer = bad_answers(hook)
        redis = Redis(folder / "redis")
        g = gateway(folder, 9, redis, target(folder, hook.url))
        wait_ready(redis)
        complain(redis, 1)
        for n in range(1, 5):
            wait_for(f"try {n}", lambda: len(hook.got()) >= n)
            wait_for("noted", lambda: g.metrics()['chatgate_webhook_failed_total{target="desk"}'] >= n)
            if n != 2:
                wait_for("back in the queue", lambda: g.ask("status")["status"]["webhooks"][0]["last_error"])
            wait_for("tried again", lambda: len(hook.got()) > n or hurry(redis))
        wait_for("taken", lambda: left(redis) == 0)
        first, *others = hook.got()
        assert all(r["body"] == first["body"] for r in others) and all(r["path"] == "/" for r in others), "no redirect"
        assert [r["headers"]["X-Chatgate-Attempt"] for r in hook.got()] == ["1", "2", "3", "4", "5"]
        assert hook.got()[2]["at"] - hook.got()[1]["at"] >= 0.9, "Retry-After"
        for r in hook.got():
            check_signature(r, SECRET)
        g.stop()
        redis.stop()


def test_a_stalling_receiver_delays_nobody_else(folder):
    with Receiver() as slow, Receiver() as good:
        slow.answer = lambda request: (None, {}, b"")
        redis = Redis(folder / "redis")
        g = gateway(folder, 9, redis, target(folder, slow.url, "slow", timeout="3s") + target(folder, good.url, "good"))
        wait_ready(redis)
        complain(redis, 12)
        wait_for("the good one has all", lambda: len(good.got()) == 12)

        def took():
            began = time.monotonic()
            assert g.ask("status")["ok"]
            return time.monotonic() - began
        assert min(took() for _ in range(5)) < 1, "the control thread turns"
        wait_for("time-outs", lambda: g.metrics()['chatgate_webhook_failed_total{target="slow"}'] >= 1)
        assert "no answer in time" in [w for w in g.ask("status")["status"]["webhooks"]
                                       if w["target"] == "slow"][0]["last_error"]
        assert g.metrics()['chatgate_webhook_in_flight{target="slow"}'] <= 4
        assert len({r["body"]["id"] for r in good.got()}) == 12
        g.stop()
        redis.stop()


def test_the_circuit_breaks_and_closes_again(folder):
    with Receiver() as hook:
        hook.answer = lambda request: (503, {}, b"")
        redis = Redis(folder / "redis")
        g = gateway(folder, 9, redis, target(folder, hook.url))
        wait_ready(redis)
        complain(redis, 30)
        wait_for("it is broken", lambda: g.ask("status")["status"]["webhooks"][0]["closed_why"] == "broken")
        assert g.metrics()['chatgate_webhook_closed{target="desk"}'] == 1
        wait_for("none is under way", lambda: g.metrics()['chatgate_webhook_in_flight{target="desk"}'] == 0)
        n = len(hook.got())
        assert 5 <= n <= 9, "those under way end, no other begins"
        time.sleep(1.2)  # two rounds of the clock
        assert len(hook.got()) == n
        hook.answer = lambda request: (200, {}, b"")
        wait_for("a probe, then all", lambda: left(redis) == 0 or hurry(redis), 2 * PATIENCE)
        assert len({r["body"]["id"] for r in hook.got()}) == 30
        g.stop()
        redis.stop()


def test_given_up_after_its_time(folder):
    with Receiver() as hook:
        hook.answer = lambda request: (500, {}, b"")
        redis = Redis(folder / "redis")
        g = gateway(folder, 9, redis, target(folder, hook.url), retry="1m")
        wait_ready(redis)
        complain(redis, 1)
        wait_for("a try", lambda: g.metrics()['chatgate_webhook_failed_total{target="desk"}'] >= 1)
        import msgpack
        key = "cg:{0}:hook"
        wait_for("back", lambda: all(
            d["l"] == 0 for e in redis.client().hvals(key) for d in msgpack.unpackb(e)["d"].values()))
        (name, packed), = redis.client().hgetall(key).items()
        e = msgpack.unpackb(packed)
        e["at"] -= 61000
        redis.client().hset(key, name, msgpack.packb(e))
        hurry(redis)
        wait_for("given up", lambda: left(redis) == 0)
        wait_for("counted", lambda: g.metrics()['chatgate_webhook_given_up_total{target="desk"}'] == 1)
        entries = [f for _, f in redis.client().xrange("cg:{0}:stream") if f[b"k"] == b"webhook"]
        assert [(f[b"what"], f[b"target"], f[b"why"]) for f in entries] == [(b"gave_up", b"desk", b"answered 500")]
        assert "webhook_gave_up" in g.text()
        g.stop()
        redis.stop()


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_killed_gateway_s_deliveries_are_taken_over(folder, moment):
    """before: events wait while no gateway runs; during: the receiver has the request and has not answered; after: it
    answered, and the gateway died before it could say so."""
    with Receiver() as hook:
        redis = Redis(folder / "redis")
        keys = target(folder, hook.url, timeout="5s")
        g = gateway(folder, 9, redis, keys)
        wait_ready(redis)
        if moment == "before":
            g.stop(signal.SIGKILL)
        elif moment == "during":
            hook.answer = lambda request: (None, {}, b"") if len(hook.requests) == 1 else (200, {}, b"")
        else:
            def answer(request):
                if len(hook.requests) == 1:
                    g.stop(signal.SIGKILL)
                return 200, {}, b""
            hook.answer = answer
        complain(redis, 1)
        if moment == "during":
            wait_for("a request", hook.got)
            g.stop(signal.SIGKILL)
        elif moment == "after":
            wait_for("killed", lambda: g.proc.poll() is not None)
        two = gateway(folder, 9, redis, keys, node="two")
        wait_for("delivered", lambda: left(redis) == 0)
        assert len(hook.got()) == (1 if moment == "before" else 2)
        assert len({r["body"]["id"] for r in hook.got()}) == 1 and len({r["raw"] for r in hook.got()}) == 1
        two.stop()
        redis.stop()


def test_several_gateways_deliver_once(folder):
    with Receiver() as hook:
        redis = Redis(folder / "redis")
        gates = [gateway(folder, 9, redis, target(folder, hook.url), node=n) for n in ("one", "two", "three")]
        wait_ready(redis)
        complain(redis, 60)
        wait_for("all", lambda: left(redis) == 0)
        assert len(hook.got()) == 60 and len({r["body"]["id"] for r in hook.got()}) == 60
        for g in gates:
            g.stop()
        redis.stop()


def test_urgent_ones_go_first_within_the_limit_of_all_gateways(folder):
    with Receiver() as hook:
        redis = Redis(folder / "redis")
        gates = [gateway(folder, 9, redis, target(folder, hook.url, per_minute=20), node=n) for n in ("one", "two")]
        wait_ready(redis)
        complain(redis, 40, sev=2)
        wait_for("the common share", lambda: len(hook.got()) == 15)
        wait_for("held", lambda: "rate" in [g.ask("status")["status"]["webhooks"][0]["closed_why"] for g in gates])
        complain(redis, 10, sev=4, first=100)
        wait_for("urgent ones in what was kept for them", lambda: len(hook.got()) == 20 or hurry(redis))
        assert [r["body"]["severity"] for r in hook.got()] == [2] * 15 + [4] * 5
        time.sleep(1.2)
        hurry(redis)
        time.sleep(1.2)
        assert len(hook.got()) == 20, "no more within the minute, from whichever gateway"
        for g in gates:
            g.stop()
        redis.stop()


def test_only_what_a_target_asks_for(folder):
    with Receiver() as all_of_it, Receiver() as severe, Receiver() as shop:
        redis = Redis(folder / "redis")
        g = gateway(folder, 9, redis, target(folder, all_of_it.url, "all", events="[case]")
                    + target(folder, severe.url, "severe", min_severity=4)
                    + target(folder, shop.url, "shop", shops="[other, s2]", secret=None))
        wait_ready(redis)
        complain(redis, 1, sev=4)
        complain(redis, 1, sev=1, first=1)
        complain(redis, 1, sev=1, first=2, shop="s2")
        wait_for("all", lambda: left(redis) == 0)
        assert {r["body"]["customer"] for r in all_of_it.got()} == {"u0", "u1", "u2"}
        assert [r["body"]["customer"] for r in severe.got()] == ["u0"]
        assert [r["body"]["customer"] for r in shop.got()] == ["u2"]
        assert "X-Chatgate-Signature" not in shop.got()[0]["headers"]
        # a reload that takes a target away lets its deliveries go, one that brings a target back goes on counting
        g.config.write_text(g.config.read_text().replace("min_severity: 4", "min_severity: 1"))
        g.cli("reload", "--config", g.config)
        complain(redis, 1, sev=1, first=3)
        wait_for("all again", lambda: left(redis) == 0)
        assert [r["body"]["customer"] for r in severe.got()] == ["u0", "u3"]
        assert g.metrics()['chatgate_webhook_sent_total{target="severe"}'] == 2
        g.stop()
        redis.stop()


def test_a_case_that_becomes_worse_is_told_again(folder):
    with Receiver() as hook:
        redis = Redis(folder / "redis")
        g = gateway(folder, 9, redis, target(folder, hook.url, min_severity=3))
        wait_ready(redis)
        shard = Shard(redis.client(), 5)
        for n, sev in enumerate((2, 2, 3, 3, 1, 4), 1):
            shard.apply("test", [(n, {"k": "in", "at": shard.now(), "live": True, "conv": "c", "cust": "u", "mid": f"m{n}",
                                      "agent": "amy", "shop": "s1", "ckind": "refund", "sev": sev, "crule": "r", "words": "w"})])
        wait_for("both", lambda: len(hook.got()) == 2 and left(redis) == 0)
        assert sorted((r["body"]["severity"], r["body"]["from"], r["body"]["state"]) for r in hook.got()) == [
            (3, "open", "open"), (4, "open", "open")]
        (case,) = json.loads(g.cli("cases", "--config", g.config, "--json").stdout)
        g.cli("cases", "solve", case["id"], "--reason", "done", "--config", g.config)
        wait_for("solved", lambda: len(hook.got()) == 3)
        assert (hook.got()[2]["body"]["state"], hook.got()[2]["body"]["urgent"]) == ("solved", False)
        g.stop()
        redis.stop()


def test_robots_get_their_own_formats(folder):
    answers = {"/robot": {"errcode": 0, "errmsg": "ok"}, "/cgi-bin": {"errcode": 0, "errmsg": "ok"},
               "/open-apis": {"code": 0, "msg": "success", "data": {}}}
    with Receiver() as hook:
        hook.answer = lambda r: (200, {"Content-Type": "application/json"},
                                 json.dumps(next(v for k, v in answers.items() if r["path"].startswith(k))).encode())
        redis = Redis(folder / "redis")
        g = gateway(folder, 9, redis,
                    target(folder, hook.url + "/robot/send?access_token=T0KEN", "ding", url_file=True, kind="dingtalk")
                    + target(folder, hook.url + "/cgi-bin/webhook/send?key=K", "wecom", secret=None, kind="wecom")
                    + target(folder, hook.url + "/open-apis/bot/v2/hook/X", "fei", kind="feishu"))
        wait_ready(redis)
        complain(redis, 1, sev=3)
        wait_for("all", lambda: left(redis) == 0)
        by = {r["path"].split("/")[1]: r for r in hook.got()}
        text = "【chatgate 紧急】新投诉 0-1：客户 u0，类型 refund，严重程度 3（客服 amy，店铺 s1）"
        ding, wecom, fei = by["robot"], by["cgi-bin"], by["open-apis"]
        assert ding["body"] == wecom["body"] == {"msgtype": "text", "text": {"content": text}}
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(ding["path"]).query)
        signed = f"{query['timestamp'][0]}\n{SECRET}".encode()
        assert query["access_token"] == ["T0KEN"] and abs(int(query["timestamp"][0]) / 1000 - time.time()) < 1000
        assert base64.b64decode(query["sign"][0]) == hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
        assert wecom["path"] == "/cgi-bin/webhook/send?key=K"
        assert fei["body"]["msg_type"] == "text" and fei["body"]["content"] == {"text": text}
        key = f"{fei['body']['timestamp']}\n{SECRET}".encode()
        assert base64.b64decode(fei["body"]["sign"]) == hmac.new(key, b"", hashlib.sha256).digest()
        assert abs(int(fei["body"]["timestamp"]) - time.time()) < 1000
        assert "T0KEN" not in g.text() and "T0KEN" not in json.dumps(g.ask("status"))

        # an error in the answer's body is an error; "too fast" keeps the whole robot quiet
        answers["/robot"] = {"errcode": 310000, "errmsg": "sign not match"}
        answers["/cgi-bin"] = {"errcode": 45009}
        answers["/open-apis"] = {"no": "code"}
        complain(redis, 1, first=1)
        wait_for("three failures", lambda: sum(v for k, v in g.metrics().items() if "webhook_failed" in k) == 3)
        state = {w["target"]: w for w in g.ask("status")["status"]["webhooks"]}
        assert state["ding"]["last_error"] == "answered errcode 310000" and state["ding"]["closed_ms"] == 0
        assert state["wecom"]["last_error"] == "answered errcode 45009" and state["wecom"]["closed_ms"] > 10000
        assert state["fei"]["last_error"] == "answered 200 without code"
        g.stop()
        redis.stop()


def test_robots_get_many_events_in_few_messages(folder):
    with Receiver() as hook:
        hook.answer = lambda r: (200, {}, b'{"errcode": 0}')
        redis = Redis(folder / "redis")
        key = target(folder, hook.url, "ding", kind="dingtalk")
        gates = [gateway(folder, 9, redis, key, node=n) for n in ("one", "two")]
        wait_ready(redis)
        complain(redis, 60, sev=2)
        complain(redis, 4, sev=4, first=60)
        wait_for("all told", lambda: left(redis) == 0)
        texts = [r["body"]["text"]["content"] for r in hook.got()]
        assert len(texts) <= 20, "all of it within a robot's minute"
        told = [line for t in texts for line in t.split("\n") if "新投诉" in line]
        assert len(told) == 64 and len({line.split("新投诉")[1].split("：")[0] for line in told}) == 64
        assert sum(g.metrics()['chatgate_webhook_sent_total{target="ding"}'] for g in gates) == 64
        # a message that fails is tried again with all that was in it
        answers = [b'{"errcode": 1}', b'{"errcode": 0}']
        hook.answer = lambda r: (200, {}, answers.pop(0) if len(answers) > 1 else answers[0])
        before = len(hook.requests)
        gates[1].stop()
        complain(redis, 5, sev=3, first=100)
        wait_for("tried again", lambda: left(redis) == 0 or hurry(redis))
        texts = [r["body"]["text"]["content"] for r in hook.got()[before:]]
        assert sum(t.count("新投诉") for t in texts[1:]) == 5
        gates[0].stop()
        redis.stop()


@pytest.mark.parametrize("what, networks, why", [
    ("private", "[]", "its address is private"),
    ("name", "[127.0.0.0/8, '::1/128']", "certificate"),
])
def test_nothing_goes_where_it_must_not(folder, certificates, what, networks, why):
    with Receiver(certificates) as hook:
        redis = Redis(folder / "redis")
        host = "localhost" if what == "private" else "ip6-localhost"
        ca = certificates / "ca.pem"
        if what == "name":  # a certificate of somebody else's authority
            ca = folder / "other.pem"
            import subprocess
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-subj", "/CN=other", "-keyout", folder / "other.key", "-out", ca], check=True, capture_output=True)
            host = "localhost"
        g = gateway(folder, 9, redis, target(folder, f"https://{host}:{hook.port}/", ca=ca), networks=networks)
        wait_ready(redis)
        complain(redis, 1)
        wait_for("refused", lambda: why in g.ask("status")["status"]["webhooks"][0]["last_error"])
        assert hook.requests == []
        g.stop()
        redis.stop()


def test_odd_answers(folder):
    """Chunked bodies, no length, far too much, a broken head: none does harm."""
    with Receiver() as hook:
        chunked = b"5\r\n{\"err\r\n" + b"b\r\ncode\": 0, \"\r\n" + b"4\r\nx\":1\r\n1\r\n}\r\n0\r\n\r\n"
        kinds = [(200, {"Transfer-Encoding": "chunked"}, chunked), (200, {}, b'{"errcode": 0, "x": "' + b"a" * 200000 + b'"}'),
                 (200, {"Bad Header": "x"}, b"{}"), (200, {}, b"[" * 5000), (200, {}, b'{"errcode":"0"}'),
                 (200, {}, b'{"errcode":0}')]
        hook.answer = lambda request: kinds[min(len(hook.requests), len(kinds)) - 1]
        redis = Redis(folder / "redis")
        g = gateway(folder, 9, redis, target(folder, hook.url, kind="wecom", secret=None))
        wait_ready(redis)
        complain(redis, 1)
        wait_for("chunks are read", lambda: g.metrics()['chatgate_webhook_sent_total{target="desk"}'] == 1)
        complain(redis, 1, first=1)
        wait_for("four failures, then taken", lambda: left(redis) == 0 or hurry(redis))
        assert g.metrics()['chatgate_webhook_failed_total{target="desk"}'] >= 4  # a slow machine may add a time-out
        assert g.metrics()['chatgate_webhook_sent_total{target="desk"}'] == 2
        g.stop()
        redis.stop()


def test_without_webhooks_nothing_is_kept(folder):
    redis = Redis(folder / "redis")
    g = Gateway(folder / "g", 9, redis=redis, rules=RULES)
    complain(redis, 3)
    assert left(redis) == 0 and g.metrics()["chatgate_webhook_waiting"] == 0
    g.stop()
    redis.stop()


@pytest.mark.parametrize("lines, complaint", [
    ("{name: a, url: 'https://evil.example/x'}", 'host "evil.example" is not in webhooks.allow_hosts'),
    ("{name: a, url: 'ftp://localhost/'}", "does not begin with https:// or http://"),
    ("{name: a, url: 'https://u:p@localhost/'}", "has a login in it"),
    ("{name: a, url: 'https://localhost/ x'}", "percent-encoded"),
    ("{name: a}", "neither url nor url_file"),
    ("{name: a, url: 'https://localhost/', secret_file: /nowhere}", "/nowhere"),
    ("{name: a, url: 'https://localhost/', events: [holiday]}", 'has "holiday", must be reminder, case'),
    ("{name: a, url: 'https://localhost/', kind: slack}", "generic, dingtalk, wecom, feishu"),
    ("{name: a, url: 'https://localhost/'}, {name: a, url: 'https://localhost/'}", "was given to the target of line"),
    ("{name: a, url: 'https://localhost:0/'}", "port from 1 to 65535"),
])
def test_what_a_configuration_may_say(folder, lines, complaint):
    import subprocess
    from gateway import BUILD
    config = folder / "chatgate.yaml"
    config.write_text("listeners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\n"
                      f"profiles_dir: {SOURCE}/conf/profiles\nupstreams: [{{name: im, servers: ['127.0.0.1:9']}}]\n"
                      f"rules: {{packs: [{RULES}]}}\n"
                      f"webhooks: {{allow_hosts: [localhost], targets: [{lines}]}}\n")
    done = subprocess.run([BUILD / "src/cli/chatgate", "check", "--config", config], text=True, capture_output=True,
                          timeout=120)
    assert done.returncode == 1 and complaint in done.stdout + done.stderr, done.stdout + done.stderr


def test_nothing_is_lost_while_redis_servers_die(folder, topology):
    """One Redis, Sentinels, a Cluster: complaints come while masters and a gateway are killed; every case's event arrives,
    each with one id."""
    async def go():
        with Receiver() as hook:
            async with Backend() as b:
                extra = "" if topology.name == "single" else "  wait_replicas: 1\n"
                one, two = (gateway(folder, b.port, topology, target(folder, hook.url), node=n, redis_extra=extra)
                            for n in ("one", "two"))
                await until("webhooks are known", lambda: all(
                    topology.read(lambda db, s: db.hexists(topology.key(s, "info"), "hooks_until"))))
                trouble = None
                async with Agent(one.url, "amy") as amy:
                    for i in range(60):
                        await b.say("amy", f"c{i}", "我要投诉", f"in-{i}")
                        await amy.until("message")
                        if i == 20:
                            trouble = asyncio.create_task(asyncio.to_thread(topology.trouble))
                        if i == 40:
                            two.stop(signal.SIGKILL)
                        await asyncio.sleep(0.02)
                await trouble

                def waiting():
                    return sum(topology.read(lambda db, s: db.hlen(topology.key(s, "hook"))))
                await until("all customers' cases are told", lambda: len({r["body"]["customer"] for r in hook.got()}) == 60, 2 * PATIENCE)
                await until("nothing waits", lambda: waiting() == 0, 2 * PATIENCE)
                assert {r["body"]["customer"] for r in hook.got()} == {f"c{i}" for i in range(60)}
                by_id = {}
                for r in hook.got():
                    by_id.setdefault(r["body"]["id"], set()).add(r["raw"])
                assert all(len(raws) == 1 for raws in by_id.values()), "the same event is the same at every try"
                opened = {r["body"]["id"] for r in hook.got(state="open")}
                assert len(opened) == 60, "no event has two ids"
                one.stop()
    run(go())
