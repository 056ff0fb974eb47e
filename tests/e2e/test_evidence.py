"""Transcripts, seals, export and verification: what is unaltered is shown to be so, whatever was altered is named."""

import asyncio
import json
import re
import subprocess

import msgpack
import pytest

from gateway import BUILD, SOURCE, Agent, Backend, Gateway, Process, Redis, run, wait_for

COMPLAINT = "我要投诉！订单 20261122000123 坏了，电话13812345678，要求退款"
SECRET = "13812345678"


def chatgate(*args, status=0):
    done = subprocess.run([BUILD / "src/cli/chatgate", *map(str, args)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


class Desk:
    """A gateway with transcripts and a conversation with a complaint in it."""

    def __init__(self, folder, port, text="full", key=True, extra=""):
        self.folder, self.key, self.pub = folder, folder / "evidence.key", folder / "evidence.key.pub"
        chatgate("keygen", self.key)
        self.redis = Redis(folder / "redis")
        self.gateway = Gateway(folder / "gw", port, redis=self.redis, redis_extra="  shards: 2", rules=SOURCE / "rules",
                               extra=f"transcripts: {{enabled: true, text: {text}, keep: 7d}}\n"
                               + (f"evidence: {{key: {self.key}, seal_every: 1s}}\n" if key else "") + extra)

    def cli(self, *args, status=0):
        return chatgate(*args, "--config", self.gateway.config, status=status)

    def cases(self):
        return json.loads(self.cli("cases", "--json"))

    def export(self, *args, case=None):
        out, page = self.folder / "case.json", self.folder / "case.html"
        case = case or self.cases()[0]["id"]
        self.said = self.cli("cases", "export", case, "--key", self.key, "--out", out, "--html", page, *args)
        return out

    def verify(self, file, status=0, key=None):
        return chatgate("cases", "verify", "--key", key or self.pub, file, status=status)

    def sealed(self, n):
        """Until seals cover n messages."""
        client = self.redis.client()

        def probe():
            seals = [json.loads(e[b"seal"]) for s in range(2) for _, e in client.xrange(f"cg:{{{s}}}:seals")]
            return sum(len(s["hashes"]) for s in seals) >= n and seals
        return wait_for(f"{n} sealed messages", probe)

    def stop(self):
        self.gateway.stop()
        self.redis.stop()


async def talk(b, url, wait):
    async with Agent(url, "amy") as a:
        await b.say("amy", "c1", COMPLAINT, "i1")
        await a.until("message")
        for i, text in enumerate(["非常抱歉，我马上为您核实。", "加我微信聊吧", "已为您登记退款 <b>&</b>"]):
            await a.send("c1", text, f"o{i}")
            await a.until("ack" if i != 1 else "error")
        await b.say("amy", "c1", "好的", "i2")
        await a.until("message")
        await b.say("amy", "other", "别的客户说的话", "i3")
        await a.until("message")
        await asyncio.get_running_loop().run_in_executor(None, wait)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    holder = {}

    async def go():
        async with Backend() as b:
            d = holder["desk"] = Desk(folder, b.port)
            await talk(b, d.gateway.url, lambda: d.sealed(6))
    run(go())
    d = holder["desk"]
    for p in (d.redis, d.gateway):
        Process.started.remove(p.proc)  # these outlive a test
    yield d
    d.stop()


@pytest.fixture
def lines(desk):
    """The lines of a good export."""
    file = desk.export()
    assert "unaltered" in desk.verify(file)
    return file.read_text().split("\n")


def test_an_export_has_everything_in_order_and_is_json(desk):
    desk.cli("cases", "assign", desk.cases()[0]["id"], "tom", "--by", "sue", "--reason", "急")
    file = desk.export()
    assert re.search(r"5 messages, 2 steps, [1-5] seals", desk.said)
    doc = json.loads(file.read_text())
    entries = [x["entry"] for x in doc if "entry" in x]
    assert [e["no"] for e in entries] == [1, 2, 3, 4, 5]
    assert [e["text"] for e in entries] == [COMPLAINT, "非常抱歉，我马上为您核实。", "加我微信聊吧", "已为您登记退款 <b>&</b>", "好的"]
    assert [e.get("action") for e in entries] == [None, "pass", "block", "pass", None]
    assert [e.get("delivered") for e in entries] == [None, "1", None, "1", None]
    assert (doc[0]["case"]["words"], doc[0]["case"]["orders"]) == (COMPLAINT, "20261122000123")
    history = [x["history"] for x in doc if "history" in x]
    assert [(h["who"], h.get("act")) for h in history][-1] == ("sue", "assign")
    assert "别的客户" not in file.read_text()
    said = desk.verify(file)
    assert "5 messages" in said and "5 of the messages were sealed" in said
    page = (desk.folder / "case.html").read_text()
    assert "已为您登记退款 &lt;b&gt;&amp;&lt;/b&gt;" in page and "<script" not in page and COMPLAINT in page
    import hashlib
    assert hashlib.sha256(file.read_bytes()).hexdigest() in page
    audit = [{k.decode(): v.decode() for k, v in e.items()} for _, e in desk.redis.client().xrange("cg:audit")]
    assert audit[-1]["action"] == "case.export"


def index(lines, begin, nth=0):
    return [i for i, line in enumerate(lines) if line.startswith('{"' + begin)][nth]


def write(desk, lines):
    file = desk.folder / "altered.json"
    file.write_text("\n".join(lines))
    return file


@pytest.mark.parametrize("nth", range(5))
def test_a_word_of_a_message(desk, lines, nth):
    i = index(lines, "entry", nth)
    lines[i] = re.sub(r'("text":")(.)', lambda m: m[1] + "改", lines[i])
    said = desk.verify(write(desk, lines), status=1)
    assert f"message {nth + 1} was altered\n" in said and f"message {nth + 1} is not what was sealed" in said
    assert said.count("altered") == 1


@pytest.mark.parametrize("field", ["at_ms", "agent", "sender", "no", "kind", "stored_ms", "message"])
def test_any_field_of_a_message(desk, lines, field):
    i = index(lines, "entry", 1 if field in ("agent", "message") else 0)
    changed = re.sub(rf'"{field}":(\d+|"[^"]*")', lambda m: f'"{field}":' + ("7" if m[1][0] != '"' else '"x"'), lines[i], count=1)
    assert changed != lines[i]
    lines[i] = changed
    assert "was altered" in desk.verify(write(desk, lines), status=1)


@pytest.mark.parametrize("nth", range(5))
def test_a_message_taken_out(desk, lines, nth):
    del lines[index(lines, "entry", nth)]
    said = desk.verify(write(desk, lines), status=1)
    assert f"message {nth + 1} was removed\n" in said and f"message {nth + 1} is missing" in said


def test_messages_swapped(desk, lines):
    i, j = index(lines, "entry", 1), index(lines, "entry", 3)
    lines[i], lines[j] = lines[j], lines[i]
    assert "another place" in desk.verify(write(desk, lines), status=1)


def test_a_message_put_in(desk, lines):
    i = index(lines, "entry", 2)
    lines.insert(i, lines[i].replace("加我微信", "一切都好"))
    said = desk.verify(write(desk, lines), status=1)
    assert f"line {i + 1} was added behind message 2\n" in said
    lines[i] = lines[i + 1]
    assert "was added" in desk.verify(write(desk, lines), status=1), "the same twice"


def test_the_description_and_the_history(desk, lines):
    good = list(lines)
    lines[1] = lines[1].replace('"severity":', '"severity":1')
    assert "the description of the case was altered" in desk.verify(write(desk, lines), status=1)
    i = index(good, "history")
    good[i] = good[i].replace("customer", "somebody")
    assert "step 1 of the history was altered" in desk.verify(write(desk, good), status=1)


def test_seals(desk, lines):
    good = list(lines)
    i = index(lines, "seal")
    lines[i] = lines[i].replace('\\"to\\":', '\\"to\\":1', 1)
    said = desk.verify(write(desk, lines), status=1)
    assert "seal 1 was altered" in said and "seal 1 is not signed" in said
    del good[i]
    assert "seal 1 was removed" in desk.verify(write(desk, good), status=1)


def test_the_manifest(desk, lines):
    i = index(lines, "manifest")
    good = lines[i]
    lines[i] = good.replace('\\"entries\\":5', '\\"entries\\":4')
    assert lines[i] != good and "the manifest is not signed" in desk.verify(write(desk, lines), status=1)
    lines[i] = re.sub(r'"signature":"..', '"signature":"00', good)
    assert "the manifest is not signed" in desk.verify(write(desk, lines), status=1)
    lines[i] = "{}"
    assert "manifest" in desk.verify(write(desk, lines), status=1)
    del lines[i]
    assert "is missing" in desk.verify(write(desk, lines), status=1)


def test_cut_off_anywhere(desk, lines):
    text = "\n".join(lines)
    for n in (0, 1, 2, 100, len(text) // 2, len(text) - 200, len(text) - 3):
        said = desk.verify(write(desk, [text[:n]]), status=1)
        assert "missing" in said or "removed" in said or "cannot be read" in said, n


def test_a_forger_who_computes_all_hashes_anew_lacks_the_key(desk, lines):
    """The whole file made anew with another key: the deployment's key says no, and the seals say where."""
    i = index(lines, "entry", 2)
    other = desk.folder / "forger.key"
    if not other.exists():
        chatgate("keygen", other)
    import hashlib
    lines[i] = lines[i].replace("加我微信聊吧", "请在平台联系")
    body = [x.rstrip(",") for x in lines[1:index(lines, "manifest")]]
    m = json.loads(lines[index(lines, "manifest")])
    manifest = json.loads(m["manifest"])
    manifest["hashes"] = [hashlib.sha256(x.encode()).hexdigest() for x in body]
    text = json.dumps(manifest)
    raw, sig = desk.folder / "manifest.txt", desk.folder / "manifest.sig"
    raw.write_text(text)
    subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", other, "-in", raw, "-out", sig], check=True)
    lines[index(lines, "manifest")] = json.dumps({"manifest": text, "signature": sig.read_bytes().hex()})
    file = write(desk, lines)
    said = desk.verify(file, status=1)
    assert "the manifest is not signed by this key" in said and "message 3 is not what was sealed at" in said
    said = desk.verify(file, status=1, key=desk.folder / "forger.key.pub")
    assert "seal 1 is not signed by this key" in said


def test_openssl_agrees_about_the_signature(desk, lines):
    m = json.loads(lines[index(lines, "manifest")])
    raw, sig = desk.folder / "m.txt", desk.folder / "m.sig"
    raw.write_text(m["manifest"])
    sig.write_bytes(bytes.fromhex(m["signature"]))
    subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", desk.pub, "-in", raw, "-sigfile", sig],
                   check=True)


def test_the_store_altered_before_the_export(desk):
    """Whoever edits Redis leaves a message that is not what was sealed; whoever deletes leaves a hole."""
    client = desk.redis.client()
    key = next(f"cg:{{{s}}}:said" for s in range(2) if client.hexists(f"cg:{{{s}}}:said", "c1"))
    piece = client.hget(key, "c1\n0")
    good = msgpack.unpackb(piece)
    try:
        bad = [list(e) for e in good]
        bad[2][10] = "请在平台联系"
        client.hset(key, "c1\n0", msgpack.packb(bad))
        said = desk.verify(desk.export(), status=1)
        assert "message 3 is not what was sealed at" in said and "altered" not in said
        client.hset(key, "c1\n0", msgpack.packb([good[0], good[1], good[3], good[4]]))
        assert "message 3 is missing; it was sealed at" in desk.verify(desk.export(), status=1)
    finally:
        client.hset(key, "c1\n0", piece)
    assert "unaltered" in desk.verify(desk.export())


def test_seals_form_one_chain(desk):
    import hashlib
    client = desk.redis.client()
    for s in range(2):
        before, number = "0" * 64, 0
        for _, e in client.xrange(f"cg:{{{s}}}:seals"):
            seal = json.loads(e[b"seal"])
            assert (seal["previous"], seal["seal"], seal["shard"]) == (before, number + 1, s)
            before, number = hashlib.sha256(e[b"seal"]).hexdigest(), number + 1


def test_garbage_is_refused_and_crashes_nothing(desk, lines):
    import random
    rnd, text = random.Random(7), "\n".join(lines).encode()
    file = desk.folder / "garbage.json"
    for _ in range(40):
        data = bytearray(text)
        for _ in range(rnd.randrange(1, 6)):
            at, n = rnd.randrange(len(data)), rnd.randrange(1, 40)
            how = rnd.randrange(3)
            piece = bytes(data[rnd.randrange(len(data)):][:n]) if how == 0 else rnd.randbytes(n) if how == 1 else b""
            data[at:at + n] = piece
        if bytes(data) == text:
            continue
        file.write_bytes(data)
        for args in (["--key", desk.pub, file], ["--key", desk.pub, "--heads", file]):
            done = subprocess.run([BUILD / "src/cli/chatgate", "cases", "verify", *args], capture_output=True)
            assert done.returncode == 1 and not done.stderr, (done.stdout[-500:], done.stderr[-2000:])


def test_heads_kept_elsewhere_show_what_was_cut_off(desk):
    """The newest messages and their seals are taken out of Redis: nothing in Redis tells, what was kept elsewhere does."""
    heads = desk.folder / "heads"
    assert "heads" in desk.cli("cases", "heads", "--out", heads)
    assert "one chain for each shard" in chatgate("cases", "verify", "--key", desk.pub, "--heads", heads)
    good = desk.export()
    alone, both = (chatgate("cases", "verify", "--key", desk.pub, *more, good) for more in ((), ("--heads", heads)))
    assert both.startswith(alone.rstrip("\n")) and "unaltered" in alone, "what is sealed counts once"
    client = desk.redis.client()
    shard = next(s for s in range(2) if client.hexists(f"cg:{{{s}}}:said", "c1"))
    key, seals = f"cg:{{{shard}}}:said", f"cg:{{{shard}}}:seals"
    piece, head = client.hget(key, "c1\n0"), client.hget(key, "c1")
    mine = [(i, e) for i, e in client.xrange(seals) if e[b"conv"] == b"c1"]
    sizes = [len(json.loads(e[b"seal"])["hashes"]) for _, e in mine]
    left = sum(sizes[:-1])
    try:
        client.hset(key, "c1\n0", msgpack.packb(msgpack.unpackb(piece)[:left]))
        client.xdel(seals, mine[-1][0])
        cut = desk.export()
        assert "unaltered" in desk.verify(cut), "what is not there cannot be missed"
        said = chatgate("cases", "verify", "--key", desk.pub, "--heads", heads, cut, status=1)
        assert f"messages {left + 1} to 5 were sealed at" in said and "no longer there" in said
        later = desk.folder / "later"
        desk.cli("cases", "heads", "--out", later)
        assert len(later.read_text().splitlines()) == len(heads.read_text().splitlines()) - 1
    finally:
        client.hset(key, "c1\n0", piece)
        client.hset(key, "c1", head)
    lines = heads.read_text().splitlines()
    for shard in range(2):
        of = [i for i, x in enumerate(lines) if json.loads(json.loads(x)["seal"])["shard"] == shard]
        if len(of) > 2:
            heads.write_text("\n".join(lines[:of[1]] + lines[of[1] + 1:]))
            assert f"shard {shard}: seals 2 to 2 are missing" in chatgate(
                "cases", "verify", "--key", desk.pub, "--heads", heads, status=1)


def test_masked_unless_configured(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b.port, text="masked")
            await talk(b, d.gateway.url, lambda: d.sealed(6))
            text = d.export().read_text()
            entries = [x["entry"]["text"] for x in json.loads(text) if "entry" in x]
            assert SECRET not in entries[0] and "我要投诉" in entries[0]
            client = d.redis.client()
            assert not any(SECRET.encode() in v for s in range(2) for v in client.hvals(f"cg:{{{s}}}:said"))
            assert SECRET not in d.gateway.text()
            d.stop()
    run(go())


def test_off_by_default(folder):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "gw", b.port, redis=redis, redis_extra="  shards: 2", rules=SOURCE / "rules")
            await talk(b, g.url, lambda: wait_for("events", lambda: g.metrics()["chatgate_events_pumped_total"] >= 7))
            client = redis.client()
            assert not any(client.exists(f"cg:{{{s}}}:said") for s in range(2))
            key = folder / "k"
            chatgate("keygen", key)
            case = json.loads(chatgate("cases", "--json", "--config", g.config))[0]["id"]
            assert "a key is needed" in chatgate("cases", "export", case, "--config", g.config, status=2)
            out = folder / "o.json"
            chatgate("cases", "export", case, "--key", key, "--out", out, "--config", g.config)
            assert "0 messages" in chatgate("cases", "verify", "--key", f"{key}.pub", out)
            assert "no case" in chatgate("cases", "export", "0-99", "--key", key, "--config", g.config, status=1)
            g.stop()
            redis.stop()
    run(go())


def test_transcripts_move_with_a_reshard(folder):
    async def go():
        async with Backend() as b:
            d = Desk(folder, b.port)
            await talk(b, d.gateway.url, lambda: d.sealed(6))
            d.gateway.stop()
            d.redis.client().delete("cg:{nodes}:at")  # else it is believed alive for 20 s
            d.cli("redis", "reshard", "--to", "3")
            said = d.verify(d.export())
            assert "5 messages" in said and "5 of the messages were sealed" in said
            text = d.gateway.config.read_text()
            d.gateway.write_config(text.replace("shards: 2", "shards: 3"))
            d.gateway.start()
            async with Agent(d.gateway.url, "amy") as a:
                await a.send("c1", "还有什么可以帮您", "o9")
                await a.until("ack")
                client = d.redis.client()
                await asyncio.to_thread(wait_for, "the next seal", lambda: sum(
                    len(json.loads(e[b"seal"])["hashes"]) for s in range(3) for _, e in client.xrange(f"cg:{{{s}}}:seals")) == 7)
            said = d.verify(d.export("--all"))
            assert "6 messages" in said and "6 of the messages were sealed" in said
            d.stop()
    run(go())


def test_keys(folder):
    key = folder / "k"
    assert "id " in chatgate("keygen", key)
    assert key.stat().st_mode & 0o777 == 0o600
    assert "cannot be made" in chatgate("keygen", key, status=2), "never written over"
    assert "usage" in chatgate("keygen", status=2)
    key.chmod(0o644)
    file = folder / "f"
    file.write_text("[]")
    for bad in (folder / "none", file):
        said = chatgate("cases", "verify", "--key", bad, file, status=2)
        assert str(bad) in said
    rsa = folder / "rsa"
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-out", rsa], check=True, capture_output=True)
    assert "no Ed25519 key" in chatgate("cases", "verify", "--key", rsa, file, status=2)
    config = folder / "c.yaml"
    config.write_text("listeners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\n"
                      "upstreams: [{name: im, servers: ['127.0.0.1:9']}]\ncontrol: " + str(folder / "s") +
                      f"\nring: {{dir: {folder}/ring, size: 1M}}\nprofiles_dir: {SOURCE}/conf/profiles\n"
                      f"rules: {{packs: [{SOURCE}/rules]}}\nevidence: {{key: {key}}}\n")
    done = subprocess.run([BUILD / "src/chatgated", "--config", config], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "evidence.key" in done.stderr and "chmod 600" in done.stderr
