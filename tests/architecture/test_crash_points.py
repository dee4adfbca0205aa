"""Every crash point in the code is one that the campaign kills at, and the other way round."""

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.audit.events import kinds
from proofs.crashes import draw, total
from tests.crashes import errands, points

ROOT = Path(__file__).resolve().parents[2]
COMMITS = ("before_commit.", "after_commit.")


def calls() -> Iterator[tuple[str, bool]]:
    """Yield the name in each ``crash_point(…)`` of the product; of an f-string its beginning."""
    paths = (
        path for folder in ("apps", "workers", "platform") for path in (ROOT / folder).rglob("*.py")
    )
    for text in (path.read_text() for path in sorted(paths)):
        for node in ast.walk(ast.parse(text)) if "crash_point(" in text else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "crash_point":
                yield written(node.args[0])


def written(name: ast.expr) -> tuple[str, bool]:
    if isinstance(name, ast.Constant):
        return str(name.value), True
    assert isinstance(name, ast.JoinedStr), "a crash point has a name that can be read"
    first = name.values[0]
    return (str(first.value) if isinstance(first, ast.Constant) else ""), False


def declared() -> set[str]:
    """Return the kinds of events that the apps declare, whatever was imported before; no test's."""
    for path in ROOT.glob("apps/*/events.py"):
        importlib.import_module(f"apps.{path.parent.name}.events")
    return {kind for kind in kinds() if not kind.startswith("test.")}


def test_every_point_in_the_code_is_killed_at() -> None:
    missing = [
        name
        for name, whole in calls()
        if not (name in points.ALL if whole else any(p.startswith(name) for p in points.ALL))
    ]
    assert missing == []


def test_no_part_of_the_campaign_waits_for_a_point_that_is_gone() -> None:
    found = list(calls())
    whole = {name for name, literal in found if literal}
    begun = tuple(name for name, literal in found if name and not literal)
    gone = [p for p in points.ALL if p not in whole and not p.startswith((*begun, *COMMITS))]
    assert gone == []


@pytest.mark.parametrize("side", COMMITS)
def test_every_kind_of_event_is_killed_at_or_said_not_to_be(side: str) -> None:
    killed = {p.removeprefix(side) for p in points.ALL if p.startswith(side)}
    assert not declared() - killed - points.NOT_WALKED, "name them in tests/crashes/points.py"
    assert killed | points.NOT_WALKED == declared()
    assert not killed & points.NOT_WALKED


def test_there_are_enough_and_a_campaign_comes_to_all_of_them() -> None:
    assert len(points.ALL) == len(set(points.ALL)) >= 60
    drawn = draw(seed=1, runs=500, per_platform=50)
    assert {point for run in drawn for point in run.points} == set(points.CAMPAIGN)
    for test, some in points.BY_TEST.items():
        text = (ROOT / test).read_text()
        for point in some:
            assert point.partition(".")[2] in text, f"{test} does not name {point}"
    assert set(errands.OF_KIND) <= declared()


def test_runs_of_several_campaigns_add_up_and_those_of_one_seed_count_once(tmp_path: Path) -> None:
    def ran(name: str, seed: int, count: int) -> Path:
        one = {
            "hit": [points.WEB[seed]],
            "missed": [],
            "faults": [],
            "strike": "",
            "log_checked": False,
            "seconds": float(seed),
        }
        kept = {"seed": seed, "wanted_runs": 500, "runs": [one] * count}
        (tmp_path / name).write_text(json.dumps(kept))
        return tmp_path / name

    found = total([ran("a", 1, 3), ran("b", 2, 4), ran("again", 1, 2)])
    assert (found["seeds"], found["runs"], found["points_hit"]) == ([1, 2], 7, 2)
    assert (found["kills_at_points"], found["bad_runs"], found["slowest_seconds"]) == (7, 0, 2.0)
