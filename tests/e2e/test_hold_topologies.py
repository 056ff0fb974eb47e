"""Held messages, seals and erasing on a single Redis, Sentinels and a Cluster, with TLS and an ACL user, over a fail-over."""

import asyncio
import json

from gateway import Agent, Backend, Gateway, until
from test_hold import OFFER, PACK, run

WHO = "victim-4711"


def test_decided_sealed_and_erased_on_every_kind_of_redis(folder, topology):
    rules, key = folder / "rules", folder / "evidence.key"
    rules.mkdir()
    (rules / "hold.yaml").write_text(PACK)

    async def go():
        async with Backend() as b:
            import subprocess
            from gateway import BUILD
            subprocess.run([BUILD / "src/cli/chatgate", "keygen", key], check=True, capture_output=True)
            g = Gateway(folder / "g", b.port, redis=topology, rules=rules,
                        redis_extra="" if topology.name == "single" else "  wait_replicas: 1\n",
                        extra=f"transcripts: {{enabled: true}}\nevidence: {{key: {key}, seal_every: 1s}}\n")

            def cli(*args):
                return json.loads(g.cli(*args, "--config", g.config, "--json").stdout)

            def try_cli(*args):
                """None while the masters change."""
                done = g.cli(*args, "--config", g.config, "--json", check=False)
                return json.loads(done.stdout) if done.returncode == 0 else None

            def is_approved(id):
                """An answer can be lost on its way when a master changes: what it has become counts."""
                done = g.cli("held", "approve", id, "--config", g.config, check=False)
                return done.returncode == 0 or (try_cli("held", "show", id) or {}).get("state") in ("approved", "sending", "sent")

            async with Agent(g.url, "amy") as a:
                for n in range(3):  # one before, one over, one after a fail-over
                    conv = f"{WHO}-{n}" if n else WHO
                    await a.send(conv, OFFER, f"m{n}")
                    assert "已提交审批" in (await a.until("error"))["message"]
                    (m,) = await until("held", lambda: try_cli("held", "list"))
                    if n == 1 and topology.name != "single":
                        await asyncio.to_thread(topology.fail_over)
                    await until("decided", lambda: is_approved(m["id"]))
                    assert (await a.until("ack"))["ref"] == f"m{n}"
                    await until("sent", lambda: (try_cli("held", "show", m["id"]) or {}).get("state") == "sent")
                assert [x["id"] for _, x in b.messages] == ["m0", "m1", "m2"]
                await until("seals", lambda: sum(topology.run(s, "XLEN", topology.key(s, "seals")) for s in range(16)) >= 3)
            await until("pumped", lambda: g.metrics()["chatgate_ring_unsent_bytes"] == 0)
            got = cli("erase", "--customer", WHO)
            assert got["erased"]["held"] == 1 and got["erased"]["said"] == 2 and got["erased"]["seals"] >= 1
            assert len(cli("held", "list", "--all")) == 2
            g.stop()
    run(go())
