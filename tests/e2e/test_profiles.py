"""The shipped profiles with the backends' own client libraries: socket.io with its real server, Rocket.Chat and Tinode
against stubs. A message passes, is refused so that the client's own interface says it, is rewritten; incoming messages
are seen; notices arrive."""

import asyncio
import json
import urllib.error
import urllib.request

import pytest
import websockets

from gateway import PATIENCE, SOURCE, Gateway, wait_for
from peers import Peer

RULES = SOURCE / "tests" / "e2e" / "rules" / "e2e.yaml"
BAD, BAD_NOTICE = "加我微信", "请在平台内沟通。"
VAGUE, VAGUE_NOTICE = "大概吧", "请给出明确的答复。"
SOFT, SOFT_AFTER = "这是\"最好的\"面料", "这是\"很好的\"面料"


class Rig:
    def __init__(self, folder, profile, kind, client=None, certificates=None):
        self.server = Peer(f"{kind}_server", folder)
        self.backend_port = self.server.wait("listening")["port"]
        tls, trust = "", {}
        if certificates:
            tls = f"    tls: {{certificate: {certificates / 'server.pem'}, key: {certificates / 'server.key'}}}"
            trust = {"NODE_EXTRA_CA_CERTS": str(certificates / "ca.pem")}
        self.gateway = Gateway(folder, self.backend_port, profile=profile, rules=RULES, listener_extra=tls)
        self.client = Peer(client or f"{kind}_client", folder, **trust)
        self.is_secure = bool(certificates)
        self.base = f"http{'s' if certificates else ''}://127.0.0.1:{self.gateway.port}"

    def status(self, method, path):
        request = urllib.request.Request(self.base + path, method=method, data=b"{}" if method != "GET" else None)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status
        except urllib.error.HTTPError as e:
            return e.code

    def stop(self):
        self.client.stop()
        assert self.gateway.stop() == 0
        self.server.stop()


@pytest.fixture
def rig(folder):
    made = []

    def make(*args):
        made.append(Rig(folder, *args))
        return made[-1]
    yield make
    for r in made:
        r.stop()


def test_socketio(rig):
    r = rig("socketio-custom", "socketio")
    r.client.do("connect", url=r.base)
    assert r.client.wait("ready")["agent"]["agent"]["id"] == "agent-1"

    r.client.do("send", id="m1", conv="c1", text="您好")
    assert r.client.wait("ack")["answer"] == {"ok": True, "id": "m1"}
    assert r.server.wait("message")["message"] == {"id": "m1", "conversationId": "c1", "text": "您好"}

    r.client.do("send", id="m2", conv="c1", text=BAD)
    assert r.client.wait("ack")["answer"] == {"ok": False, "code": "blocked", "error": BAD_NOTICE}
    r.client.do("send_without_ack", id="m3", conv="c1", text=BAD)
    assert r.client.wait("message_error")["data"] == {"id": "m3", "error": BAD_NOTICE}

    r.client.do("send", id="m4", conv="c1", text=SOFT)
    assert r.client.wait("ack")["answer"]["id"] == "m4"
    assert r.server.wait("message")["message"]["text"] == SOFT_AFTER  # and m2, m3 never came

    r.client.do("send", id="m5", conv="c1", text=VAGUE)
    assert r.client.wait("notice")["data"] == {"text": VAGUE_NOTICE, "conversationId": "c1"}
    assert r.server.wait("message")["message"]["id"] == "m5"
    assert r.client.wait("ack")["answer"]["id"] == "m5"

    r.server.do("say", ns="/", id="k1", conv="c1", text="在吗")
    assert r.client.wait("message")["data"]["text"] == "在吗"
    assert r.client.seen == [] and r.server.seen == []


def test_socketio_namespace_and_binary(rig):
    r = rig("socketio-custom", "socketio")
    r.client.do("connect", url=r.base + "/desk")
    r.client.wait("ready")
    r.client.do("send", id="m1", conv="c1", text=BAD)
    assert r.client.wait("ack")["answer"]["error"] == BAD_NOTICE
    r.client.do("send_binary")
    r.client.do("send", id="m2", conv="c1", text="好的")
    assert r.client.wait("ack")["answer"] == {"ok": True, "id": "m2"}
    assert r.server.wait("message")["message"]["id"] == "m2"
    assert r.server.seen == []  # neither m1 nor the binary event came through


def test_socketio_polling_is_denied(rig):
    r = rig("socketio-custom", "socketio")
    r.client.do("connect", url=r.base, transports=["polling"])
    assert "poll" in r.client.wait("connect_error")["error"]
    assert r.status("GET", "/socket.io/?EIO=4&transport=polling") == 403
    assert r.status("POST", "/socket.io/?EIO=4&transport=polling&sid=x") == 403
    assert r.status("POST", "/socket.io/x/?EIO=4&transport=polling&sid=x") == 403


def test_rocketchat(rig):
    r = rig("rocketchat", "rocketchat")
    r.client.do("connect", url=r.base)
    assert r.client.wait("ready")["uid"] == "u1"

    r.client.do("send", id="m1", conv="r1", text="您好")
    assert r.client.wait("sent")["text"] == "您好"
    assert r.server.wait("message")["message"] == {"_id": "m1", "rid": "r1", "msg": "您好"}

    r.client.do("send", id="m2", conv="r1", text=BAD)
    refused = r.client.wait("rejected")
    assert refused["id"] == "m2" and refused["error"]["reason"] == BAD_NOTICE
    assert refused["error"]["error"] == "error-message-blocked"

    r.client.do("send", id="m3", conv="r1", text=SOFT)
    assert r.client.wait("sent")["text"] == SOFT_AFTER
    assert r.server.wait("message")["message"]["msg"] == SOFT_AFTER

    r.client.do("send", id="m4", conv="r1", text=VAGUE)
    notice = r.client.wait("notice")["data"]
    assert notice["msg"] == VAGUE_NOTICE and notice["rid"] == "r1" and notice["private"] is True
    r.server.wait("message")

    r.client.do("send", id="m5", conv="closed", text="您好")  # the backend's own refusal goes through as it is
    assert r.client.wait("rejected")["error"]["error"] == "error-not-allowed"

    r.server.do("say", id="k1", conv="r1", sender="v1", text="在吗")
    assert r.client.wait("message")["data"]["msg"] == "在吗"


def test_rocketchat_sockjs(rig):
    r = rig("rocketchat", "rocketchat", "rocketchat_sockjs_client")
    r.client.do("connect", url=r.base)
    r.client.wait("ready")

    r.client.do("send", id="1", conv="r1", text="您好")
    assert r.client.wait("result")["text"] == "您好"
    assert r.client.wait("updated")["id"] == "1"
    r.client.do("send", id="2", conv="r1", text=BAD)
    assert r.client.wait("result")["error"]["reason"] == BAD_NOTICE
    assert r.client.wait("updated")["id"] == "2"
    r.client.do("send", id="3", conv="r1", text=SOFT)
    assert r.client.wait("result")["text"] == SOFT_AFTER
    r.client.do("send", id="4", conv="r1", text=VAGUE)
    assert r.client.wait("notice")["data"]["msg"] == VAGUE_NOTICE
    assert [r.server.wait("message")["message"]["_id"] for _ in range(3)] == ["m1", "m3", "m4"]

    r.server.do("say", id="k1", conv="r1", sender="v1", text="在吗")
    assert r.client.wait("message")["data"]["msg"] == "在吗"


def test_rocketchat_sockjs_batches(rig):
    """Several messages in one frame, as a client may send them: each has its own fate."""
    r = rig("rocketchat", "rocketchat")

    def method(id, text):
        m = {"msg": "method", "method": "sendMessage", "id": id, "params": [{"_id": f"m{id}", "rid": "r1", "msg": text}]}
        return json.dumps(m, ensure_ascii=False)

    async def go():
        url = f"ws://127.0.0.1:{r.gateway.port}/sockjs/123/abcdefgh/websocket"
        async with websockets.connect(url, compression=None, open_timeout=PATIENCE) as ws:
            assert await ws.recv() == "o"
            await ws.send(json.dumps([method("1", "您好"), method("2", BAD), method("3", SOFT)], ensure_ascii=False))
            answers = {}
            while len(answers) < 3:
                frame = await asyncio.wait_for(ws.recv(), PATIENCE)
                assert frame[0] == "a"
                for one in json.loads(frame[1:]):
                    m = json.loads(one)
                    if m["msg"] == "result":
                        answers[m["id"]] = m
            assert answers["1"]["result"]["msg"] == "您好"
            assert answers["2"]["error"]["reason"] == BAD_NOTICE
            assert answers["3"]["result"]["msg"] == SOFT_AFTER
    asyncio.run(go())
    assert [r.server.wait("message")["message"]["_id"] for _ in range(2)] == ["m1", "m3"]


def test_rocketchat_sockjs_polling_is_denied(rig):
    r = rig("rocketchat", "rocketchat", "rocketchat_sockjs_client")
    r.client.do("connect", url=r.base, transports=["xhr-polling"])
    assert r.client.wait("closed")["code"] != 1000


@pytest.mark.parametrize("method,path", [
    ("POST", "/api/v1/method.call/sendMessage"), ("POST", "/api/v1/method.callAnon/sendMessage"),
    ("POST", "/api/v1/chat.sendMessage"), ("POST", "/api/v1/chat.postMessage"), ("POST", "/api/v1/chat.update"),
    ("POST", "/api/v1/rooms.upload/r1"), ("POST", "/api/v1/rooms.media/r1"),
    ("POST", "/api/v1/rooms.mediaConfirm/r1/f1"), ("POST", "/api/v1/commands.run"),
    ("POST", "/api/v1/livechat/message"), ("PUT", "/api/v1/livechat/message/m1"),
    ("POST", "/sockjs/123/abc/xhr_send"), ("POST", "/api/v1/CHAT.sendMessage/"),
])
def test_rocketchat_denied_routes(denied, method, path):
    assert denied.status(method, path) == 403
    assert denied.server.events.empty()


@pytest.fixture(scope="module")
def denied(tmp_path_factory):
    r = Rig(tmp_path_factory.mktemp("denied"), "rocketchat", "rocketchat")
    from gateway import Process
    kept = list(Process.started)
    Process.started.clear()  # these live as long as the module
    yield r
    Process.started.extend(kept)
    assert r.status("POST", "/api/v1/login") == 200  # what carries no message passes
    assert r.server.wait("request")["url"] == "/api/v1/login"
    r.stop()


def test_tinode(rig):
    r = rig("tinode", "tinode")
    r.client.do("connect", host=f"127.0.0.1:{r.gateway.port}")
    assert r.client.wait("ready")["uid"] == "usrA"

    r.client.do("send", conv="usrB", content="您好")
    assert r.client.wait("sent")["code"] == 202
    assert r.server.wait("message")["pub"]["content"] == "您好"

    r.client.do("send", conv="usrB", content=BAD)
    refused = r.client.wait("rejected")
    assert refused["code"] == 422 and BAD_NOTICE in refused["error"]

    r.client.do("send", conv="usrB", content={"txt": SOFT, "fmt": [{"at": 2, "len": 5, "tp": "ST"}]})
    assert r.client.wait("sent")["code"] == 202
    assert r.server.wait("message")["pub"]["content"] == {"txt": SOFT_AFTER}  # offsets of the old text are gone

    r.client.do("send", conv="usrClosed", content="您好")
    assert r.client.wait("rejected")["code"] == 403

    r.server.do("say", conv="usrB", text="在吗")
    assert r.client.wait("message")["data"]["content"] == "在吗"
    assert r.status("POST", "/v0/channels/lp?sid=1") == 403


@pytest.mark.parametrize("profile,kind", [("socketio-custom", "socketio"), ("rocketchat", "rocketchat"),
                                          ("tinode", "tinode"), ("plain-ws-json", "plain")])
def test_incoming_is_counted(rig, profile, kind):
    r = rig(profile, kind)
    r.client.do("connect", url=r.base, host=f"127.0.0.1:{r.gateway.port}")
    r.client.wait("ready")
    conv = {"rocketchat": "r1", "tinode": "usrB"}.get(kind, "c1")
    r.server.do("say", ns="/", id="k1", conv=conv, sender="v1", text="在吗")
    r.client.wait("message")
    wait_for("the incoming message in /metrics",
             lambda: r.gateway.metrics().get("chatgate_messages_incoming_total") == 1)


TEXTS = ["您好", BAD, SOFT, "加 我 微 信", "加我威信", "请加\n我微信", "加\u200b我微信", "Ａ\u0041\t\"\\/ 最好的😀最好的", "微信支付可以吗", "最后一件",
         "</script>最好的\u2028", VAGUE]


def outcomes(r, profile):
    """What became of every text: refused, or what the server received."""
    r.client.do("connect", url=r.base, host=f"127.0.0.1:{r.gateway.port}", secure=r.is_secure)
    r.client.wait("ready")
    result = []
    for i, text in enumerate(TEXTS):
        # A conversation each, so that no window of earlier messages joins in. Tinode's client would make Drafty of the
        # plain text by itself, with spaces for line ends.
        r.client.do("send", id=f"m{i}", conv=f"conv{i}", text=text, content={"txt": text})
        answer = r.client.wait_any("sent", "rejected", "ack")
        if answer["event"] == "rejected" or answer.get("answer", {}).get("ok") is False:
            result.append("refused")
            continue
        got = r.server.wait("message")
        result.append(got["pub"]["content"]["txt"] if profile == "tinode" else
                      got["message"]["msg"] if profile == "rocketchat" else got["message"]["text"])
    return result


def test_same_text_same_verdict(folder, certificates):
    """Every profile, with and without TLS, gives the same verdict and the same rewrite for the same text."""
    by_profile = {}
    for profile, kind in (("plain-ws-json", "plain"), ("socketio-custom", "socketio"), ("rocketchat", "rocketchat"),
                          ("tinode", "tinode")):
        for tls in (None, certificates):
            name = f"{kind}-tls" if tls else kind
            (folder / name).mkdir()
            r = Rig(folder / name, profile, kind, certificates=tls)
            by_profile[name] = outcomes(r, profile)
            r.stop()
    first = by_profile["plain"]
    assert all(other == first for other in by_profile.values()), by_profile
    assert first[0] == "您好" and first[1] == "refused" and first[2] == SOFT_AFTER
    assert first.count("refused") >= 3 and "Ａ\u0041\t\"\\/ 很好的😀很好的" in first
