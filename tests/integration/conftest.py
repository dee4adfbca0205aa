"""What tests over real parts share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Valkey, running_valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A broker of the test's own, on a Unix socket."""
    with running_valkey(tmp_path) as found:
        yield found
