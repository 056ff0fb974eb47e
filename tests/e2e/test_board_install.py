"""What `cmake --install` leaves of the dashboard, and its unit."""

import os
import re
import subprocess

from gateway import BUILD


def test_install_and_unit(folder):
    root = folder / "root"
    subprocess.run(["cmake", "--install", str(BUILD), "--prefix", "/usr"], check=True, capture_output=True,
                   env=dict(os.environ, DESTDIR=str(root)))
    for path in ("usr/bin/chatgate-board", "usr/lib/systemd/system/chatgate-board.service", "usr/share/man/man8/chatgate-board.8",
                 "usr/share/doc/chatgate/examples/board.yaml", "usr/share/chatgate/grafana/gateway_health.json",
                 "usr/share/chatgate/grafana/service_quality.json", "usr/share/chatgate/prometheus/chatgate_alerts.yaml", "usr/share/chatgate/prometheus/prometheus.yaml", "usr/share/doc/chatgate/board.md", "usr/share/doc/chatgate/openapi.yaml"):
        assert (root / path).exists(), path
    unit = root / "usr/lib/systemd/system/chatgate-board.service"
    text = re.sub(r"/usr(/local)?/bin/chatgate-board", str(root / "usr/bin/chatgate-board"), unit.read_text())
    unit.write_text(re.sub(r"(?m)^Documentation=man:.*$", "", text))  # man pages are not installed on this machine
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert not [line for line in (done.stdout + done.stderr).splitlines() if "chatgate" in line], done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True)
    assert float(re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)[1]) <= 2.0, done.stdout[-1500:]
