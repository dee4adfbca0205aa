"""Three verifiers judge random logs: a slice of what ``make prove`` does with 10,000."""

import sys

import pytest

from proofs.agreement import KNOWN, compare, stranger_version
from proofs.agreement_logs import CONSISTENCY, INCLUSION, NOTE
from proofs.agreement_serving import SERVING
from tests.support.offline import Second

pytestmark = pytest.mark.browser


def test_they_agree_on_random_logs_and_their_mutations(second: Second) -> None:
    *_, found = compare(200, 5, second.page)
    assert found.logs == 200
    assert found.faults == []
    tried = set(found.accepted) | set(found.refused)
    for kind, changes in (
        ("inclusion", INCLUSION),
        ("consistency", CONSISTENCY),
        ("note", NOTE),
        ("serving", SERVING),
    ):
        assert {f"{kind}: {name}" for name in ("as made", *changes)} <= tried
    assert found.cases > 3_000
    assert set(found.known) <= set(KNOWN)


def test_the_third_is_asked_wherever_it_runs() -> None:
    assert bool(stranger_version()) == (sys.version_info >= (3, 12))
