"""/metrics of gateway and board: the text by promtool, and dashboards and alert rules against what a real Prometheus
reads from both."""

import asyncio
import json
import re
import subprocess
import urllib.parse
import urllib.request

import yaml
from board_rig import SOURCE, Board, Client
from gateway import PATIENCE, Agent, Backend, Gateway, Process, Redis, free_port, wait_for

ALERTS = SOURCE / "conf" / "prometheus" / "chatgate_alerts.yaml"
DASHBOARDS = sorted((SOURCE / "conf" / "grafana").glob("*.json"))


def scrape(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        return answer.read().decode()


def lint(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr


def expressions():
    """(where, PromQL) of all alert rules and panels, dashboards' variables replaced by what they stand for at first."""
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.name}: {panel['title']}", re.sub(r"\$(instance|team)", ".*", target["expr"])


def selectors(expr):
    """Every `name` or `name{…}` of ours in an expression."""
    return {m[0] for m in re.finditer(r'\b(?:chatgate_\w+|up)\b(?:\{[^}]*\})?', expr)}


class Prometheus(Process):
    def __init__(self, folder, jobs):
        folder.mkdir(parents=True)
        config = yaml.safe_load((SOURCE / "conf" / "prometheus" / "prometheus.yaml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        for job in config["scrape_configs"]:
            job["static_configs"] = [{"targets": [f"127.0.0.1:{jobs.pop(job['job_name'])}"]}]
        assert not jobs, "the sample names every job"
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        (folder / ALERTS.name).write_text(ALERTS.read_text())
        self.port = free_port()
        super().__init__(["/usr/bin/prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}",
                          f"--web.listen-address=127.0.0.1:{self.port}"], folder / "prometheus.log")
        self.wait_line("Server is ready to receive web requests")

    def query(self, expr):
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": expr})
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{expr}: {e.read().decode()}") from e

    def rules(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/rules", timeout=PATIENCE) as answer:
            return [r for g in json.load(answer)["data"]["groups"] for r in g["rules"]]


def test_what_dashboards_and_alerts_ask_for_exists(folder):
    redis = Redis(folder / "redis")
    board = Board(folder / "board", redis.socket)

    async def run():
        async with Backend() as im:
            gate = Gateway(folder / "gate", im.port, redis=redis, extra="webhooks: {allow_hosts: [localhost], "
                           "allow_networks: [127.0.0.0/8], targets: [{name: desk, url: 'http://localhost:9/'}]}")
            loop = asyncio.get_running_loop()
            async with Agent(gate.url, "ann") as ann:
                await im.say("ann", "cust-1", "在吗？", "m1")
                await ann.until("message")
                await asyncio.sleep(0.05)  # clocks are compared to the millisecond: what follows at once may count as before
                await ann.send("cust-1", "在的，请问有什么可以帮您？", "x1")
                await ann.until("ack")
                await ann.send("cust-1", "加我微信 abc12345 转账", "x2")
                await asyncio.sleep(0.05)
                await im.say("ann", "cust-1", "好的呢", "m2")
                await loop.run_in_executor(None, look, gate)
            gate.stop()

    def look(gate):
        client = Client(board, "vera")
        client.now_until("a reply and a block", lambda d: d["today"]["replies"] == 1 and d["today"]["blocked"] == 1 and d["set"])
        of_gate, of_board = scrape(gate.admin_port), scrape(board.metrics_port)
        lint(of_gate)
        lint(of_board)
        assert re.search(r'(?m)^chatgate_board_messages_today\{team="",verdict="block"\} 1$', of_board)
        assert re.search(r'(?m)^chatgate_board_customers_waiting\{team="",light="(green|amber)"\} 1$', of_board)
        assert 'chatgate_board_gateway_up{node="test-node"} 1' in of_board
        assert 'chatgate_board_gateway_enforces{node="test-node"} 1' in of_board
        assert gate.ask("mode observe")["ok"]
        wait_for("the board learns the mode", lambda: 'chatgate_board_gateway_enforces{node="test-node"} 0' in scrape(board.metrics_port))
        assert gate.ask("mode enforce")["ok"]
        prom = Prometheus(folder / "prometheus", {"chatgate": gate.admin_port, "chatgate-board": board.metrics_port})
        try:
            wait_for("both are scraped", lambda: len(prom.query("up == 1")) == 2)
            wait_for("twice, so that rates exist", lambda: prom.query("rate(chatgate_info[1m])") and prom.query("rate(chatgate_board_info[1m])"))
            seen = 0
            for where, expr in expressions():
                prom.query(expr)  # well-formed
                for selector in selectors(expr):
                    assert prom.query(selector), f"{where}: {selector} finds nothing"
                    seen += 1
            assert seen > 60
            wait_for("the rules were evaluated", lambda: all(r["health"] == "ok" for r in prom.rules()))
            firing = {r["name"] for r in prom.rules() if r["state"] != "inactive"}
            assert firing <= {"ChatgateNotEnforcing"}, firing  # nothing is wrong here
        finally:
            prom.stop()

    try:
        asyncio.run(run())
    finally:
        board.stop()
        redis.stop()


def test_rules_and_sample_are_well_formed():
    for args in (["rules", ALERTS], ["config", ALERTS.parent / "prometheus.yaml"]):
        done = subprocess.run(["promtool", "check", *map(str, args)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket", "service") and set(rule["annotations"]) == {"summary", "what_to_do"}, rule
    uids = set()
    for path in DASHBOARDS:
        d = json.loads(path.read_text())
        uids.add(d["uid"])
        assert [p["id"] for p in d["panels"]] == list(range(1, len(d["panels"]) + 1))
        spots = [(x, y) for p in d["panels"] for g in [p["gridPos"]] for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])]
        assert len(spots) == len(set(spots)) and max(x for x, _ in spots) < 24, f"{path.name}: panels overlap"
    assert len(uids) == len(DASHBOARDS) == 2


ALERT_TESTS = {  # series over minutes, alert, its labels, minute at which it fires
    "ChatgateRingFilling": (["chatgate_ring_unsent_bytes{instance='g'} 10+20x9", "chatgate_ring_capacity_bytes{instance='g'} 100x9"], {"instance": "g"}, 6),
    "ChatgateRuleSetsDiffer": (["chatgate_info{rules_version='a',instance='g'} 1x30", "chatgate_info{rules_version='b',instance='h'} 1x30"], {}, 12),
    "ChatgateNotEnforcing": (["chatgate_mode{mode='enforce',instance='g'} 1x5 0x20"], {"mode": "enforce", "instance": "g"}, 14),
    "ChatgateEventsLost": (["chatgate_events_lost_total{instance='g'} 0x5 7x9"], {"instance": "g"}, 8),
    "ChatgateGatewayGone": (["chatgate_board_gateway_up{node='n'} 1x3 0x9"], {"node": "n"}, 7),
    "ChatgateRepliesSlow": (["chatgate_board_replies_within_today{seconds='180',team='red'} 70x60", "chatgate_board_replies_today{team='red'} 100x60"], {"team": "red"}, 40),
    "ChatgateCustomersWait": (["chatgate_board_customers_waiting{light='red',team='red'} 9x20"], {"team": "red"}, 8),
}


def test_alerts_fire_when_they_should_and_not_before(folder):
    severity = {r["alert"]: r["labels"] for g in yaml.safe_load(ALERTS.read_text())["groups"] for r in g["rules"]}
    tests = []
    for name, (series, labels, at) in ALERT_TESTS.items():
        texts = [{"series": s.split(" ", 1)[0].replace("'", '"'), "values": s.split(" ", 1)[1]} for s in series]
        fires = [{"exp_labels": {**labels, **severity[name]}}]
        tests.append({"interval": "1m", "input_series": texts, "alert_rule_test": [
            {"eval_time": "0m", "alertname": name, "exp_alerts": []}, {"eval_time": f"{at}m", "alertname": name, "exp_alerts": fires}]})
    # annotations must be given in such a test: without them only labels are of interest
    text = ALERTS.read_text()
    plain = yaml.safe_load(text)
    for group in plain["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(plain))
    (folder / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", str(folder / "test.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
