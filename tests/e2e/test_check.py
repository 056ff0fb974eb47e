"""`chatgate check`: every problem of every file in one run, each with its place; warnings; exit codes."""

import os
import re
import subprocess

import pytest

from gateway import BUILD, SOURCE

CHATGATE = BUILD / "src/cli/chatgate"

GOOD_PACK = """pack: local_test
direction: outgoing
rules:
  - id: local_test.word
    title: test
    action: block
    words: [加我微信]
    notice: 请在平台内沟通。
    examples:
      hit: [加我微信]
      miss: [你好]
"""


def check(*args, data=None):
    env = dict(os.environ)
    env.pop("CHATGATE_DATA", None)
    if data:
        env["CHATGATE_DATA"] = str(data)
    done = subprocess.run([CHATGATE, "check", *map(str, args)], capture_output=True, text=True, env=env, timeout=120)
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout.splitlines()


@pytest.fixture
def site(folder):
    """A folder with a pack and a profile, and a function that writes a configuration there."""
    (folder / "packs").mkdir()
    (folder / "packs/local_test.yaml").write_text(GOOD_PACK)
    (folder / "profiles").mkdir()
    profile = (SOURCE / "conf/profiles/plain-ws-json.yaml").read_text()
    (folder / "profiles/plain.yaml").write_text(profile.replace("profile: plain-ws-json", "profile: plain"))

    def write(more="", listener="{name: web, address: 127.0.0.1:0, profile: plain, upstream: im}"):
        (folder / "c.yaml").write_text(
            f"profiles_dir: profiles\nrules: {{packs: [packs]}}\nlisteners:\n  - {listener}\n"
            f"upstreams:\n  - {{name: im, servers: [127.0.0.1:9000]}}\n{more}")
        return folder / "c.yaml"

    return write


def test_a_good_configuration(site):
    assert check("--config", site()) == (0, ["0 errors, 0 warnings"])
    assert check(site()) == (0, ["0 errors, 0 warnings"])


def test_all_files_are_checked_in_one_run(site, folder, certificates):
    (folder / "directory.yaml").write_text("agents:\n  - {id: ann, shop: nowhere}\n  - {team: t}\n")
    (folder / "packs/local_test.yaml").write_text(GOOD_PACK.replace("action: block", "action: blok"))
    path = site("directory: directory.yaml\ntimeouts: {conect: 5s}\nworkers: many\n",
                listener=f"{{name: web, address: 127.0.0.1:0, profile: plain, upstream: mi, tls: "
                         f"{{certificate: {certificates / 'server.pem'}, key: {certificates / 'ca.key'}}}}}")
    (folder / "profiles/plain.yaml").write_text("profile: plain\nwhat: is this\n")
    code, lines = check("--config", path)
    text = "\n".join(lines)
    assert code == 1
    assert re.search(rf"^{re.escape(str(path))}:4:\d+: listeners\[\]\.upstream: \"mi\" is no upstream, must be one of: im$",
                     text, re.M), text
    assert f'{path}:8:12: timeouts.conect: unknown key, did you mean "connect"?, allowed here: connect,' in text
    assert f'{path}:9:10: workers: is "many", must be a whole number from 0 to 256' in text
    assert f'{folder}/directory.yaml:2:21: shop: "nowhere" is none of the names under shops' in text
    assert f"{folder}/directory.yaml:3:5: agents[]: has neither id and pattern" in text
    assert re.search(rf"^{re.escape(str(folder))}/packs/local_test\.yaml:6:\d+: .*blok", text, re.M), text
    assert re.search(rf"^{re.escape(str(folder))}/profiles/plain\.yaml:2:\d+: .*what", text, re.M), text
    assert re.search(r"listeners\[\]\.tls of web: .*ca\.key", text), text
    errors = len(lines) - 2  # and the warning that nobody uses "im"
    assert errors >= 8
    assert lines[-1] == f"{errors} errors, 1 warning"


def test_what_the_start_would_refuse_is_told_with_its_place(site, folder):
    """Files and secrets that only the daemon opens, and domains that no link can ever have."""
    for name, text in (("empty", ""), ("key.pem", "no key\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    base = site().read_text()
    n = base.count("\n")
    for more, told in (
            ("evidence: {key: nowhere}", [f'{n + 1}:17: evidence.key: "{folder}/nowhere" cannot be read: No such file']),
            ("evidence: {key: key.pem}", [f"{n + 1}:17: evidence.key: {folder}/key.pem: "]),
            ("evidence: {key: packs}", [f'{n + 1}:17: evidence.key: "{folder}/packs" is a folder, must be a file']),
            ("privacy: {pseudonyms: true}", [f"{n + 1}:23: privacy.pseudonyms: is true, but privacy.key is missing"]),
            ("privacy: {pseudonyms: true, key: empty}",
             [f"{n + 1}:34: privacy.key: {folder}/empty: its first line has 0 bytes, must have 16 to 1024"]),
            ("redis: {password_file: empty}", [f'{n + 1}:24: redis.password_file: "{folder}/empty" has nothing in its first line']),
            ("directory: nowhere.yaml", [f'{n + 1}:12: directory: "{folder}/nowhere.yaml" cannot be read: No such file']),
            ("tracking: {horizon: 8d, window: 8-23, session_gap: 2h}",
             [f'{n + 1}:21: tracking.horizon: is "8d", must be none, day', f'{n + 1}:33: tracking.window: is "8-23"',
              f"{n + 1}:52: tracking.session_gap: goes with the unit session"]),
            ("proxy_protocol_from: [10.0.0.0/8]",
             [f'{n + 1}:1: proxy_protocol_from: unknown key, did you mean "listeners[].proxy_protocol_from"?']),
            ("workers: 1\nworkers: 2", [f"{n + 2}:1: workers: given twice, first in line {n + 1}"])):
        (folder / "c.yaml").write_text(base + more + "\n")
        code, lines = check("--config", folder / "c.yaml")
        assert code == 1 and len(lines) == len(told) + 1, lines
        for line, start in zip(lines, told):
            assert line.startswith(f"{folder}/c.yaml:{start}"), (line, start)


@pytest.mark.parametrize("args, told", [
    (["chek"], 'chatgate: unknown command "chek", did you mean "check"?; `chatgate help` lists them\n'),
    (["stauts"], 'chatgate: unknown command "stauts", did you mean "status"?; `chatgate help` lists them\n'),
    (["frob"], 'chatgate: unknown command "frob"; `chatgate help` lists them\n'),
    (["check", "a", "b"], 'chatgate check: unexpected argument "b"\n'),
    (["check", "--config", "a", "b"], 'chatgate check: unexpected argument "b"\n'),
    (["check", "--frob", "b"], 'chatgate check: unexpected argument "--frob"\n'),
    (["mode", "off", "--control", "/nowhere"], 'chatgate mode: is "off", must be enforce, observe or bypass\n'),
    (["reload", "now"], 'chatgate reload: unexpected argument "now"\n'),
    (["drain", "--for", "5s"], 'chatgate drain: unexpected argument "--for"\n'),
    (["status", "all"], 'chatgate status: unexpected argument "all"\n'),
    (["redis", "frob"], 'chatgate redis: unexpected argument "frob"\n'),
    (["scan", "--rules", str(SOURCE / "rules"), "."], ".:1: is a folder, must be a file\n"),
])
def test_what_is_not_understood(args, told):
    done = subprocess.run([CHATGATE, *args], capture_output=True, text=True, timeout=120)
    assert done.returncode in (1, 2) and done.stderr.startswith(told), done.stderr


def test_packs_and_domains_that_are_none(site, folder):
    path = site()
    good = ["shop.example", "商店.中国", "!beta.shop.example", "a-b.co"]
    bad = ["https://shop.example", "*.shop.example", "shop.example:8080", "shop.example/x", ".shop.example", "shop example", "shop"]
    path.write_text(path.read_text().replace(
        "{packs: [packs]}", "{packs: [packs, nowhere], allow_domains: [" + ", ".join(f'"{d}"' for d in good + bad) + "]}"))
    code, lines = check("--config", path)
    assert code == 1 and len(lines) == len(bad) + 2, lines
    assert lines[0].startswith(f'{path}:2:24: rules.packs: "{folder}/nowhere" cannot be read: No such file'), lines
    for line, domain in zip(lines[1:], bad):
        assert re.match(rf'{re.escape(str(path))}:2:\d+: rules\.allow_domains: is "{re.escape(domain)}", must be a domain', line), line


def test_commands_on_redis_ask_for_no_file_of_the_daemon(site, folder):
    """Who may look at figures need not be allowed to read the daemon's keys."""
    path = site("directory: nowhere.yaml\nevidence: {key: nowhere}\nprivacy: {key: nowhere}\nredis: {address: 'unix:" + str(folder) + "/none'}\n",
                "{name: web, address: 127.0.0.1:0, profile: plain, upstream: im, tls: {certificate: no.pem, key: no.key}}")
    done = subprocess.run([CHATGATE, "agents", "--config", path], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "nowhere" not in done.stderr and "no.key" not in done.stderr, done.stderr
    assert f"{folder}/none" in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_certificate_that_is_none(site, folder):
    for name in ("a.pem", "b.pem"):
        (folder / name).write_text("this is no certificate\n")
    path = site("", "{name: web, address: 127.0.0.1:0, profile: plain, upstream: im, tls: {certificate: a.pem, key: b.pem}}")
    code, lines = check("--config", path)
    assert code == 1
    assert len(lines) == 2 and "listeners[].tls of web: " in lines[0] and "a.pem" in lines[0], lines
    assert lines[1] == "1 error, 0 warnings"


def test_hints_are_for_ones_own_packs(folder):
    pack = "pack: NAME\nrules:\n  - {id: NAME.x, title: t, action: warn, regex: ['[a-z]+[0-9]+'], examples: {hit: [abc123], miss: [abc]}}\n"
    for path in ("data/rules", "data/rules/local", "own"):
        (folder / path).mkdir(parents=True, exist_ok=True)
        (folder / path / "p.yaml").write_text(pack.replace("NAME", path.split("/")[-1]))
    (folder / "data" / "profiles").symlink_to(SOURCE / "conf" / "profiles")
    (folder / "c.yaml").write_text("listeners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\nupstreams: [{name: im, servers: ['127.0.0.1:1']}]\n"
                                   "rules: {packs: [$DATA/rules, own], local: data/rules/local}\n")
    code, lines = check("--config", folder / "c.yaml", data=folder / "data")
    told = [re.search(r"/([a-z]+)/p\.yaml:", line)[1] for line in lines[:-1]]
    assert code == 0 and sorted(told) == ["local", "own"], lines


def test_warnings_do_not_fail(site):
    path = site("  - {name: spare, servers: [127.0.0.1:9001], tls: {enabled: true, verify: false}}\n"
                "admin: 0.0.0.0:9464\nunknown_agent: refuse\n")
    code, lines = check("--config", path)
    assert code == 0, lines
    assert lines == [
        f'warning: {path}:7:5: upstreams[].name: no listener uses "spare"',
        f"warning: {path}:7:75: upstreams[].tls.verify: is false, anybody between here and the backend can read along",
        f'warning: {path}:8:8: admin: "0.0.0.0:9464" can be reached from other hosts and has no login',
        f"warning: {path}:9:16: unknown_agent: is refuse, but without a directory every agent is unknown",
        "0 errors, 4 warnings",
    ]


def test_a_platform_that_no_rule_asks_for(folder):
    (folder / "rules").symlink_to(SOURCE / "rules")
    (folder / "profiles").symlink_to(SOURCE / "conf/profiles")
    text = (SOURCE / "docs/configuration.md").read_text()
    known = re.search(r"`shops\.NAME\.platform` \|[^`]*`([^`]*)`", text)[1].split()
    shops = "".join(f"  {name}: {{platform: {name}, locale: cn, facts: [vip, colour=blue]}}\n" for name in known)
    (folder / "directory.yaml").write_text(f"shops:\n{shops}  typed: {{platform: taobo}}\n")
    (folder / "c.yaml").write_text("directory: directory.yaml\nlisteners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\n"
                                   "upstreams: [{name: im, servers: ['127.0.0.1:1']}]\nrules: {packs: [$DATA/rules]}\n")
    code, lines = check("--config", folder / "c.yaml", data=folder)
    assert code == 0 and len(lines) == 2 and len(known) > 10, lines
    assert lines[0].startswith(f"warning: {folder}/directory.yaml: shops.typed: no rule asks for platform=taobo; they ask for "), lines
    assert sorted(lines[0].split("they ask for")[1].split()) == sorted(known)


def test_the_samples_are_good(folder):
    (folder / "rules").symlink_to(SOURCE / "rules")
    (folder / "profiles").symlink_to(SOURCE / "conf/profiles")
    for name in ("chatgate.yaml", "minimal.yaml"):
        code, lines = check("--config", SOURCE / "conf" / name, data=folder)
        assert (code, lines[-1].split(",")[0]) == (0, "0 errors"), lines


def test_a_file_that_is_not_there(folder):
    code, lines = check("--config", folder / "none.yaml")
    assert code == 1
    assert lines == [f"{folder}/none.yaml: cannot open: No such file or directory", "1 error, 0 warnings"]


def test_broken_yaml(folder):
    (folder / "c.yaml").write_text("listeners: [\n")
    code, lines = check("--config", folder / "c.yaml")
    assert code == 1
    assert re.match(rf"{re.escape(str(folder))}/c\.yaml:\d+:\d+: not valid YAML: ", lines[0]), lines


def test_the_keys_are_listed():
    code, lines = check("--keys")
    assert code == 0
    assert "listeners[].tls.certificate: PEM file with the certificate and its chain; turns TLS on" in lines
    assert "    time: 10ms to 5m; default: 5s; taken at reload" in lines


def test_bad_usage():
    for name in ("check", "explain", "scan", "replay", "test", "version", "keygen", "status", "cases"):
        done = subprocess.run([CHATGATE, name, "--what"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        assert f'chatgate {name}: unexpected argument "--what"\nusage: chatgate {name}' in done.stderr


def test_the_daemon_names_what_it_does_not_take():
    for argv, what in ((["x"], 'unexpected argument "x"'), (["--clock-offset-ms", "5s"], 'is "5s", must be a whole number')):
        done = subprocess.run([BUILD / "src/chatgated", *argv], capture_output=True, text=True, timeout=120)
        assert done.returncode == 2 and what in done.stderr, done


def test_unreadable_certificates_are_told_once(folder):
    (folder / "c.yaml").write_text(f"""
profiles_dir: {SOURCE}/conf/profiles
listeners: [{{address: "127.0.0.1:0", profile: plain-ws-json, upstream: im, tls: {{certificate: no.pem, key: no.key}}}}]
upstreams: [{{name: im, servers: ["127.0.0.1:1"], tls: {{enabled: true, ca: no-ca.pem}}}}]
rules: {{packs: []}}
""")
    code, lines = check("--config", folder / "c.yaml")
    assert code == 1 and lines[-1].startswith("3 errors"), lines


def test_every_command_explains_itself():
    listed = subprocess.run([CHATGATE, "help"], capture_output=True, text=True, timeout=120).stdout
    names = re.findall(r"^  (\w+) ", listed, re.M)
    assert len(names) > 15
    for name in names:
        for argv in ([name, "--help"], ["help", name]):
            done = subprocess.run([CHATGATE, *argv], capture_output=True, text=True, timeout=120)
            assert done.returncode == 0 and re.match(rf"usage: chatgate {name}\s", done.stdout), (argv, done)
            assert done.stderr == ""


def test_board_is_the_dashboards_own_program():
    own = subprocess.run([BUILD / "src/board/chatgate-board", "passwd", "--help"], capture_output=True, text=True, timeout=120)
    here = subprocess.run([CHATGATE, "board", "passwd", "--help"], capture_output=True, text=True, timeout=120)
    assert here.returncode == own.returncode == 0
    assert here.stdout == own.stdout and "passwd" in own.stdout


def test_a_promise_in_shadow_has_no_due_time(folder):
    (folder / "p.yaml").write_text("pack: p\nrules:\n  - {id: p.x, title: t, action: warn, mode: shadow, words: [一小时内回复], commits: true,\n"
                                   "     examples: {hit: [{text: 一小时内回复您, due: 1h}], miss: [一小时]}}\n")
    done = subprocess.run([CHATGATE, "test", "--rules", folder / "p.yaml"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "has no due time (a rule in shadow promises nothing), must be due 60 minutes after sending" in done.stdout, done.stdout
