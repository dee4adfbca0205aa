"""What the gates of a release that waits say now, where time alone changes that.

The answers that are stored are from when people did something last: a list that showed them would
say that a gate has failed which has long begun to pass by itself.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import QuerySet

from apps.governance import gates
from apps.governance.gates import freeze, soaked
from apps.governance.gates.facts import Facts, GateResult
from apps.governance.models import UNFINISHED_STATES, Release
from apps.governance.queries.facts import (
    freeze_facts,
    freezes_of,
    soaks_by_environment,
    soaks_of,
)
from placet.kernel import clock

BY_CLOCK = frozenset({soaked.NAME, freeze.NAME})


def with_clock(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have releases, with their policy and environment, bring what :func:`gates_now` looks at."""
    return releases.annotate(
        soaked_now=ArraySubquery(soaks_of("bento")),
        frozen_now=ArraySubquery(freezes_of("environment")),
    )


def gates_now(release: Any) -> list[GateResult]:
    """Return the stored answers of the gates, those that time changes as they are now; as they were
    stored where the release does not wait, or does not bring what to look at."""
    stored: list[GateResult] = release.gates
    if release.state not in UNFINISHED_STATES or not hasattr(release, "soaked_now"):
        return stored
    facts = Facts(
        now=clock.now(),
        bento_digest=release.bento_id,
        environment=release.environment.name,
        requester=release.requester,
        author="",
        version={},
        freezes=freeze_facts(release.frozen_now),
        soaks=soaks_by_environment(release.soaked_now),
    )
    return [
        gates.evaluate(gate, facts) if _is_by_clock(gate, result) else result
        for gate, result in gates.paired(release.policy.document, stored)
    ]


def _is_by_clock(gate: Mapping[str, Any], stored: GateResult) -> bool:
    """Tell whether a gate is answered by time; one that a broken glass steps over is left so."""
    same = gate.get("gate") == stored["gate"]
    return same and stored["gate"] in BY_CLOCK and stored["state"] != "skipped"
