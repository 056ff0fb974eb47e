"""Redis as it is deployed: one server, a master with replicas under Sentinels, a Cluster of three masters with a replica
each. All of them with TLS and ACL users, on loopback, in folders of their own, ended by process id. They are started
once per test session and emptied between tests, since a Cluster takes seconds to form."""

import contextlib
import os
import pathlib
import re
import signal
import ssl
import subprocess
import time

import redis as redis_py
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from gateway import DURABLE, PATIENCE, free_port, repair_aof, wait_for
from track_redis import read_stream

ADMIN, GATE = "admin-k9", "gate-k9"
# What docs/redis.md says a gateway's user needs.
ACL = re.search(r"`(~cg:\* [^`]+)`", (pathlib.Path(__file__).resolve().parents[2] / "docs" / "redis.md").read_text())[1]
MASTER = "shop"


class Node:
    """One redis-server; `stop` and `start` keep its port and its folder."""

    def __init__(self, folder, certificates, extra=()):
        self.folder, self.tls, self.extra = folder, certificates, list(extra)
        folder.mkdir(parents=True)
        self.port, self.bus = free_port(), free_port()
        self.proc = None
        self.start()

    def argv(self):
        t = self.tls
        return ["redis-server", "--port", 0, "--tls-port", self.port, "--bind", "127.0.0.1", "--tls-cert-file",
                t / "server.pem", "--tls-key-file", t / "server.key", "--tls-ca-cert-file", t / "ca.pem",
                "--tls-auth-clients", "no", "--tls-replication", "yes", "--tls-cluster", "yes", "--dir", self.folder,
                *DURABLE, "--repl-diskless-sync-delay", 0,
                "--requirepass", ADMIN, "--masterauth", ADMIN, "--user", "gate", "on", f">{GATE}", *ACL.split(),
                *self.extra]

    def start(self):
        repair_aof(self.folder)
        self.log = open(self.folder / "redis.log", "ab")
        self.proc = subprocess.Popen([str(a) for a in self.argv()], stdout=self.log, stderr=self.log,
                                     stdin=subprocess.DEVNULL)

    def kill(self):
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        self.log.close()

    @property
    def db(self):
        """Connecting is tried for two seconds: whoever is promoted drops all its clients, those in a handshake as well."""
        again = Retry(ConstantBackoff(0.05), 40, (ConnectionError, ssl.SSLError, redis_py.ConnectionError))
        return redis_py.Redis(host="127.0.0.1", port=self.port, password=ADMIN, ssl=True,
                              ssl_ca_certs=str(self.tls / "ca.pem"), socket_timeout=30, retry=again)

    def run(self, *command):
        with contextlib.closing(self.db) as db:
            return db.execute_command(*command)

    def try_run(self, *command):
        try:
            return self.run(*command)
        except redis_py.RedisError:
            return None

    def is_up(self):
        return self.proc.poll() is None and bool(self.try_run("PING"))

    def info(self):
        return self.try_run("INFO", "replication") or {}

    def is_master(self):
        return self.info().get("role") == "master"


def asked_again(ask):
    """The answer of ask(), which a fail-over under way may take several tries to get. Errors of the question itself are
    the caller's at once."""
    lost = (redis_py.ConnectionError, redis_py.TimeoutError, redis_py.ReadOnlyError)

    def is_passing(e):
        return isinstance(e, lost) or str(e).startswith(("MOVED", "ASK", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "TRYAGAIN"))
    got = []

    def probe():
        try:
            got.append(ask())
        except redis_py.RedisError as e:
            if not is_passing(e):
                raise
        return got
    return wait_for("an answer of the masters", probe)[0]


class Topology:
    name = "?"

    def __init__(self, folder, certificates):
        self.folder, self.tls = folder, certificates
        folder.mkdir(parents=True)
        (folder / "password").write_text(GATE + "\n")
        self.nodes, self.sentinels = [], []
        try:
            self.form()
        except BaseException:
            self.stop()
            raise

    def node(self, *extra):
        n = Node(self.folder / f"node-{len(self.nodes)}", self.tls, extra)
        self.nodes.append(n)
        return n

    def login(self):
        return (f"  username: gate\n  password_file: {self.folder / 'password'}\n"
                f"  tls: {{ enabled: true, ca: {self.tls / 'ca.pem'} }}")

    def masters(self):
        return [n for n in self.nodes if n.proc.poll() is None and n.is_master()]

    def of_shard(self, shard):
        """The node that serves it now."""
        return self.masters()[0]

    def run(self, shard, *command):
        """A question: it is asked again when a fail-over cut the connection or moved the master."""
        return asked_again(lambda: self.of_shard(shard).run(*command))

    def key(self, shard, name):
        return f"cg:{{{shard}}}:{name}"

    def servers_of(self, shards):
        """shard -> node"""
        master = self.of_shard(0)
        return {shard: master for shard in range(shards)}

    def read(self, ask, shards=16):
        """ask(connection, shard) of all shards; again when a fail-over cut a connection or moved a master."""
        return asked_again(lambda: self.read_once(ask, shards))

    def read_once(self, ask, shards):
        out, open_ = [], {}
        try:
            for shard, node in self.servers_of(shards).items():
                db = open_.setdefault(node.port, None) or node.db
                open_[node.port] = db
                out.append(ask(db, shard))
        finally:
            for db in open_.values():
                if db:
                    db.close()
        return out

    def entries(self, shards=16):
        """All stream entries of all shards."""
        return [e for entries in self.read(lambda db, shard: read_stream(db, self.key(shard, "stream")), shards) for e in entries]

    def hashes(self, name, shards=16):
        """The hash `name` of every shard, as bytes."""
        return self.read(lambda db, shard: db.hgetall(self.key(shard, name)), shards)

    def reset(self):
        """Empty, and everybody there."""
        for n in self.nodes:
            if n.proc.poll() is not None:
                n.start()
        wait_for("all servers are up", lambda: all(n.is_up() for n in self.nodes))
        for n in self.nodes:  # what a test that failed in its middle has changed
            n.run("CONFIG", "SET", "masterauth", ADMIN)
        self.heal()
        asked_again(self.flush)
        self.heal()

    def flush(self):
        for n in self.masters():
            n.run("FLUSHALL")
            n.run("SCRIPT", "FLUSH")

    def heal(self):
        wait_for("all servers are up", lambda: all(n.is_up() for n in self.nodes))

    def stop(self):
        for n in self.nodes + self.sentinels:
            n.kill()


class Single(Topology):
    name = "single"

    def form(self):
        self.node("--appendfsync", "always")
        self.heal()

    @property
    def config(self):
        return f"  address: 127.0.0.1:{self.nodes[0].port}\n{self.login()}"

    def trouble(self):
        """kill -9, and started again."""
        self.nodes[0].kill()
        self.nodes[0].start()
        self.heal()


class Sentinel(Topology):
    name = "sentinel"

    def form(self):
        first = self.node()
        for _ in range(2):
            self.node("--replicaof", "127.0.0.1", first.port)
        wait_for("two replicas", lambda: first.info().get("connected_slaves") == 2)  # Sentinels ask every 10 s only
        for i in range(3):
            d = self.folder / f"sentinel-{i}"
            d.mkdir()
            port = free_port()
            (d / "sentinel.conf").write_text(f"""
port 0
tls-port {port}
bind 127.0.0.1
tls-cert-file {self.tls / 'server.pem'}
tls-key-file {self.tls / 'server.key'}
tls-ca-cert-file {self.tls / 'ca.pem'}
tls-auth-clients no
tls-replication yes
dir {d}
requirepass {ADMIN}
user gate on >{GATE} &* +ping +subscribe +client|setname +sentinel|get-master-addr-by-name
sentinel sentinel-user default
sentinel sentinel-pass {ADMIN}
sentinel monitor {MASTER} 127.0.0.1 {first.port} 2
sentinel auth-user {MASTER} default
sentinel auth-pass {MASTER} {ADMIN}
sentinel down-after-milliseconds {MASTER} 2000
sentinel failover-timeout {MASTER} 4000
sentinel parallel-syncs {MASTER} 2
""")
            log = open(d / "sentinel.log", "ab")
            proc = subprocess.Popen(["redis-server", str(d / "sentinel.conf"), "--sentinel"], stdout=log, stderr=log,
                                    stdin=subprocess.DEVNULL)
            s = Node.__new__(Node)
            s.folder, s.tls, s.port, s.proc, s.log = d, self.tls, port, proc, log
            self.sentinels.append(s)
        wait_for("the Sentinels know each other", self.do_sentinels_agree)
        self.heal()

    def do_sentinels_agree(self):
        for s in self.sentinels:
            state = [v.decode() for v in s.try_run("SENTINEL", "MASTER", MASTER) or []]
            state = dict(zip(state[::2], state[1::2]))
            if [state.get(k) for k in ("num-slaves", "num-other-sentinels", "flags")] != ["2", "2", "master"]:
                return False
        return True

    def heal(self):
        super().heal()
        wait_for("two replicas follow the master", self.is_whole)

    def master(self):
        for s in self.sentinels:
            at = s.try_run("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
            for n in self.nodes:
                if at and int(at[1]) == n.port and n.proc.poll() is None and n.is_master():
                    return n
        return None

    def is_whole(self):
        m = self.master()
        if not m or m.info().get("connected_slaves") != 2:
            return False
        return all(n.info().get("master_link_status") == "up" for n in self.nodes if n is not m)

    def masters(self):
        return [wait_for("a master", self.master)]

    @property
    def config(self):
        at = ", ".join(f'"127.0.0.1:{s.port}"' for s in self.sentinels)
        return (f"  sentinel:\n    master: {MASTER}\n    addresses: [{at}]\n    username: gate\n"
                f"    password_file: {self.folder / 'password'}\n{self.login()}")

    def trouble(self):
        """The master is killed; returns when another one has been made."""
        old = self.masters()[0]
        old.kill()
        wait_for("a fail-over", lambda: self.master() not in (None, old), 2 * PATIENCE)
        old.start()

    def fail_over(self):
        """By hand, nobody dies."""
        old = self.masters()[0]
        asked = 0

        def is_over():
            """One that is asked for and does not come about in failover-timeout is given up, not tried again."""
            nonlocal asked
            if self.master() not in (None, old):
                return True
            if time.monotonic() > asked + 15 and any(s.try_run("SENTINEL", "FAILOVER", MASTER) for s in self.sentinels):
                asked = time.monotonic()
            return False
        wait_for("a fail-over", is_over, 2 * PATIENCE)


class Cluster(Topology):
    name = "cluster"

    def form(self):
        for _ in range(6):
            self.node()
        wait_for("all servers are up", lambda: all(n.is_up() for n in self.nodes))
        self.id = [n.run("CLUSTER", "MYID").decode() for n in self.nodes]
        for i, n in enumerate(self.nodes):
            n.run("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            if i < 3:
                n.run("CLUSTER", "ADDSLOTSRANGE", 16384 * i // 3, 16384 * (i + 1) // 3 - 1)
            if i:
                self.nodes[0].run("CLUSTER", "MEET", "127.0.0.1", n.port, n.bus)
        wait_for("the nodes know each other", lambda: all(len(self.known(n)) == 6 for n in self.nodes))
        for i in range(3, 6):
            wait_for("a replica", lambda i=i: self.nodes[i].try_run("CLUSTER", "REPLICATE", self.id[i - 3]))
        self.heal()

    def node(self, *extra):
        n = Node.__new__(Node)
        bus = free_port()
        Node.__init__(n, self.folder / f"node-{len(self.nodes)}", self.tls,
                      ["--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", 3000,
                       "--cluster-replica-validity-factor", 0, "--cluster-allow-replica-migration", "no", *extra])
        n.bus = bus
        self.nodes.append(n)
        return n

    @staticmethod
    def known(n):
        """id -> flags, as this node sees the Cluster."""
        lines = [line.split() for line in (n.try_run("CLUSTER", "NODES") or b"").decode().splitlines()]
        return {words[0]: words[2] for words in lines if "handshake" not in words[2]}

    def is_whole(self):
        for n in self.nodes:
            info, flags = n.try_run("CLUSTER", "INFO") or b"", self.known(n).values()
            if b"cluster_state:ok" not in info or len(flags) != 6 or any("fail" in f for f in flags):
                return False
            if sum("master" in f for f in flags) != 3:
                return False
        infos = [n.info() for n in self.nodes]
        return all(i.get("master_link_status", "up") == "up" and (i.get("role") != "master" or i["connected_slaves"] == 1)
                   for i in infos)

    def heal(self):
        super().heal()
        wait_for("the Cluster is whole", self.is_whole)

    def slot(self, shard):
        return self.nodes[0].run("CLUSTER", "KEYSLOT", str(shard))

    def serves(self, slot):
        for n in self.nodes:
            if n.proc.poll() is None and n.is_master():
                for first, last, (_, port, *_), *_ in raw_slots(n):
                    if first <= slot <= last and port == n.port:
                        return n
        return None

    def of_shard(self, shard):
        alive = next(n for n in self.nodes if n.proc.poll() is None and n.is_up())
        slot = alive.run("CLUSTER", "KEYSLOT", str(shard))
        return wait_for(f"a master of shard {shard}", lambda: self.serves(slot))

    def servers_of(self, shards):
        alive = next(n for n in self.nodes if n.proc.poll() is None and n.is_up())
        ranges = raw_slots(alive)
        by_port = {n.port: n for n in self.nodes}
        with contextlib.closing(alive.db) as db:
            slots = [db.execute_command("CLUSTER", "KEYSLOT", str(shard)) for shard in range(shards)]
        found = {shard: by_port[r[2][1]] for shard, slot in enumerate(slots) for r in ranges if r[0] <= slot <= r[1]}
        if len(found) < shards:
            raise redis_py.ConnectionError("not every slot has a master now")
        return found

    @property
    def config(self):
        at = ", ".join(f'"127.0.0.1:{n.port}"' for n in self.nodes[:2])
        return f"  cluster:\n    addresses: [{at}]\n{self.login()}"

    def trouble(self, shard=0):
        """The master of a shard is killed; returns when its replica has taken over."""
        old = self.of_shard(shard)
        old.kill()
        wait_for("a fail-over", lambda: self.of_shard(shard), 2 * PATIENCE)
        old.start()

    def fail_over(self, shard=0):
        """By hand, nobody dies."""
        old = self.of_shard(shard)
        replica = wait_for("its replica", lambda: next((n for n in self.nodes if n.info().get("master_port") == old.port), None))
        asked = 0

        def is_over():
            """One that is not elected within some seconds is given up, not tried again."""
            nonlocal asked
            if self.of_shard(shard) is not old:
                return True
            if time.monotonic() > asked + 15 and replica.try_run("CLUSTER", "FAILOVER"):
                asked = time.monotonic()
            return False
        wait_for("a fail-over", is_over, 2 * PATIENCE)

    def migrate(self, shard, pause=0.0):
        """Moves the shard's slot to the next master, key by key, as `redis-cli --cluster reshard` does."""
        slot, source = self.slot(shard), self.of_shard(shard)
        masters = self.masters()
        target = masters[(masters.index(source) + 1) % len(masters)]
        ids = {n.port: self.id[i] for i, n in enumerate(self.nodes)}
        target.run("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
        source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
        while True:
            keys = source.run("CLUSTER", "GETKEYSINSLOT", slot, 4)
            if not keys:
                break
            source.run("MIGRATE", "127.0.0.1", target.port, "", 0, 10000, "AUTH", ADMIN, "KEYS", *keys)
            time.sleep(pause)
        for n in [target, source] + [m for m in masters if m not in (source, target)]:
            n.run("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])
        return source, target


def raw_slots(n):
    """CLUSTER SLOTS without redis-py's reading of it."""
    with contextlib.closing(n.db) as db:
        try:
            return db.execute_command("CLUSTER", "SLOTS")
        except redis_py.RedisError:
            return []


TOPOLOGIES = {t.name: t for t in (Single, Sentinel, Cluster)}
