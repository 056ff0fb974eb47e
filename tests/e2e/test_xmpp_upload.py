"""Uploads (XEP-0363) of Prosody and ejabberd: slots pass, the file goes to the server's HTTP port, and its address is judged
as a link: the deployment's own domain is allowed, every other one is refused."""

import asyncio
import http.client
import urllib.parse
import xml.etree.ElementTree as ET

import pytest

from gateway import PATIENCE, SOURCE, Gateway, run
from xmpp_client import Client
from xmpp_servers import FILES, Ejabberd, Prosody

ACCOUNTS = {"amy": "secret-a", "cus": "secret-c"}
NS = "{urn:xmpp:http:upload:0}"
PACK = f"""pack: links
rules:
  - id: links.foreign
    title: links
    norm: E2
    action: block
    detect: [{{url: {{allow: [{FILES}]}}}}]
    notice: 请勿发送站外链接。
    examples: {{hit: ["http://other.net/a.png"], miss: ["http://{FILES}/a.png"]}}
"""


@pytest.fixture(params=[Prosody, Ejabberd], ids=["prosody", "ejabberd"])
def server(folder, request):
    s = request.param(folder / "server", ACCOUNTS)
    yield s
    s.stop()


def put(port, url, data, headers):
    """To the loopback interface, whatever the address says."""
    at = urllib.parse.urlsplit(url)
    h = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    h.request("PUT" if data else "GET", at.path, body=data, headers={"Host": at.netloc, **headers})
    answer = h.getresponse()
    return answer.status, answer.read()


def share(client, mid, url, kind="oob"):
    m = client.make_message(mto="cus@localhost/r1", mbody=url if kind != "file" else None, mtype="chat")
    m["id"] = mid
    if kind == "oob":
        m.append(ET.fromstring(f"<x xmlns='jabber:x:oob'><url>{url}</url></x>"))
    elif kind == "file":
        m.append(ET.fromstring(
            "<file-sharing xmlns='urn:xmpp:sfs:0'><file xmlns='urn:xmpp:file:metadata:0'><name>图.png</name></file><sources>"
            f"<url-data xmlns='http://jabber.org/protocol/url-data' target='{url}'/></sources></file-sharing>"))
    m.send()


def test_uploads(folder, server):
    async def go():
        pack = folder / "pack"
        pack.mkdir()
        (pack / "links.yaml").write_text(PACK)
        g = Gateway(folder, server.c2s, profile="xmpp", rules=[SOURCE / "tests" / "e2e" / "rules", pack])
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus, \
                Client("amy", "secret-a", g.port, tls=False, plugins=["xep_0066"]) as amy:
            data = b"\x89PNG and some bytes"
            iq = amy.make_iq_get(ito="upload.localhost")
            iq.append(ET.fromstring(f"<request xmlns='{NS[1:-1]}' filename='图1.png' size='{len(data)}' "
                                    "content-type='image/png'/>"))
            slot = (await iq.send()).xml.find(NS + "slot")
            headers = {h.get("name"): h.text for h in slot.iter(NS + "header")}
            headers["Content-Type"] = "image/png"
            status, _ = await asyncio.to_thread(put, server.http, slot.find(NS + "put").get("url"), data, headers)
            assert status in (200, 201)
            url = slot.find(NS + "get").get("url")
            assert f"//{FILES}" in url
            assert (await asyncio.to_thread(put, server.http, url, None, {}))[1] == data
            for kind in ("oob", "file", "body"):
                share(amy, f"ok-{kind}", url, kind)
                m = await cus.next()
                assert m["id"] == f"ok-{kind}"
                if kind == "oob":
                    assert m.xml.findtext("{jabber:x:oob}x/{jabber:x:oob}url") == url == m["body"]
                for n, bad in enumerate(("http://files.example.com.evil.net/a.png", "https://evil.net/a.png",
                                         f"http://evil.net/?{FILES}")):
                    share(amy, f"bad-{kind}-{n}", bad, kind)
                    e = await amy.next_failed()
                    assert e["id"] == f"bad-{kind}-{n}" and e["error"]["text"] == "请勿发送站外链接。"
            amy.say("cus@localhost/r1", "好", "last")
            assert (await cus.next())["id"] == "last", "nothing refused has come through"
        g.stop()
    run(go())
