#!/usr/bin/python3
"""Prints a pack of N words none of which stands in the texts that the bench sends, its own one among them, and, with
--regexes, of regular expressions that only watch. Words are of three to five rare characters, or, with --texts, of two
to six characters of those texts, seven of ten with a piece of two to four of them: what begins like a word is then seen
often."""

import argparse
import json
import random
import re

rng = random.Random(1)
OWN_TEXT = "您好这款衬衫有黑色和白色两种您看看喜欢哪一种呢"  # TEXT_DEFAULT_TEXT of chatgate-bench


def rare():
    return "".join(rng.choices([chr(c) for c in range(0x7000, 0x7400)], k=rng.randrange(3, 6)))


def akin(lines, length):
    word = rng.choices("".join(lines), k=length)
    if length > 2 and rng.random() < 0.7:
        piece = min(rng.randrange(2, 5), length - 1)
        line = rng.choice([x for x in lines if len(x) > piece])
        at, start = rng.randrange(length - piece + 1), rng.randrange(len(line) - piece + 1)
        word[at : at + piece] = line[start : start + piece]
    return "".join(word)


def words(n, texts):
    lines = [re.sub(r"[^\u4e00-\u9fff]", "", x) for x in texts]
    lines, seen = [x for x in lines if len(x) > 1], set()
    while len(seen) < n:
        word = akin(lines, rng.randrange(2, 7)) if lines else rare()
        if not any(word in x for x in [*lines, OWN_TEXT]):
            seen.add(word)
    return sorted(seen)


def rule(name, action, key, values, mode="enforce"):
    print(f"  - id: grown.{name}\n    title: grown\n    norm: E6\n    action: {action}\n    mode: {mode}\n    notice: no")
    print(f"    {key}:")
    print("\n".join(f"      - {json.dumps(x, ensure_ascii=False)}" for x in values))


def read(path):
    return [x for x in open(path, encoding="utf-8").read().split("\n") if x and x[0] != "#"] if path else []


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("n", type=int, metavar="N")
parser.add_argument("--texts", metavar="FILE")
parser.add_argument("--regexes", metavar="FILE")
args = parser.parse_args()
chosen = words(args.n, read(args.texts))
print("pack: grown\nrules:")
rule("words", "block", "words", chosen)
print(f"    examples: {{hit: [{chosen[0]}], miss: [好的]}}")
for i, regex in enumerate(read(args.regexes)):
    rule(f"regex{i}", "warn", "regex", [regex], "shadow")
    print("    examples: {hit: [好], miss: [的]}")
