"""Units, socket activation, the readiness notice, and what `cmake --install` leaves where."""

import asyncio
import ctypes
import os
import platform
import re
import shutil
import signal
import socket
import subprocess

import pytest

from gateway import BUILD, PATIENCE, SOURCE, Agent, Backend, Gateway, Process, free_port, run, until


def test_install_and_units(folder):
    root = folder / "root"
    subprocess.run(["cmake", "--install", str(BUILD), "--prefix", "/usr"], check=True, capture_output=True,
                   env=dict(os.environ, DESTDIR=str(root)))
    for path in ("usr/bin/chatgated", "usr/bin/chatgate", "usr/share/chatgate/rules/off_platform.yaml",
                 "usr/share/chatgate/profiles/plain-ws-json.yaml", "usr/lib/systemd/system/chatgated.service",
                 "usr/lib/systemd/system/chatgated.socket", "usr/lib/sysusers.d/chatgate.conf",
                 "usr/lib/tmpfiles.d/chatgate.conf", "usr/share/man/man8/chatgated.8", "usr/share/man/man1/chatgate.1",
                 "usr/share/man/man5/chatgate.yaml.5"):
        assert (root / path).exists(), path
    version = subprocess.run([root / "usr/bin/chatgated", "--version"], check=True, capture_output=True, text=True)
    assert version.stdout.startswith("chatgated ")
    units = root / "usr/lib/systemd/system"
    program = units / "chatgated.service"
    # the programs are not where the unit says on this machine: let it name the installed copy
    program.write_text(re.sub(r"/usr(/local)?/bin/(chatgated?)\b", lambda m: str(root / "usr/bin" / m[2]),
                              program.read_text()))
    man = re.compile(r"^Documentation=man:.*$", re.M)  # man pages are not installed on this machine
    for unit in units.iterdir():
        unit.write_text(man.sub("", unit.read_text()))
    for unit in ("chatgated.service", "chatgated.socket"):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(units / unit)], capture_output=True, text=True,
                              env=dict(os.environ, SYSTEMD_UNIT_PATH=f"{units}:"))
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "chatgate" in line]
        assert not ours, ours
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(program)], capture_output=True, text=True)
    exposure = float(re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)[1])
    assert exposure <= 2.0, done.stdout[-1500:]


def syscalls_allowed(unit):
    """What the unit's SystemCallFilter lines leave, in systemd's way: the first says whether it lists what is allowed."""
    sets, name = {}, None
    for line in subprocess.run(["systemd-analyze", "syscall-filter"], check=True, capture_output=True,
                               text=True).stdout.splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = []
        elif name and line.strip() and not line.strip().startswith("#"):
            sets[name].append(line.strip())

    def members(item):
        return {m for x in sets[item] for m in members(x)} if item in sets else {item}
    allowed = members("@default")
    for value in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.M):
        named = {m for item in value.lstrip("~").split() for m in members(item)}
        allowed = allowed - named if value.startswith("~") else allowed | named
    return allowed


def test_the_unit_permits_what_the_daemon_asks_for():
    allowed = syscalls_allowed(SOURCE / "systemd" / "chatgated.service")
    assert {"setpriority", "sched_setattr", "prlimit64", "epoll_wait", "accept4", "mmap", "memfd_create"} <= allowed
    assert not {"setuid", "sched_setaffinity", "bpf", "swapon"} & allowed


def test_readiness_notice(folder):
    async def go():
        async with Backend() as b:
            path = folder / "notify.sock"
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
                s.bind(str(path))
                s.settimeout(PATIENCE)
                os.environ["NOTIFY_SOCKET"] = str(path)
                try:
                    g = Gateway(folder / "g", b.port, rules=[])
                finally:
                    del os.environ["NOTIFY_SOCKET"]
                assert s.recv(100) == b"READY=1"
                os.kill(g.pid, signal.SIGHUP)
                assert s.recv(100) == b"RELOADING=1"
                assert s.recv(100) == b"READY=1"
                g.proc.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(s.recv, 100) == b"STOPPING=1"
            g.stop()
    run(go())


def test_socket_activation(folder):
    async def go():
        assert shutil.which("systemd-socket-activate")
        async with Backend() as b:
            g = Gateway(folder, b.port, rules=[])
            g.stop()
            port = free_port()
            log = folder / "activated.log"
            p = Process(["systemd-socket-activate", "--fdname=agents", "-l", f"127.0.0.1:{port}", g.program, "--config",
                         g.config], log)
            p.wait_line("Listening on")
            async with Agent(f"ws://127.0.0.1:{port}/ws", "amy") as a, \
                    Agent(f"ws://127.0.0.1:{port}/ws", "bob") as c:
                await a.send("c", "hi", "1")
                await a.until("ack")
                await c.send("c", "hi", "2")
                await c.until("ack")
            p.stop()
            assert "socket_unused" not in p.text()
            p = Process(["systemd-socket-activate", "--fdname=others", "-l", f"127.0.0.1:{port}", g.program, "--config",
                         g.config], folder / "unused.log")
            p.wait_line("Listening on")
            with socket.create_connection(("127.0.0.1", port)):  # starts the daemon, which does not know that name
                p.wait_line('error socket_unused name="others"')
                p.wait_line(" ready ")
            p.stop()
    run(go())


def slice_ns(tid):
    """sched_getattr(2)'s sched_runtime."""
    number = {"x86_64": 315, "aarch64": 275}[platform.machine()]
    attr = (ctypes.c_uint32 * 12)()
    assert ctypes.CDLL(None, use_errno=True).syscall(number, tid, attr, ctypes.sizeof(attr), 0) == 0, ctypes.get_errno()
    return attr[6] | attr[7] << 32


@pytest.mark.skipif(tuple(map(int, re.findall(r"\d+", platform.release())[:2])) < (6, 12), reason="Linux before 6.12")
def test_workers_take_the_processor_for_short_times(folder):
    async def go():
        async with Backend() as b:
            g = Gateway(folder / "g", b.port, rules=[], workers=2)

            def slices():
                return sorted(slice_ns(int(tid)) for tid in os.listdir(f"/proc/{g.pid}/task"))
            await until("two short slices", lambda: slices().count(100000) == 2)
            assert slices()[-1] > 100000, "the control thread's is as long as ever"
            g.stop()
    run(go())
