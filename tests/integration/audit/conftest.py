"""A log, its witnesses and a project that tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from apps.audit.actions.cosigning import witness_log
from apps.audit.actions.witnesses import add_witness
from apps.audit.models import Witness
from apps.audit.queries.witnesses import own_keys
from apps.identity.models import Project
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from tests.support.factories import project


@pytest.fixture
def log_of_its_own(own_checkpoints: Callable[[], Path]) -> None:
    """Its checkpoints stand in their folder from before anything is logged."""
    own_checkpoints()


@pytest.fixture
def risk() -> Project:
    return project("risk")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config(), "witness_dir", tmp_path / "witnesses")
    path = tmp_path / "witnesses" / "vault"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def other(live_server: LiveServer) -> Witness:
    """Another Placet, reached over HTTP, that was told of this log."""
    witness_log(key=own_keys().log_key, actor=SYSTEM)
    return add_witness(
        name="other",
        kind="http",
        address=f"{live_server.url}/witness",
        key=own_keys().witness_key,
        actor=SYSTEM,
    )
