#!/usr/bin/env python3
"""Style tests: what the compiler does not check. `style.py ROOT TEST [ARGUMENT...]`, exit code 1 with one line per
finding. Each function below says what it enforces."""
import concurrent.futures
import os
import re
import subprocess
import sys

# From the ground up: a folder of src/ includes only its own headers and those of folders before it.
LAYERS = ["base", "conf", "text", "rule", "proto", "net", "track", "gate", "admin", "board", "cli"]

# Headers of other projects: prefix, and the only places that may include them ("DIR/" or a file).
THIRD_PARTY = [
    ("yaml.h", ["src/conf/"]),
    ("unicode/", ["src/text/gen/", "tests/"]),
    ("opencc/", ["src/text/gen/", "bench/", "tests/"]),
    ("utf8proc.h", ["src/text/gen/", "bench/", "tests/"]),
    ("bzlib.h", ["src/text/gen/"]),
    ("pcre2.h", ["src/rule/regex.c"]),
    ("hs/", ["bench/"]),
    ("hs.h", ["bench/"]),
    ("expat.h", ["src/proto/"]),
    ("zlib.h", ["src/proto/"]),
    ("event2/", ["src/net/", "src/admin/", "src/board/", "src/main.c", "bench/", "tests/"]),
    ("openssl/", ["src/net/tls.c", "src/net/tls_conn.c", "src/net/tls_parts.h", "src/net/hmac.c", "src/net/sign.c", "bench/", "tests/"]),
    ("hiredis/", ["src/track/redis.c", "tests/"]),
    ("jansson.h", ["bench/", "tests/"]),  # what our JSON reader is compared with
    ("crypt.h", ["src/board/password.c"]),
    ("cmocka.h", ["tests/"]),
    ("strophe.h", ["tests/"]),
]

# C library and kernel interfaces.
SYSTEM = set("""
assert ctype dirent dlfcn errno fcntl fnmatch ftw getopt glob grp inttypes libgen limits locale math netdb poll pthread pwd
malloc sched setjmp signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib string strings syslog termios
time uchar unistd wchar arpa/inet netinet/in netinet/tcp sys/epoll sys/eventfd sys/file sys/ioctl sys/mman sys/prctl
sys/random sys/resource sys/signalfd sys/socket sys/stat sys/statfs sys/statvfs sys/syscall sys/time sys/timerfd sys/types sys/uio
sys/un sys/utsname sys/vfs sys/wait linux/magic linux/sockios immintrin emmintrin tmmintrin
""".split())

POISONED = ["strcpy", "strcat", "sprintf", "vsprintf", "strtok", "atoi", "atol", "gets"]

LINES_WARN, LINES_MAX = 400, 800


def sources(root, folders, endings=(".c", ".h")):
    for folder in folders:
        for at, _, names in sorted(os.walk(os.path.join(root, folder))):
            for name in sorted(names):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(at, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def code_only(text):
    """The text with comments and literals blanked, lines kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def includes(text):
    for number, line in enumerate(text.split("\n"), 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if m:
            yield number, m.group(1) == "<", m.group(2)


def layers(root):
    """Rooms include only rooms below them; other projects' headers stand only where THIRD_PARTY allows."""
    for path in sources(root, ["src", "bench", "tests"]):
        parts = path.split("/")
        room = parts[1] if parts[0] == "src" and len(parts) > 2 else None
        if room and room not in LAYERS:
            yield f"{path}:1: src/{room} is not in the list of layers"
            continue
        for number, is_angled, name in includes(read(root, path)):
            where = f"{path}:{number}: includes {name}"
            if is_angled:
                homes = next((h for prefix, h in THIRD_PARTY if name.startswith(prefix)), None)
                if homes is None and name.removesuffix(".h") not in SYSTEM:
                    yield f"{where}: unknown header, tests/style/style.py says which may stand where"
                elif homes is not None and not any(path.startswith(h) for h in homes):
                    yield f"{where}: allowed only in {', '.join(homes)}"
            elif room and "/" in name:
                other = name.split("/")[0]
                if other not in LAYERS:
                    yield f"{where}: {other} is no room"
                elif LAYERS.index(other) > LAYERS.index(room):
                    yield f"{where}: {room} stands below {other}"


def calls(root):
    """Calls that this project never makes, also where the build's poisoning does not reach; no extern variables but
    constant tables."""
    pattern = re.compile(r"\b(" + "|".join(POISONED) + r")\s*\(")
    for path in sources(root, ["src", "bench", "tests"]):
        text = code_only(read(root, path))
        for number, line in enumerate(text.split("\n"), 1):
            m = pattern.search(line)
            if m:
                yield f"{path}:{number}: calls {m.group(1)}, which is forbidden"
            if path.startswith("src/") and path.endswith(".h") and re.match(r"\s*extern\s+(?!const\b)[^(]*;", line):
                yield f"{path}:{number}: declares a variable with extern"


def formatting(root, clang_format):
    """clang-format has nothing to change."""
    files = list(sources(root, ["src", "bench", "tests"]))
    for k in range(0, len(files), 40):
        done = subprocess.run([clang_format, "--dry-run", "-Werror", *files[k:k + 40]], cwd=root, text=True,
                              capture_output=True)
        seen = set()
        for line in done.stderr.split("\n"):
            m = re.match(r"(\S+?):(\d+):", line)
            if m and m.group(1) not in seen:
                seen.add(m.group(1))
                yield f"{m.group(1)}:{m.group(2)}: not formatted (clang-format -i)"
        if done.returncode and not seen:
            yield f"clang-format failed: {done.stderr.strip()}"


def headers(root, compiler, *flags):
    """Every header of src/ compiles alone and guards itself."""

    def compile_alone(path):
        done = subprocess.run(
            [compiler, "-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
             "-include", "src/base/poison.h", "-Isrc", *flags, "-x", "c", "-"],
            cwd=root, input=f'#include "{path.removeprefix("src/")}"\n', text=True, capture_output=True)
        if done.returncode:
            first = next((l for l in done.stderr.split("\n") if "error" in l), done.stderr.strip())
            return f"{path}:1: does not compile alone: {first}"
        return None

    paths = list(sources(root, ["src"], (".h",)))
    for path in paths:
        if "#pragma once" not in read(root, path):
            yield f"{path}:1: has no #pragma once"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield from (finding for finding in pool.map(compile_alone, paths) if finding)


def length(root):
    """Files are about 200 lines, seldom above 400 (warned about), never above 800."""
    for path in sources(root, ["src", "bench"]):
        n = read(root, path).count("\n")
        if n > LINES_MAX:
            yield f"{path}:1: has {n} lines, at most {LINES_MAX} are allowed"
        elif n > LINES_WARN:
            print(f"warning: {path}:1: has {n} lines, aim below {LINES_WARN}")


def manual(root, groff):
    """The manual pages name every command and every key, and groff has nothing to say about them."""
    pages = "docs/man/chatgate.1", "docs/man/chatgated.8", "docs/man/chatgate.yaml.5", "docs/man/chatgate-board.8"
    commands = re.findall(r'X\((\w+), "', read(root, "src/cli/cli.h"))
    keys = re.findall(r'\{"([^"]+)", CONF_', read(root, "src/conf/conf_table.c"))
    keys += ["policy." + name for name in re.findall(r'X\(CAUSE_\w+, "(\w+)"', read(root, "src/base/cause.h"))]
    for wanted, page in (commands, pages[0]), (keys, pages[2]):
        assert len(wanted) > 5, f"cannot read the names for {page}"
        text = read(root, page)
        for name in wanted:
            if not re.search(rf"^\.BR? {re.escape(name)}( |$)", text, re.M):
                yield f"{page}:1: {name} is missing"
    for page in pages:
        done = subprocess.run([groff, "-man", "-Tutf8", "-ww", "-z", page], cwd=root, text=True, capture_output=True)
        for line in done.stderr.strip().split("\n"):
            if line:
                yield f"{page}:1: {line}"


def keys(root):
    """No dead key: what the key table fills in is read somewhere outside of src/conf, or made into what is (measure.c)."""
    table = read(root, "src/conf/conf_table.c")
    code = "".join(code_only(read(root, p)) for p in sources(root, ["src"])
                   if not p.startswith("src/conf/") or p == "src/conf/measure.c")
    seen = set(re.findall(r"\w+", code))
    rows = re.findall(r'\{"([^"]+)", CONF_\w+, \w+\(([\w.]+)\)', table)
    assert len(rows) > 50, "cannot read the key table"
    for name, member in rows:
        if member.split(".")[-1] not in seen:
            yield f"src/conf/conf_table.c:1: nothing reads {name} ({member})"


def self_test(root):
    """The checks above find what they are for (a small tree with one fault each)."""
    import tempfile
    faults = {
        "src/base/a.c": '#include "conf/conf.h"\n',
        "src/gate/b.c": "#include <openssl/ssl.h>\n#include <odd.h>\nint x(void) { return atoi(\"1\"); }\n",
        "src/base/c.h": "extern int counter;\n",
        "src/odd/d.c": "\n",
        "src/base/e.c": "\n" * (LINES_MAX + 1),
        "src/base/f.c": '/* strcpy( */ const char *f = "gets(";\n',
    }
    with tempfile.TemporaryDirectory() as tree:
        for path, text in faults.items():
            os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
            with open(os.path.join(tree, path), "w", encoding="utf-8") as f:
                f.write(text)
        found = [*layers(tree), *calls(tree), *length(tree)]
    wanted = ["src/base/a.c:1: includes conf/conf.h: base stands below conf", "src/gate/b.c:1: includes openssl/ssl.h",
              "src/gate/b.c:2: includes odd.h", "src/odd/d.c:1: src/odd", "src/gate/b.c:3: calls atoi",
              "src/base/c.h:1: declares", "src/base/e.c:1: has"]
    for want in wanted:
        if not any(line.startswith(want) for line in found):
            yield f"not found: {want}"
    if len(found) != len(wanted):
        yield f"{len(found)} findings, expected {len(wanted)}: {found}"


def main():
    root, name = sys.argv[1], sys.argv[2]
    tests = {"layers": layers, "calls": calls, "format": formatting, "headers": headers, "length": length,
             "manual": manual, "keys": keys, "self": self_test}
    findings = list(tests[name](root, *sys.argv[3:]))
    for line in findings:
        print(line)
    print(f"{name}: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
