"""A pytest plugin that starts a PostgreSQL of this run's own before Django reads its settings."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

_cluster: Any = None
_folder: Path | None = None


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Start one PostgreSQL for the whole run; xdist workers inherit its address."""
    global _cluster, _folder
    if os.environ.get("PLACET_TEST_DATABASE"):
        return
    from placet.embedded.postgres import Cluster

    _folder = Path(tempfile.mkdtemp(prefix="placet-test-"))
    _cluster = Cluster.at(_folder, durable=False)
    _cluster.start()
    _cluster.ensure_database()
    os.environ["PLACET_DATA_DIR"] = str(_folder / "data")
    os.environ["PLACET_TEST_DATABASE"] = _cluster.url("postgres")
    os.environ["PLACET_DATABASE_URL"] = _cluster.url("postgres")


def pytest_unconfigure() -> None:
    """Stop what this run started and remove its data."""
    if _cluster is not None and _folder is not None:
        _cluster.stop()
        shutil.rmtree(_cluster.home, ignore_errors=True)
        shutil.rmtree(_folder, ignore_errors=True)
