#!/usr/bin/python3
"""Plays a short real conversation: an agent's WebSocket client through the gateway, a customer's straight to the IM
server. Prints line by line what each side sent and received."""

import argparse
import asyncio
import json
import time

import websockets


def show(who, arrow, text):
    print(f"  {who:<9} {arrow} {text}", flush=True)


class Client:
    def __init__(self, url, name, role):
        self.url, self.name, self.role = url, name, role
        self.n = 0

    async def __aenter__(self):
        self.ws = await websockets.connect(self.url)
        await self.ws.send(json.dumps({"type": "auth", "token": self.name, "role": self.role, "since": 1 << 50}))
        await self.until(lambda m: m["type"] == "auth_ok")
        return self

    async def __aexit__(self, *exc):
        await self.ws.close()

    async def until(self, wanted, seconds=30):
        end = time.monotonic() + seconds
        while True:
            m = json.loads(await asyncio.wait_for(self.ws.recv(), max(0.1, end - time.monotonic())))
            if m["type"] == "message":
                show(self.role, "◀", m["text"])
            elif m["type"] == "notice":
                show(self.role, "!", f"提醒 notice: {m['text']}")
            if wanted(m):
                return m

    async def say(self, conversation, text):
        self.n += 1
        ref = f"{conversation}-{self.role[0]}{self.n}"
        show(self.role, "▶", text)
        await self.ws.send(json.dumps({"type": "message", "id": ref, "conversationId": conversation, "text": text},
                                      ensure_ascii=False))
        m = await self.until(lambda m: m["type"] in ("ack", "error") and m.get("ref") == ref)
        if m["type"] == "error":
            show(self.role, "✗", f"未发送 not sent: {m['message']}")
        return m["type"] == "ack"


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent-url", required=True)
    parser.add_argument("--customer-url", required=True)
    parser.add_argument("--reminder-s", type=float, required=True, help="after how long a reminder is due")
    o = parser.parse_args()
    conv = f"demo-{int(time.time())}"
    async with Client(o.agent_url, "xiaomei", "agent") as agent, Client(o.customer_url, conv, "customer") as customer:
        any_message = lambda m: m["type"] == "message" and m["conversationId"] == conv
        print("\n1. A question and its answer")
        await customer.say(conv, "你好，这件衣服有货吗？")
        await agent.until(any_message)
        await asyncio.sleep(1.2)
        assert await agent.say(conv, "您好亲，有货的，今天下单正常今天发出。")
        await customer.until(any_message)
        print("\n2. Blocked: off-platform contact, also in disguise. Nothing of it reaches the customer")
        assert not await agent.say(conv, "加我微信聊，给您便宜点")
        assert not await agent.say(conv, "那您加我 薇❤信 吧：abc_8823")
        print("\n3. Rewritten: extreme wording is repaired on its way")
        assert await agent.say(conv, "亲，这款是全网最好的面料。")
        got = await customer.until(any_message)
        assert "最好" not in got["text"], got
        print("\n4. A complaint opens a case")
        await customer.say(conv, "收到的衣服破了个洞，我要投诉你们！")
        await agent.until(any_message)
        print(f"\n5. Nobody answers: after {o.reminder_s:g} s the agent is reminded")
        await agent.until(lambda m: m["type"] == "notice", o.reminder_s + 20)
    print(f"\nconversation: {conv}")


asyncio.run(main())
