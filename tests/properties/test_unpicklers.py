"""The walk against both unpicklers of Python: where one of them comes to a name, it does too."""

import json
import subprocess
import sys

import hypothesis
import pytest

from workers.builder.untrusted_files import ROOT

PROVING = hypothesis.settings.default.max_examples > 100
COUNT = 2_000_000 if PROVING else 100_000
LEAST = 0.1  # of all: pickles that no unpickler reads prove nothing


def test_what_an_unpickler_follows_to_a_name_the_walk_follows(
    request: pytest.FixtureRequest,
) -> None:
    """A child draws them: a pickle may ask for more memory than there is."""
    seed = request.config.getoption("--hypothesis-seed") or 1
    child = subprocess.run(
        [sys.executable, "-m", "tests.properties.scanning.unpicklers", str(seed), str(COUNT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    found = json.loads(child.stdout)
    print(found["drawn"], "drawn,", found["reached"], "reached a name")
    assert found["missed"] == []
    assert found["reached"] >= LEAST * COUNT
