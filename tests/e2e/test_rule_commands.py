"""chatgate explain, scan and test on packs of their own and on the shipped ones."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from gateway import BUILD

CHATGATE = BUILD / "src/cli/chatgate"
ROOT = pathlib.Path(__file__).resolve().parents[2]

PACK = """
pack: p
rules:
  - id: p.best
    title: best
    action: rewrite
    rewrite: { 最好: 很好 }
    unless: [ 最好是 ]
    notice: say it plainly
    examples: { hit: [ { 最好的: 很好的 } ], miss: [ 最好是 ] }
  - id: p.wechat
    title: wechat
    action: block
    near: { within: 6, groups: [ [ 加, 搜 ], [ 微信 ] ] }
    homophones: true
    preset: { lenient: "off" }
    examples: { hit: [ 加我薇信 ], miss: [ 微信支付 ] }
  - id: p.later
    title: later
    near: { within: 6, groups: [ [ $time ], [ 回复 ] ] }
    commits: true
    examples: { hit: [ { text: 两小时内回复, due: 2h } ], miss: [ 回复 ] }
"""


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "p.yaml").write_text(PACK)
    return tmp_path


def chatgate(*args, stdin=""):
    return subprocess.run([CHATGATE, *map(str, args)], input=stdin, text=True, capture_output=True)


def test_explain_names_everything(rules):
    out = chatgate("explain", "--rules", rules, "这款最 好的，两小时内回复").stdout
    assert "p.best" in out and "rewritten 这款很好的，两小时内回复" in out
    assert "verdict   rewrite" in out and "notice    say it plainly" in out and "p.later" in out
    out = chatgate("explain", "--rules", rules, "最好是这样").stdout
    assert "verdict   pass" in out and 'by allow phrase "最好是"' in out


def test_explain_as_json(rules):
    got = json.loads(chatgate("explain", "--json", "--rules", rules, "加我薇信").stdout)
    assert got["verdict"] == "block" and [h["rule"] for h in got["hits"]] == ["p.wechat"]
    got = json.loads(chatgate("explain", "--json", "--preset", "lenient", "--rules", rules, "加我薇信").stdout)
    assert got["verdict"] == "pass" and got["hits"] == []


@pytest.mark.parametrize("path", sorted(p.name for p in (ROOT / "rules").glob("*.yaml")))
def test_other_readers_of_yaml_read_the_shipped_packs(path):
    """Editors and scripts do not use libyaml."""
    assert isinstance(yaml.safe_load((ROOT / "rules" / path).read_text()), dict)


def test_facts_of_a_shop(rules):
    """What the shipped packs make of facts: tests/unit/test_rule_shipped.c."""
    (rules / "q.yaml").write_text("override:\n  - { rule: p.wechat, when: { facts: [ platform=wecom, locale=tw ] }, action: warn, notice: 請勿引導顧客 }\n")

    def there(*facts):
        got = chatgate("explain", "--json", "--rules", rules, *(a for f in facts for a in ("--fact", f)), "加我微信")
        return json.loads(got.stdout)
    assert there()["verdict"] == "block" and there("platform=wecom")["verdict"] == "block"
    both = there("locale=tw", "platform=wecom")
    assert both["verdict"] == "warn" and "請勿引導顧客" in [h["notice"] for h in both["hits"]]
    assert chatgate("explain", "--fact").returncode == 2, "a fact without its value"


def test_explain_shows_what_stands_for_what(tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/split.txt").write_text("加 力口\n信 亻言\n")
    (tmp_path / "p.yaml").write_text(PACK.replace("homophones: true", "homophones: true\n    variants: true"))
    out = chatgate("explain", "--rules", tmp_path, "力口我 微亻言").stdout
    assert "variant   加我 微信\n" in out and "verdict   block" in out and '"力口我 微亻言"' in out
    got = json.loads(chatgate("explain", "--json", "--rules", tmp_path, "力口我 微亻言").stdout)
    assert got["variant"] == "加我 微信" and (got["hits"][0]["from"], got["hits"][0]["to"]) == (0, 19)
    assert "variant" not in json.loads(chatgate("explain", "--json", "--rules", tmp_path, "加我 微信").stdout)


def test_scan_judges_every_good_line_and_names_the_bad_ones(rules):
    lines = ['{"id":"a","text":"最好","side":"agent"}', "{", '{"id":7,"text":"加我微信"}', '{"id":8,"text":"加我微信","side":"customer"}',
             '{"id":9,"text":"x","side":"nobody"}', '{"id":10,"text":"两小时内回复"}']
    got = chatgate("scan", "--rules", rules, "-", stdin="\n".join(lines))
    assert got.returncode == 1
    rows = {r["id"]: r for r in map(json.loads, got.stdout.splitlines())}
    assert rows["a"] == {"id": "a", "action": "rewrite", "rules": ["p.best"], "text": "很好"}
    assert rows[7]["action"] == "block" and rows[8]["action"] == "pass" and len(rows[10]["commits"]) == 1
    assert "standard input:2:" in got.stderr and "standard input:5: side:" in got.stderr
    assert chatgate("scan", "--rules", rules, "-", stdin=lines[0]).returncode == 0


def test_scan_of_plain_lines_from_files(rules):
    (rules / "a.txt").write_text("加我微信\n您好\n")
    got = chatgate("scan", "--rules", rules / "p.yaml", "--format", "text", rules / "a.txt")
    assert [json.loads(x)["action"] for x in got.stdout.splitlines()] == ["block", "pass"]
    assert chatgate("scan", "--rules", rules, rules / "none.txt").returncode == 1


def test_examples_that_do_not_hold_are_told(rules):
    assert chatgate("test", "--rules", rules).stdout.splitlines()[-1] == "6 examples, 0 failed"
    broken = PACK.replace("[ 加我薇信 ]", "[ 没有 ]").replace("最好的: 很好的", "最好的: 好").replace("due: 2h", "due: 3h")
    (rules / "p.yaml").write_text(broken)
    got = chatgate("test", "--rules", rules)
    assert got.returncode == 1 and got.stdout.splitlines()[-1] == "6 examples, 3 failed"
    assert "is not hit by its rule" in got.stdout and 'becomes rewrite "很好的", must become "好"' in got.stdout
    assert "is due 120 minutes after sending, must be 180" in got.stdout


ROWS = [("你真笨", "insult"), ("真笨啊你", "insult"), ("你太笨了吧", "insult"), ("笨死了你", "insult"), ("你好笨", "insult"), ("笨得要命", "insult")]
HONEST = ["好的", "您真客气", "明天到货", "真的很抱歉", "你收到了吗", "太好了", "给您登记了", "可以退货", "你看一下", "麻烦您稍等", "不客气", "今天发货"]


def rows_file(path, more=()):
    rows = [{"text": t, "side": "agent", "label": l} for t, l in ROWS] + [{"text": t, "label": "benign"} for t in HONEST]
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in [*rows, *more]))
    return path


def test_a_model_is_trained_and_used(rules, tmp_path):
    (rules / "lists").mkdir()
    model, file = rules / "lists" / "own.tsv", rows_file(tmp_path / "rows.jsonl", [
        {"text": "笨是您说的", "side": "customer", "label": "benign"}, {"text": "笨", "label": "insult", "must": "either"},
        {"text": "笨", "label": "insult", "before": ["你"]}])
    got = chatgate("train", file, "--model", model)
    assert got.returncode == 0, got.stderr
    assert got.stdout.startswith("18 rows, 12 of them honest") and "insult" in got.stdout
    assert model.read_text().startswith("# chatgate classifier 1\n# 18 rows, ") and "\nlabels\tinsult\n" in model.read_text()
    assert chatgate("train", file, "--quick", "--model", tmp_path / "again.tsv").stdout == ""
    assert (tmp_path / "again.tsv").read_text() == model.read_text()
    (rules / "q.yaml").write_text("""
pack: q
rules:
  - id: q.likely
    title: like an insult
    action: warn
    classifier: { model: own, label: insult, at_least: 60 }
    examples: { hit: [ 他们都真笨呀 ], miss: [ 您真客气呀 ] }
""")
    assert chatgate("test", "--rules", rules).returncode == 0
    out = chatgate("explain", "--rules", rules, "你真笨死了").stdout
    assert "verdict   warn" in out and "q.likely" in out and "found 笨" in out, out
    out = chatgate("explain", "--rules", rules, "加我薇信，笨死了").stdout
    assert "verdict   block" in out and "q.likely" not in out, out


@pytest.mark.parametrize("line, what", [
    ("{", "is no JSON object"), ('{"text": "a"}', "label: missing"), ('{"label": "a"}', "text: missing"),
    ('{"text": "a", "label": "A b"}', "label: must be small letters"),
])
def test_bad_rows_are_told_with_their_place(tmp_path, line, what):
    file = rows_file(tmp_path / "rows.jsonl")
    file.write_text(file.read_text() + line + "\n")
    got = chatgate("train", file, "--model", tmp_path / "m.tsv")
    assert got.returncode == 2 and "rows.jsonl:19: " + what in got.stderr and not (tmp_path / "m.tsv").exists()


def test_training_needs_labels_and_known_options(tmp_path):
    file = rows_file(tmp_path / "rows.jsonl")
    got = chatgate("train", file, "--model", tmp_path / "m.tsv", "--side", "customer")
    assert got.returncode == 2 and 'no row of side "customer" has a label' in got.stderr
    assert "must be agent or customer" in chatgate("train", file, "--model", tmp_path / "m.tsv", "--side", "x").stderr
    assert chatgate("train", file).returncode == 2 and chatgate("train", file, "--models", "x").returncode == 2
    assert "cannot be written" in chatgate("train", file, "--model", tmp_path / "no" / "m.tsv").stderr
    rows = [{"text": "字" * 3, "label": "l" + "abcdefghi"[i]} for i in range(9)]
    assert "more than 8 labels" in chatgate("train", rows_file(file, rows), "--model", tmp_path / "m.tsv").stderr


def test_the_shipped_model_is_that_of_the_rows(tmp_path):
    """Weights may differ by one in the last digit: exp() of another processor."""
    model = tmp_path / "m.tsv"
    data = ROOT / "tests" / "accuracy"
    got = chatgate("train", data / "rounds" / "agents.jsonl", data / "own.jsonl", "--quick", "--model", model)
    assert got.returncode == 0, got.stderr
    new, old = ([line.split("\t") for line in path.read_text().splitlines()] for path in (model, ROOT / "rules" / "lists" / "likely.tsv"))
    assert new[:3] == old[:3], "train the model again: docs/rules.md says how"
    weights = [{row[0]: [int(w) for w in row[1:]] for row in rows[5:]} for rows in (new, old)]
    same = [run for run in weights[0] if run in weights[1]]
    assert len(same) > 0.99 * len(weights[1])
    assert all(abs(a - b) <= 1 for run in same for a, b in zip(weights[0][run], weights[1][run]))


def test_a_broken_pack_is_refused_with_its_place(rules):
    (rules / "p.yaml").write_text(PACK.replace("action: block", "action: burn"))
    got = chatgate("test", "--rules", rules)
    assert got.returncode == 2 and "p.yaml:13:13: action: is \"burn\"" in got.stderr


def test_shipped_examples_hold():
    got = chatgate("test", "--rules", ROOT / "rules")
    assert got.returncode == 0, got.stdout


def test_the_documented_overrides_fit_the_shipped_packs(tmp_path):
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/rules.md").read_text(), re.S)
    overrides = [b for b in blocks if "override:" in b]
    assert len(overrides) == 2
    for text in overrides:
        (tmp_path / "rules/local").mkdir(exist_ok=True)
        (tmp_path / "rules/local/shop.yaml").write_text(text)
        done = chatgate("explain", "--rules", tmp_path / "rules", "您好")
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_without_rules_those_that_are_installed(folder):
    (folder / "share" / "rules").mkdir(parents=True)
    (folder / "share" / "rules" / "a.yaml").write_text("pack: a\nrules: [{id: a.b, title: t, action: block, words: [香蕉], examples: {hit: [香蕉], miss: [苹果]}}]\n")
    env = dict(os.environ, CHATGATE_DATA=str(folder / "share"))
    done = subprocess.run([BUILD / "src/cli/chatgate", "explain", "香蕉"], cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "verdict   block" in done.stdout, done
    done = subprocess.run([BUILD / "src/cli/chatgate", "explain", "香蕉"], cwd=folder, env=dict(env, CHATGATE_DATA="/nowhere"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "/nowhere/rules: cannot be read" in done.stderr, done
