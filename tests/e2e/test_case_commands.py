"""chatgate cases show | open | ack | wait | solve | close | reopen."""

import json
import subprocess

import pytest
from gateway import BUILD, SOURCE
from track_redis import Server, Shard


@pytest.fixture
def desk(folder):
    server = Server(folder)
    config = folder / "chatgate.yaml"
    config.write_text("listeners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\n"
                      f"profiles_dir: {SOURCE}/conf/profiles\n"
                      "upstreams: [{name: im, servers: ['127.0.0.1:9']}]\n"
                      f"directory: {folder / 'directory.yaml'}\n"
                      f"redis: {{address: {server.socket}}}\n")
    (folder / "directory.yaml").write_text("shops: {flag: {}}\nagents: [{id: ann, team: red, shop: flag}]\n")

    def run(*args, status=0):
        done = subprocess.run([BUILD / "src/cli/chatgate", "cases", *args, "--config", config], text=True,
                              capture_output=True, timeout=120)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stderr if status else done.stdout
    run.db = server.db
    yield run
    server.stop()


def with_a_case(desk):
    desk.db.hset("cg:meta", mapping={"shards": 4, "version": 1})
    shard = Shard(desk.db, 2)
    shard.apply("r", [(1, {"k": "in", "at": shard.now() - 60000, "conv": "c", "cust": "u", "mid": "m", "live": True, "sev": 3,
                           "agent": "ann", "ckind": "refund", "crule": "complaint.refund", "words": "退款！单号 1234567890"})])
    return shard


def test_a_case_is_worked_through(desk):
    shard = with_a_case(desk)
    assert desk("ack", "2-1", "--by", "sue") == "case 2-1 is acknowledged\n"
    assert desk("wait", "2-1", "--by", "sue", "--reason", "等仓库") == "case 2-1 is waiting\n"
    assert "--reason TEXT is needed" in desk("solve", "2-1", status=2)
    assert json.loads(desk("solve", "2-1", "--by", "sue", "--reason", "退了款", "--json")) == {"id": "2-1", "state": "solved"}
    assert desk("list") == desk() and "0 open cases" in desk()
    error = desk("ack", "2-1", status=1)
    assert "is solved" in error and "closed" in error and "reopened" in error
    assert desk("reopen", "2-1", "--by", "tom", "--reason", "又来了") == "case 2-1 is reopened\n"
    case = json.loads(desk("show", "2-1", "--json"))
    assert (case["id"], case["state"], case["severity"], case["orders"]) == ("2-1", "reopened", 3, "1234567890")
    assert [(h["from"], h["to"], h["who"], h["why"]) for h in case["history"]] == [
        ("", "open", "customer", "complaint.refund"), ("open", "acknowledged", "sue", ""),
        ("acknowledged", "waiting", "sue", "等仓库"), ("waiting", "solved", "sue", "退了款"),
        ("solved", "reopened", "tom", "又来了")]
    text = desk("show", "2-1")
    assert "退款！单号 1234567890" in text and "又来了" in text
    assert desk("close", "2-1", "--reason", "完") == "case 2-1 is closed\n"
    assert shard.read("cases", "open", 9) == []


def test_opened_by_hand_lands_where_the_customers_events_do(desk):
    with_a_case(desk)
    opened = json.loads(desk("open", "--customer", "客户七", "--kind", "invoice", "--severity", "4", "--words", "要发票",
                             "--reason", "电话", "--by", "sue", "--json"))
    want = 0xcbf29ce484222325  # FNV-1a, 64 bit
    for byte in "客户七".encode():
        want = (want ^ byte) * 0x100000001b3 % 2**64
    assert opened == {"id": f"{want % 4}-1", "state": "open"}
    assert desk("open", "--customer", "客户七", "--kind", "refund", "--reason", "又来") == f"case {want % 4}-1 is open\n"
    case = json.loads(desk("show", opened["id"], "--json"))
    assert (case["kinds"], case["severity"], case["complaints"], case["words"]) == ("invoice,refund", 4, 2, "要发票")
    assert (case["agent"], case["team"]) == ("", "")
    own = json.loads(desk("open", "--customer", "u-ann", "--kind", "damaged", "--reason", "电话", "--agent", "ann", "--json"))
    case = json.loads(desk("show", own["id"], "--json"))
    assert (case["agent"], case["team"], case["shop"]) == ("ann", "red", "flag")


@pytest.mark.parametrize("args, words", [
    (["show"], "case id"), (["close", "2-1"], "--reason"), (["open", "--kind", "x", "--reason", "r"], "--customer"),
    (["open", "--customer", "u", "--kind", "No Good", "--reason", "r"], "small letters"),
    (["open", "--customer", "u", "--kind", "x", "--severity", "9", "--reason", "r"], "1 to 4"),
    (["close", "2-1", "--reason", "x" * 501], "at most 500"),
    (["ack", "2-1", "--words", "w"], "unexpected"), (["ack", "2-1", "2-2"], "unexpected")])
def test_bad_arguments_are_named(desk, args, words):
    with_a_case(desk)
    assert words in desk(*args, status=2)


@pytest.mark.parametrize("case", ["2-99", "9-1", "x", "2", "-1", "2-1x"])
def test_cases_that_do_not_exist(desk, case):
    with_a_case(desk)
    status = 2 if case.startswith("-") else 1
    assert ("unexpected" if status == 2 else "no case") in desk("ack", case, status=status)
    assert ("unexpected" if status == 2 else "no case") in desk("show", case, status=status)


def test_without_any_gateway(desk):
    assert "no case" in desk("ack", "0-1", status=1)
    assert "no gateway" in desk("open", "--customer", "u", "--kind", "x", "--reason", "r", status=1)


def test_what_is_done_beside_moving_it(desk):
    with_a_case(desk)
    assert desk("assign", "2-1", "tom", "--by", "sue") == "case 2-1 is open\n"
    desk("order", "2-1", "TB-20261122", "--by", "sue")
    desk("severity", "2-1", "4", "--by", "sue", "--reason", "大客户")
    desk("note", "2-1", "--by", "sue", "--reason", "等仓库回话")
    desk("news", "2-1", "--by", "tom", "--reason", "已发邮件")
    desk("call", "2-1", "no_answer", "--by", "tom")
    desk("call", "2-1", "answered", "--by", "tom")
    assert "two calls on this day" in desk("call", "2-1", "busy", status=1)
    desk("call", "2-1", "busy", "--force")
    desk("snooze", "2-1", "4h", "--by", "sue")
    (case,) = json.loads(desk("list", "--json"))
    assert (case["assigned"], case["orders"], case["severity"], case["calls"]) == ("tom", "1234567890,TB-20261122", 4, 3)
    assert 4 * 3600000 - 60000 < case["snoozed_ms"] - case["last_call_ms"] <= 4 * 3600000 + 60000
    history = json.loads(desk("show", "2-1", "--json"))["history"]
    assert [(h["act"], h["who"], h["why"]) for h in history[1:6]] == [
        ("assign", "sue", ""), ("order", "sue", ""), ("severity", "sue", "大客户"), ("note", "sue", "等仓库回话"),
        ("news", "tom", "已发邮件")]
    assert "act" not in history[0]
    text = desk("show", "2-1")
    assert "assign tom" in text and "call answered" in text and "等仓库回话" in text and "open" in text
    assert "tom" in desk()
    desk("snooze", "2-1", "off")
    assert "snooze off" in desk("show", "2-1") and json.loads(desk("list", "--json"))[0]["snoozed_ms"] == 0


@pytest.mark.parametrize("args, words, status", [
    (["assign", "2-1"], "cases assign ID AGENT", 2), (["call", "2-1", "perhaps"], "answered, no_answer, busy", 1),
    (["snooze", "2-1", "soon"], "30m, 4h, 2d, or off", 2), (["snooze", "2-1", "60d"], "30 days", 1),
    (["note", "2-1"], "--reason", 2), (["severity", "2-1", "9", "--reason", "x"], "1 to 4", 1),
    (["order", "2-1", "a b"], "4 to 40", 1), (["assign", "2-9", "tom"], "no case", 1),
    (["assign", "2-1", "tom", "--force"], "--force", 2), (["news", "2-1", "x", "--reason", "y"], "unexpected", 2)])
def test_acts_say_what_is_wrong(desk, args, words, status):
    with_a_case(desk)
    assert words in desk(*args, status=status)
