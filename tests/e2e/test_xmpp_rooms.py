"""Rooms, corrections, carbons, archives, offline messages: what is inspected, what counts as a customer's, and when."""

import asyncio
import collections
import json
import time
import xml.etree.ElementTree as ET

import pytest
import redis as redis_client

from gateway import PATIENCE, SOURCE, Gateway, Redis, run, until
from xmpp_client import Client
from xmpp_servers import Ejabberd, Prosody
from track_redis import read_stream

RULES = SOURCE / "tests" / "e2e" / "rules"
ACCOUNTS = {"amy": "secret-a", "bob": "secret-b", "cus": "secret-c"}


@pytest.fixture(params=[Prosody, Ejabberd], ids=["prosody", "ejabberd"])
def server(folder, request):
    s = request.param(folder / "server", ACCOUNTS)
    yield s
    s.stop()


def incoming(g):
    return g.metrics()["chatgate_messages_incoming_total"]


async def join(client, room, nick):
    here = asyncio.Event()
    client.add_event_handler(f"muc::{room}::self-presence", lambda _: here.set())
    client["xep_0045"].join_muc(room, nick)
    await asyncio.wait_for(here.wait(), PATIENCE)


def test_rooms_and_corrections(folder, server):
    async def go():
        g = Gateway(folder, server.c2s, profile="xmpp", rules=RULES)
        room = f"desk@{server.rooms}"
        async with Client("cus", "secret-c", server.c2s, tls=False, plugins=["xep_0045"]) as cus, \
                Client("amy", "secret-a", g.port, tls=False, plugins=["xep_0045", "xep_0308"]) as amy:
            await join(amy, room, "客服")
            if isinstance(server, Prosody):  # a new room waits for its configuration
                form = await amy["xep_0045"].get_room_config(room)
                await amy["xep_0045"].set_room_config(room, form)
            await join(cus, room, "顾客")
            amy.say(room, "您好", "r1", "groupchat")
            amy.say(room, "加我微信", "r2", "groupchat")
            e = await amy.next_failed()
            assert e["id"] == "r2" and e["from"] == room
            amy.say(room, "最好的", "r3", "groupchat")
            bodies = []
            while len(bodies) < 2:
                m = await cus.next()
                if m["body"]:
                    bodies.append(m["body"])
            assert bodies == ["您好", "很好的"], "the refused one never reached the room"
            cus.say(room, "请问", "q1", "groupchat")
            await until("it is counted", lambda: incoming(g) == 1)
            while (await amy.next())["id"] != "q1":
                pass  # the agent's own echoes
            assert incoming(g) == 1, "echoes are not a customer's"

            amy.say(f"{room}/顾客", "加我微信", "p1")
            assert (await amy.next_failed())["id"] == "p1"
            for mid, body in (("k1", "您好"), ("k2", "加我微信")):
                m = amy.make_message(mto="cus@localhost", mbody=body, mtype="chat")
                m["id"] = mid
                m["replace"]["id"] = "k0"
                m.send()
            assert (await amy.next_failed())["id"] == "k2"
            while (await cus.next())["id"] != "k1":
                pass
            assert g.metrics()["chatgate_message_edits_total"] == 2
        g.stop()
    run(go())


def test_carbons_archives_and_offline_messages(folder, server):
    async def go():
        r = Redis(folder / "redis")
        g = Gateway(folder, server.c2s, profile="xmpp", rules=RULES, redis=r)
        async with Client("cus", "secret-c", server.c2s, tls=False) as cus:
            before = time.time() * 1000
            cus.say("amy@localhost", "我要投诉，没人吗", "off1")  # nobody is there yet
            await cus.get_roster()  # answered behind it
            stored = time.time() * 1000
            await asyncio.sleep(3)  # so that its own time, in whole seconds, is told from the time of login
            async with Client("amy", "secret-a", g.port, tls=False, plugins=["xep_0280", "xep_0313"]) as amy:
                m = await amy.next()
                assert m["id"] == "off1" and m.xml.find("{urn:xmpp:delay}delay") is not None
                await until("it is counted", lambda: incoming(g) == 1)
                await amy["xep_0280"].enable()
                # the customer writes to another device of the agent: a carbon, once
                async with Client("amy", "secret-a", server.c2s, tls=False, resource="r2") as other:
                    cus.say("amy@localhost/r2", "在吗", "c1")
                    while (await other.next())["id"] != "c1":
                        pass
                    await until("it is counted", lambda: incoming(g) == 2)
                    await asyncio.sleep(1.1)  # an archive may know whole seconds only
                    other.say("cus@localhost", "在", "o1")  # goes round the gateway: not the agent's customer
                    while (await cus.next())["id"] != "o1":
                        pass
                # a false carbon from the customer is no carbon
                false = ET.fromstring(
                    "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message "
                    "xmlns='jabber:client' from='boss@localhost' type='chat'><body>x</body></message></forwarded></received>")
                m = cus.make_message(mto="amy@localhost/r1", mtype="chat")
                m.append(false)
                m.send()
                cus.say("amy@localhost/r1", "最后", "c2")
                await until("it is counted", lambda: incoming(g) == 3)
                results = amy["xep_0313"].retrieve(rsm={"max": 20}, iterator=False)
                await results
                await until("the archive", lambda: incoming(g) >= 6)  # three of the customer's come again, as history

            def events():
                out = []
                for shard in range(16):
                    try:
                        out += read_stream(r.client(), f"cg:{{{shard}}}:stream")
                    except redis_client.RedisError:
                        pass
                return out

            want = {("in", "off1"): 1, ("in", "c1"): 1, ("out", "o1"): 1, ("in", "c2"): 1}

            def counted():
                return collections.Counter((e["k"], e["mid"]) for e in events() if e.get("mid") and not e.get("dup"))
            await until("all events", lambda: len(events()) >= 2 * len(want))  # all came again with the archive
            assert counted() == want
            ins = [e for e in events() if e["k"] == "in"]
            off = [e for e in ins if e["mid"] == "off1"]
            assert off and all(before - 1100 < int(e["at"]) < stored + 1500 for e in off), (before, stored, off)
            assert {e["conv"] for e in ins} == {"cus@localhost"}, ins
            # one round, from the offline message to the reply that went round the gateway; the last message waits

            def read(*args):
                return json.loads(g.cli("agents", *args, "--config", g.config, "--json").stdout)
            (row,) = await asyncio.to_thread(read)
            assert (row["first"]["count"], row["next"]["count"], row["incoming"], row["passed"], row["waiting"]) == (1, 0, 3, 1, 1), row
            (one,) = await asyncio.to_thread(read, "show", row["agent"], "--rounds")
            assert one["messages"] == 2 and one["reply_ms"] >= 2000 and before - 1100 < one["start_ms"] < stored + 1500, one
        g.stop()
        r.stop()
    run(go())
