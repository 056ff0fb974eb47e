import subprocess
import warnings

import pytest
import redis

from gateway import BUILD, Process


def pytest_sessionstart(session):
    for program in ("src/chatgated", "src/cli/chatgate"):
        if not (BUILD / program).exists():
            pytest.exit(f"{BUILD / program} is missing; build first (scripts/check.sh) or set CHATGATE_BUILD", 3)


@pytest.fixture(autouse=True)
def no_process_left_behind():
    yield
    for proc in Process.started:
        if proc.poll() is None:
            proc.kill()
            proc.wait()
    Process.started.clear()


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A certificate authority and a server certificate for localhost, made by openssl."""
    d = tmp_path_factory.mktemp("tls")

    def openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=test ca", "-keyout", d / "ca.key", "-out", d / "ca.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
            "-keyout", d / "server.key", "-out", d / "server.csr")
    (d / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", d / "server.csr", "-CA", d / "ca.pem", "-CAkey", d / "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", d / "ext", "-out", d / "server.pem")
    return d


@pytest.fixture(scope="session")
def topologies(tmp_path_factory, certificates):
    """Started at first use, once per session; one that does not become whole again after a test is replaced."""
    from redis_topology import TOPOLOGIES
    started = {}

    def start(name):
        if name in started:
            started.pop(name).stop()
        started[name] = TOPOLOGIES[name](tmp_path_factory.mktemp("redis") / name, certificates)
        started[name].reset()

    def get(name):
        try:
            if name in started:
                started[name].reset()
            else:
                start(name)
        except (AssertionError, redis.RedisError) as e:
            warnings.warn(f"{name} is started anew: {e}")
            start(name)
        return started[name]
    yield get
    for t in started.values():
        t.stop()


@pytest.fixture(params=["single", "sentinel", "cluster"])
def topology(request, topologies):
    """Redis in each of the ways it is deployed: empty, with TLS and an ACL user."""
    return topologies(request.param)
