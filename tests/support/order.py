"""A pytest plugin: of several workers none idles at the end, for the longest files come first.

How long each took is in ``seconds.json``; ``PLACET_SECONDS=1 make test`` writes it anew.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

SECONDS = Path(__file__).with_name("seconds.json")
LEAST = 3  # seconds; shorter files come last, in their own order

_took: Counter[str] = Counter()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files; every worker must come to the same order."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        known = json.loads(SECONDS.read_text())
        items.sort(key=lambda item: -known.get(item.location[0], 0))


def pytest_runtest_logreport(report: Any) -> None:
    """Add up the seconds of each file."""
    _took[report.nodeid.partition("::")[0]] += report.duration


def pytest_sessionfinish() -> None:
    """Write down what took long where that was asked for; what did not run keeps its seconds."""
    if os.environ.get("PLACET_SECONDS") and "PYTEST_XDIST_WORKER" not in os.environ:
        known = Counter(json.loads(SECONDS.read_text()) | dict(_took)).most_common()
        long = {f: round(took) for f, took in known if took >= LEAST and Path(f).exists()}
        SECONDS.write_text(json.dumps(long, indent=1) + "\n")
