#!/usr/bin/python3
"""Plays a short real conversation: an agent's WebSocket client through the gateway, a customer's straight to the IM
server. Prints line by line what each side sent and received; exit code 1 when something else happens than it should."""

import argparse
import asyncio
import json
import pathlib
import sys
import time

import websockets


class Unexpected(Exception):
    """What was expected, what came instead."""


class Client:
    def __init__(self, url, name, role, **auth):
        self.url, self.name, self.role = url, name, role
        self.auth = dict(type="auth", token=name, role=role, since=1 << 50, **auth)
        self.n = 0
        self.texts = []  # of all messages that came

    async def __aenter__(self):
        self.ws = await websockets.connect(self.url)
        await self.ws.send(json.dumps(self.auth))
        await self.until("the answer to its login", lambda m: m["type"] == "auth_ok")
        return self

    async def __aexit__(self, *exc):
        await self.ws.close()

    def show(self, arrow, text):
        print(f"  {self.role:<9}{arrow} {text}", flush=True)

    async def until(self, what, wanted, seconds=30):
        """Shows what comes until `wanted` is true for a message, and returns that one."""
        end = time.monotonic() + seconds
        while True:
            try:
                m = json.loads(await asyncio.wait_for(self.ws.recv(), max(0.01, end - time.monotonic())))
            except asyncio.TimeoutError:
                raise Unexpected(f"the {self.role} waited {seconds:g} s for {what}, in vain") from None
            except websockets.ConnectionClosed as closed:
                raise Unexpected(f"the {self.role} waited for {what}, but the connection ended: {closed}") from None
            if m["type"] == "message":
                self.texts.append(m["text"])
                self.show("◀", m["text"])
            elif m["type"] == "notice":
                self.show("!", f"提醒 notice: {m['text']}")
            if wanted(m):
                return m

    async def say(self, conversation, text, is_refused=False):
        self.n += 1
        ref = f"{conversation}-{self.role[0]}{self.n}"
        self.show("▶", text)
        await self.ws.send(json.dumps({"type": "message", "id": ref, "conversationId": conversation, "text": text},
                                      ensure_ascii=False))
        m = await self.until("an answer", lambda m: m["type"] in ("ack", "error") and m.get("ref") == ref)
        if m["type"] == "error":
            self.show("✗", f"未发送 not sent: {m['message']}")
        if is_refused != (m["type"] == "error"):
            raise Unexpected(f"“{text}” should have been {'refused' if is_refused else 'accepted'}")


async def play(o, conv):
    async with Client(o.agent_url, "xiaomei", "agent") as agent, \
            Client(o.customer_url, f"customer-{conv}", "customer", conversationId=conv, agent="xiaomei") as customer:

        async def exchange(sender, receiver, text, typing_s=0.3):
            await asyncio.sleep(typing_s)  # as people do; what is written in the same millisecond counts as answered by it
            await sender.say(conv, text)
            m = await receiver.until("the message", lambda m: m["type"] == "message" and m["conversationId"] == conv)
            return m["text"]

        print("\n1. A question and its answer")
        await exchange(customer, agent, "你好，这件衣服有货吗？")
        await exchange(agent, customer, "您好亲，有货的，今天付款今天发货。", typing_s=1.2)  # the reply time below shows it

        print("\n2. Blocked: contact outside of the platform, in disguise as well. The customer sees nothing of it")
        await agent.say(conv, "加我微信聊，给您便宜点", is_refused=True)
        await agent.say(conv, "那您加我 薇❤信 吧：abc_8823", is_refused=True)

        print("\n3. Rewritten on its way: an extreme claim, and 光线下, which platforms misread as 线下 (offline)")
        typed = "亲，这款效果最佳，图片是光线下拍的。"
        got = await exchange(agent, customer, typed)
        if got == typed or "最佳" in got or "线下" in got:
            raise Unexpected(f"“{typed}” should have been rewritten")

        print("\n4. A complaint; it opens a case")
        await exchange(customer, agent, "收到的衣服破了个洞，我要投诉你们！")

        print(f"\n5. Nobody answers: after {o.reminder_s:g} s the agent is reminded, in the chat")
        await agent.until("the reminder", lambda m: m["type"] == "notice" and m.get("conversationId") == conv,
                          o.reminder_s + 20)

        print("\n6. The agent answers and promises a time")
        await exchange(agent, customer, "亲，非常抱歉，我马上为您核实，两小时内给您答复。")

        seen = "".join(customer.texts)
        if "信" in seen or "8823" in seen:
            raise Unexpected("the customer saw something of a refused message")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent-url", required=True)
    parser.add_argument("--customer-url", required=True)
    parser.add_argument("--reminder-s", type=float, required=True, help="after how long a reminder is due")
    parser.add_argument("--conversation-file", type=pathlib.Path, required=True, help="gets the conversation's id")
    o = parser.parse_args()
    conv = f"demo-{time.strftime('%m%d-%H%M%S')}"
    o.conversation_file.write_text(conv + "\n")
    try:
        asyncio.run(play(o, conv))
    except (Unexpected, OSError) as e:
        print(f"error: {e}", file=sys.stderr)
        sys.exit(1)


main()
