"""The health checks of the containers."""

import os
import time
from pathlib import Path

import pytest

from tests.support.certificates import deployed


def test_a_worker_is_well_while_it_looks_for_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = deployed("health")
    monkeypatch.setenv("PLACET_DATA_DIR", str(tmp_path))
    assert health.main("build") == "the worker of build has not looked for work yet"

    (tmp_path / "run").mkdir()
    mark = tmp_path / "run" / "worker-build.json"
    mark.write_text("{}")
    assert health.main("build") == ""
    assert "control has not" in health.main("control")

    late = time.time() - 60
    os.utime(mark, (late, late))
    assert health.main("build") == "the worker of build last looked for work 60 s ago"


def test_a_node_that_nobody_can_reach_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_ENDPOINT_PORT", "1")
    monkeypatch.delenv("PLACET_TLS_CERT", raising=False)
    assert deployed("health").main("agent").startswith("port 1 does not answer: ")
