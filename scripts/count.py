#!/usr/bin/python3
"""count.py REPORT: prints `N passed, N failed, N skipped` of ctest's JUnit report, as the last line of scripts/check.sh.

A test program that passed but says that it left a part of itself out (pytest, cmocka) counts as skipped, so that nothing is left
out unseen. Exit code 1 when there is no report, no test in it, or a failed one."""

import re
import sys
import xml.etree.ElementTree as ElementTree

# the closing lines of pytest ("3 passed, 1 skipped in 2.10s") and of cmocka ("[  SKIPPED ] 1 test(s)")
PARTLY = re.compile(r"^(?:=* ?(?:\d+ \w+, )*[1-9]\d* (?:skipped|xfailed|deselected)\b.* in [\d.]+s.*|\[  SKIPPED \] [1-9].*)$", re.M)


def main():
    try:
        cases = ElementTree.parse(sys.argv[1]).getroot().findall(".//testcase")
    except (OSError, ElementTree.ParseError) as e:
        print(f"no report of the tests: {e}", file=sys.stderr)
        return 1
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in cases:
        name, output = case.get("name"), case.findtext("system-out") or ""
        if case.get("status") == "run":
            partly = PARTLY.search(output)
            result = "skipped" if partly else "passed"
            why = partly.group(0) if partly else ""
        else:
            skipped = case.find("skipped")
            why = skipped.get("message", "") if skipped is not None else case.get("status")
            # "notrun" is also what ctest says of a test whose program is missing: that one failed
            is_skipped = case.get("status") == "disabled" or why.startswith("SKIP_")
            result = "skipped" if is_skipped else "failed"
        counts[result] += 1
        if result != "passed":
            print(f"{result}: {name}{': ' + why if why else ''}")
    print(", ".join(f"{n} {what}" for what, n in counts.items()))
    return 0 if cases and not counts["failed"] else 1


sys.exit(main())
