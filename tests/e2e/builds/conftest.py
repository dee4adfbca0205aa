"""A build worker with its own store; runtimes are shared by the whole machine."""

from pathlib import Path

import pytest

from placet.kernel.config import config
from tests.support.cache import RUNTIMES
from tests.support.factories import ApiClient, api, person, project


@pytest.fixture(autouse=True)
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this test a data folder of its own."""
    monkeypatch.setattr(config(), "data_dir", tmp_path / ".placet")  # hidden, as in a clone
    monkeypatch.setattr(config(), "runtimes_dir", RUNTIMES)
    return tmp_path


@pytest.fixture
def ada(transactional_db: None) -> ApiClient:
    """A data scientist at the API."""
    return api(person("Ada", roles={"contributor": project("risk")}))
