"""What the registry's tests stand on: a lab, and a store of the test's own."""

from pathlib import Path

import pytest

from apps.audit.entries import entries_of_thread as unit_of_work
from apps.registry.store import Store
from placet.kernel.config import config
from tests.integration.registry.helpers import Lab
from tests.support import rows


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep this test's blobs in its own folder."""
    monkeypatch.setattr(config(), "data_dir", tmp_path / "data")
    return config().artifacts


@pytest.fixture(autouse=True)
def no_file_work_inside_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail as soon as the store is used while an action's transaction is open."""

    def guarded(name: str) -> None:
        real = getattr(Store, name)

        def guard(self: Store, *args: object, **options: object) -> object:
            assert unit_of_work.get() is None, f"Store.{name} was called inside a transaction"
            return real(self, *args, **options)

        monkeypatch.setattr(Store, name, guard)

    for name in ("exists", "open", "read", "put_stream", "append", "keep", "drop"):
        guarded(name)


@pytest.fixture
def lab(db: None) -> Lab:
    """A project with people in it."""
    return rows.once("a lab", Lab)
