"""What the web process writes down of a request signs nobody in: over the real gunicorn."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.integration.agent.conftest import free_port
from tests.integration.deploy.test_web import ROOT, wait_listening
from tests.support.processes import database_url

pytestmark = pytest.mark.django_db(transaction=True)
CONFIGURATION = str(ROOT / "platform/deploy/gunicorn.conf.py")
LOGGED = {
    "/accounts/password/reset/key/1-s3cr3t/": "GET /accounts/password/reset/…",
    "/accounts/oidc/corp/login/callback/?code=s3cr3t": "GET /accounts/oidc/corp/…",
}


def test_no_key_and_no_code_that_signs_somebody_in_is_in_the_servers_log(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "web.log"
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "PLACET_DATABASE_URL": database_url(),
        "PLACET_PROCESS": "web",
        "PLACET_DATA_DIR": str(tmp_path / "data"),
        "PLACET_LISTEN": f"127.0.0.1:{port}",
        "WEB_CONCURRENCY": "1",
        "PYTHONWARNINGS": "ignore",
    }
    with path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", CONFIGURATION],
            env=environment,
            cwd=ROOT,
            text=True,
            stdout=log,
            stderr=log,
        )
    try:
        wait_listening(process, port)
        for address in LOGGED:
            httpx.get(f"http://localhost:{port}{address}", timeout=60)
    finally:
        process.terminate()
        process.wait(30)
    said = path.read_text()
    assert "s3cr3t" not in said
    requests = [json.loads(line)["request"] for line in said.splitlines() if '"request"' in line]
    assert requests == list(LOGGED.values())
