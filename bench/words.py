#!/usr/bin/python3
"""Prints a pack of N words of three to five rare characters, none of which stands in the texts that the bench sends."""

import random
import sys

rng, seen = random.Random(1), set()
pool = [chr(c) for c in range(0x7000, 0x7400)]
while len(seen) < int(sys.argv[1]):
    seen.add("".join(rng.choices(pool, k=rng.randrange(3, 6))))
words = sorted(seen)
print(f"""pack: grown
rules:
  - id: grown.words
    title: grown words
    norm: E6
    action: block
    notice: no
    examples: {{hit: [{words[0]}], miss: [好的]}}
    words:""")
print("\n".join(f"      - {w}" for w in words))
