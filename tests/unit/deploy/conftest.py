"""The clock of connections, which tests move."""

import pytest

from placet.web import idle, patience, worker


class Clock:
    """The time as the modules under test see it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (idle, patience, worker):
        monkeypatch.setattr(module, "time", made)
    return made
