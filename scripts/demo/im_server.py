#!/usr/bin/python3
"""A small IM server for the demonstration, and for nothing else: ids, acknowledgements, history, reconnect.

One WebSocket at /ws for agents and customers alike, JSON objects in text frames (the plain-ws-json shape):

  -> {"type":"auth","token":NAME,"role":"agent"|"customer"}          <- {"type":"auth_ok","agentId":NAME,"name":NAME}
  -> {"type":"message","id":ID,"conversationId":CONV,"text":TEXT}    <- {"type":"ack","ref":ID,"seq":N}
  <- {"type":"message","id":"mN","seq":N,"conversationId":CONV,"text":TEXT,"ts":MS,"sender":{"id":NAME,"role":ROLE}}

A client that comes back names the last message that it saw ("since":N in its auth) and gets the rest marked
"history":true. Everything is kept in memory, the last 1,000 messages of each conversation.
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


class Server:
    def __init__(self):
        self.seq = 0
        self.history = collections.defaultdict(lambda: collections.deque(maxlen=1000))
        self.seen = collections.OrderedDict()  # (sender, client id) -> seq: a resend after a reconnect counts once
        self.clients = {}                      # connection -> (name, role)
        self.port = 0

    async def page(self, path, headers):
        if path.split("?")[0] == "/ws":
            return None
        if path == "/config.json":
            return http.HTTPStatus.OK, [("Content-Type", "application/json")], json.dumps({"port": self.port}).encode()
        if path.split("?")[0] == "/":
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
                    return
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
        await ws.send(json.dumps({"type": "auth_ok", "agentId": name, "name": name}))
        since = message.get("since", self.seq if role == "customer" else 0)
        for conversation in self.history.values():
            for old in conversation:
                if old["seq"] > since:
                    await ws.send(json.dumps(dict(old, history=True), ensure_ascii=False))

    async def accept(self, ws, message):
        name, role = self.clients[ws]
        conversation, client_id = str(message.get("conversationId", "")), message.get("id")
        key = (name, client_id)
        if key not in self.seen:
            self.seq += 1
            self.seen[key] = self.seq
            while len(self.seen) > 10000:
                self.seen.popitem(last=False)
            out = {"type": "message", "id": f"m{self.seq}", "seq": self.seq, "conversationId": conversation,
                   "text": str(message.get("text", "")), "ts": int(time.time() * 1000),
                   "sender": {"id": name, "role": role}}
            self.history[conversation].append(out)
            data = json.dumps(out, ensure_ascii=False)
            for other in [c for c in self.clients if c is not ws]:
                with contextlib.suppress(websockets.ConnectionClosed):
                    await other.send(data)
        await ws.send(json.dumps({"type": "ack", "ref": client_id, "seq": self.seen[key]}))


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready-file", required=True, help="gets the port, once the server listens")
    options = parser.parse_args()
    server = Server()
    async with websockets.serve(server.serve, "127.0.0.1", options.port, process_request=server.page,
                                compression=None) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        pathlib.Path(options.ready_file).write_text(str(server.port))
        await asyncio.Future()


asyncio.run(main())
