#!/usr/bin/python3
"""A small IM server for the demonstration, and for nothing else: ids, acknowledgements, history, reconnect.

One WebSocket at /ws for agents and customers alike, JSON objects in text frames (the shape of plain-ws-json):

  -> {"type":"auth","token":NAME,"role":"agent","since":N}
  -> {"type":"auth","token":NAME,"role":"customer","since":N,"conversationId":CONV,"agent":NAME}
  <- {"type":"auth_ok","agentId":NAME,"name":NAME}
  -> {"type":"message","id":ID,"conversationId":CONV,"text":TEXT}    <- {"type":"ack","ref":ID,"seq":N}
  <- {"type":"message","id":"mN","seq":N,"conversationId":CONV,"ref":ID,"text":TEXT,"ts":MS,
      "sender":{"id":NAME,"role":ROLE}}

A conversation is one customer with the agent whom the customer asked for. Who comes back names the last message that was
seen (since) and gets the rest, marked "history":true. Everything is kept in memory, the last 1,000 messages of each
conversation.
"""

import argparse
import asyncio
import collections
import contextlib
import http
import json
import pathlib
import time

import websockets

HERE = pathlib.Path(__file__).resolve().parent


class Conversation:
    def __init__(self, customer, agent):
        self.members = {customer, agent}
        self.history = collections.deque(maxlen=1000)


class Server:
    def __init__(self):
        self.seq = 0
        self.conversations = {}
        self.seen = collections.OrderedDict()  # (sender, client id) -> seq: a resend after a reconnect counts once
        self.clients = {}                      # connection -> (name, role)
        self.port = 0

    async def page(self, path, _headers):
        path = path.split("?")[0]
        if path == "/ws":
            return None
        if path == "/config.json":
            return http.HTTPStatus.OK, [("Content-Type", "application/json")], json.dumps({"port": self.port}).encode()
        if path == "/":
            return (http.HTTPStatus.OK, [("Content-Type", "text/html; charset=utf-8")],
                    (HERE / "page.html").read_bytes())
        return http.HTTPStatus.NOT_FOUND, [], b"not found\n"

    async def serve(self, ws):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in ws:
                try:
                    message = json.loads(text)
                    kind = message["type"]
                except (ValueError, KeyError, TypeError):
                    await ws.close(1003, "a JSON object with a type is expected")
                    break
                if kind == "auth":
                    await self.auth(ws, message)
                elif kind == "message" and ws in self.clients:
                    await self.accept(ws, message)
        self.clients.pop(ws, None)

    async def auth(self, ws, message):
        name, role = str(message.get("token", ""))[:60], message.get("role", "agent")
        if not name or role not in ("agent", "customer"):
            await ws.close(1008, "who are you?")
            return
        self.clients[ws] = (name, role)
        if role == "customer":
            conversation = str(message["conversationId"])
            self.conversations.setdefault(conversation, Conversation(name, str(message["agent"])))
        await ws.send(json.dumps({"type": "auth_ok", "agentId": name, "name": name}))
        since = int(message.get("since", 0))
        missed = [m for c in self.conversations.values() if name in c.members for m in c.history if m["seq"] > since]
        for old in sorted(missed, key=lambda m: m["seq"]):
            await ws.send(json.dumps(dict(old, history=True), ensure_ascii=False))

    async def accept(self, ws, message):
        name, role = self.clients[ws]
        where, ref = str(message.get("conversationId", "")), message.get("id")
        conversation = self.conversations.get(where)
        if not conversation or name not in conversation.members:
            await ws.send(json.dumps({"type": "error", "ref": ref, "message": f"no conversation {where} of {name}"}))
            return
        if (name, ref) not in self.seen:
            self.seq += 1
            self.seen[name, ref] = self.seq
            while len(self.seen) > 10000:
                self.seen.popitem(last=False)
            out = {"type": "message", "id": f"m{self.seq}", "seq": self.seq, "conversationId": where, "ref": ref,
                   "text": str(message.get("text", "")), "ts": int(time.time() * 1000),
                   "sender": {"id": name, "role": role}}
            conversation.history.append(out)
            data = json.dumps(out, ensure_ascii=False)
            for other in [c for c, (n, _) in self.clients.items() if c is not ws and n in conversation.members]:
                with contextlib.suppress(websockets.ConnectionClosed):
                    await other.send(data)
        await ws.send(json.dumps({"type": "ack", "ref": ref, "seq": self.seen[name, ref]}))


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready-file", required=True, type=pathlib.Path, help="gets the port, once the server listens")
    options = parser.parse_args()
    server = Server()
    async with websockets.serve(server.serve, "127.0.0.1", options.port, process_request=server.page,
                                compression=None) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        part = options.ready_file.with_suffix(".part")
        part.write_text(f"{server.port}\n")
        part.rename(options.ready_file)
        await asyncio.Future()


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
