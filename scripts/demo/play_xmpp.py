#!/usr/bin/python3
"""Plays a short real conversation over XMPP: an agent's client through the gateway, with TLS and stream management, a
customer's straight to the server. Prints line by line what each side sent and received; exit code 1 when something else
happens than it should. Passwords come from AGENT_PASSWORD and CUSTOMER_PASSWORD."""

import argparse
import asyncio
import logging
import os
import ssl
import sys
import time

logging.basicConfig(level=logging.CRITICAL)  # what goes wrong is told below

import slixmpp  # noqa: E402
from slixmpp.xmlstream.handler import Callback  # noqa: E402
from slixmpp.xmlstream.matcher import MatchXPath  # noqa: E402


class Unexpected(Exception):
    """What was expected, what came instead."""


class Client(slixmpp.ClientXMPP):
    def __init__(self, name, password, role, port, ca):
        super().__init__(f"{name}@localhost/{role}", password)
        self.role, self.port = role, port
        self.came = asyncio.Queue()
        self.texts = []
        self.n = 0
        self.started, self.gone = asyncio.Event(), asyncio.Event()
        context = ssl.create_default_context(cafile=ca)
        self.get_ssl_context = lambda: context
        self.register_plugin("xep_0198")
        self.add_event_handler("session_start", self.on_start)
        self.add_event_handler("failed_all_auth", lambda _: self.came.put_nowait(("end", "the login failed")))
        self.add_event_handler("disconnected", self.on_end)
        self.register_handler(Callback("every message", MatchXPath("{jabber:client}message"), self.on_message))

    async def on_start(self, _):
        self.send_presence()
        self.started.set()

    def on_end(self, _):
        self.gone.set()
        self.came.put_nowait(("end", "the connection ended"))

    def on_message(self, m):
        if m["type"] == "error":
            self.came.put_nowait(("refused", m["error"]["text"]))
        elif m["body"]:
            self.came.put_nowait(("notice" if m["from"].bare == "localhost" else "message", m["body"]))

    async def __aenter__(self):
        self.connect(("127.0.0.1", self.port))
        try:
            await asyncio.wait_for(self.started.wait(), 20)
        except asyncio.TimeoutError:
            raise Unexpected(f"the {self.role} could not log in within 20 s") from None
        return self

    async def __aexit__(self, *exc):
        self.disconnect(wait=1)
        try:
            await asyncio.wait_for(self.gone.wait(), 10)
        except asyncio.TimeoutError:
            pass  # its end is not what is shown here

    def show(self, arrow, text):
        print(f"  {self.role:<9}{arrow} {text}", flush=True)

    async def until(self, kind, what, seconds=30):
        """Shows what comes until it is of that kind, and returns its text."""
        end = time.monotonic() + seconds
        while True:
            try:
                got, text = await asyncio.wait_for(self.came.get(), max(0.01, end - time.monotonic()))
            except asyncio.TimeoutError:
                raise Unexpected(f"the {self.role} waited {seconds:g} s for {what}, in vain") from None
            if got == "message":
                self.texts.append(text)
                self.show("◀", text)
            elif got == "notice":
                self.show("!", f"提醒 notice: {text}")
            elif got == "refused":
                self.show("✗", f"未发送 not sent: {text}")
            if got == kind:
                return text
            if got in ("refused", "end"):
                raise Unexpected(f"the {self.role} waited for {what}, but: {text}")

    def say(self, to, text):
        self.n += 1
        m = self.make_message(mto=to, mbody=text, mtype="chat")
        m["id"] = f"{self.role[0]}{self.n}"
        self.show("▶", text)
        m.send()


async def play(o):
    agent_jid, customer_jid = "xiaomei@localhost", f"{o.customer}@localhost"
    agent = Client("xiaomei", os.environ["AGENT_PASSWORD"], "agent", o.agent_port, o.ca)
    customer = Client(o.customer, os.environ["CUSTOMER_PASSWORD"], "customer", o.customer_port, o.ca)
    async with agent, customer:

        async def exchange(sender, receiver, to, text, typing_s=0.3):
            await asyncio.sleep(typing_s)  # as people do; what is written in the same millisecond counts as answered by it
            sender.say(to, text)
            return await receiver.until("message", "the message")

        print("\n1. A question and its answer")
        await exchange(customer, agent, agent_jid, "你好，这件衣服有货吗？")
        await exchange(agent, customer, customer_jid, "您好亲，有货的，今天付款今天发货。", typing_s=1.2)

        print("\n2. Blocked: contact outside of the platform, in disguise as well. The customer sees nothing of it")
        for text in "加我微信聊，给您便宜点", "那您加我 薇❤信 吧：abc_8823":
            agent.say(customer_jid, text)
            await agent.until("refused", "the refusal")

        print("\n3. Rewritten on its way: an extreme claim, and 光线下, which platforms misread as 线下 (offline)")
        typed = "亲，这款效果最佳，图片是光线下拍的。"
        got = await exchange(agent, customer, customer_jid, typed)
        if got == typed or "最佳" in got or "线下" in got:
            raise Unexpected(f"“{typed}” should have been rewritten")

        print("\n4. A complaint; it opens a case")
        await exchange(customer, agent, agent_jid, "收到的衣服破了个洞，我要投诉你们！")

        print(f"\n5. Nobody answers: after {o.reminder_s:g} s the agent is reminded, in the chat")
        await agent.until("notice", "the reminder", o.reminder_s + 20)

        print("\n6. The agent answers and promises a time")
        await exchange(agent, customer, customer_jid, "亲，非常抱歉，我马上为您核实，两小时内给您答复。")

        seen = "".join(customer.texts)
        if "信" in seen or "8823" in seen:
            raise Unexpected("the customer saw something of a refused message")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent-port", type=int, required=True, help="of the gateway")
    parser.add_argument("--customer-port", type=int, required=True, help="of the server")
    parser.add_argument("--customer", required=True, help="name of the customer's account")
    parser.add_argument("--ca", required=True, help="certificate that both ports are trusted by")
    parser.add_argument("--reminder-s", type=float, required=True, help="after how long a reminder is due")
    try:
        asyncio.run(play(parser.parse_args()))
    except (Unexpected, OSError) as e:
        print(f"error: {e}", file=sys.stderr)
        sys.exit(1)


main()
