"""What judging a state costs a node: one write, and nothing anew of what it has judged before."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from placet_agent.loop import Agent
from placet_agent.state import files
from placet_verify.permit import permit
from tests.integration.agent.control import Platform
from tests.integration.agent.test_faulty_documents import agent, handed
from tests.integration.agent.test_recalls import recalled
from tests.support.permits import SERVING

__all__ = ["agent"]


class Counts:
    """How often what costs was done since it was last asked."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.writes = self.checks = 0
        write, check = files.write_bytes, permit.permit

        def counted_write(path: Path, *words: Any, **more: Any) -> None:
            self.writes += path.name == "memory.json"
            write(path, *words, **more)

        def counted_check(*words: Any, **more: Any) -> permit.Permit:
            self.checks += 1
            return check(*words, **more)

        patch.setattr(files, "write_bytes", counted_write)
        patch.setattr(permit, "permit", counted_check)

    def since(self) -> tuple[int, int]:
        """Return writes of what is remembered, and permits that were checked."""
        found = self.writes, self.checks
        self.writes = self.checks = 0
        return found


def endpoint(platform: Platform, number: int) -> dict[str, Any]:
    """Return one of many endpoints, each with a release of its own."""
    bento, name = platform.build("one"), f"end_{number}"
    serving = {**SERVING, "variables": {}, "replicas": 1}
    case = platform.case(bento, f"rel_{number}", serving=serving, endpoint=name)
    row = platform.revision(number, bento, permit=case.document(platform.keys["decision"]))
    place = {"name": f"s{number}", "path": f"/cancer/production/s{number}"}
    return {**platform.endpoint(row), "id": name, **place}


def test_many_are_let_in_by_one_write_and_judged_once(
    agent: Agent, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.endpoints = [endpoint(platform, number) for number in range(2, 12)]
    counts = Counts(monkeypatch)

    assert set(handed(agent, platform).values()) == {""}
    assert counts.since() == (2, 10), "what is let in, and the state's number"
    assert set(handed(agent, platform).values()) == {""}
    assert counts.since() == (1, 0), "a state that goes on with all of it"

    platform.endpoints.append(endpoint(platform, 12))
    assert set(handed(agent, platform).values()) == {""}
    assert counts.since() == (2, 1), "one that adds one"


def test_another_recall_or_list_of_keys_has_all_of_it_judged_anew(
    agent: Agent, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.endpoints = [endpoint(platform, number) for number in (2, 3)]
    assert set(handed(agent, platform).values()) == {""}
    counts = Counts(monkeypatch)

    _, envelope = recalled(platform, platform.build("bad"))
    assert set(handed(agent, platform, recalls=[envelope]).values()) == {""}
    assert counts.since() == (1, 2)
    ids = [e.id for e in platform.ring.entries if e.purpose == "decision"]
    platform.ring = platform.ring.revoke(ids[0], datetime.now(UTC) - timedelta(hours=12))
    agent.trust.refresh_keys()
    assert "" not in handed(agent, platform).values()
    assert counts.since()[1] >= 2
