"""Three verifiers judge random logs: a slice of what ``make prove`` does with 10,000."""

import importlib.util
import sys

import pytest

from benchmarks.agreement import KNOWN, compare
from benchmarks.agreement_logs import CONSISTENCY, INCLUSION, NOTE
from tests.outsider import Second

pytestmark = pytest.mark.browser


def test_they_agree_on_random_logs_and_their_mutations(second: Second) -> None:
    found = compare(200, 5, second.page)
    assert found.faults == []
    tried = set(found.accepted) | set(found.refused)
    for kind, changes in (("inclusion", INCLUSION), ("consistency", CONSISTENCY), ("note", NOTE)):
        assert {f"{kind}: {name}" for name in ("as made", *changes)} <= tried
    assert found.cases > 4_000
    assert set(found.known) <= set(KNOWN)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="aics-tlog needs Python 3.12")
def test_the_third_is_there_to_be_asked() -> None:
    assert importlib.util.find_spec("aics_tlog") is not None
