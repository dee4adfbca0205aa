"""The sentences of the log as the pages show them."""

from datetime import timedelta
from typing import Any

import pytest

from apps.assurance.events import RECALLED
from apps.audit.events import ACCESS_DENIED, EventKind
from apps.console.queries.events import EventLine
from apps.console.templatetags.placet import ago, span
from apps.governance.events import POLICY_PUBLISHED
from apps.identity.events import SIGNED_IN
from apps.registry.events import EVIDENCE_ADDED, FILES_ADDED, UPLOAD_STARTED
from apps.rollouts.events import ROLLOUT_STARTED, TIMED_PAUSE
from apps.serving.events import REVISION_CHANGED
from placet.kernel.clock import now
from placet.kernel.durations import spell

ID = "rel_01a210ccdb6478f284b9156c89e4b74d"
MEASURED = {"source": "measured"}
LIVE, IS_LIVE = {"number": 1, "state": "live"}, "Revision 1 is live"
READY = {"number": 2, "state": "ready"}
OF_REQUESTS = "% of the requests at the new revision"


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        (ROLLOUT_STARTED, {"release": ID}, "Started rolling out rel_01a2…b74d"),
        (EVIDENCE_ADDED, MEASURED | {"kind": "smoke_test"}, "Added measured evidence: smoke test"),
        (EVIDENCE_ADDED, MEASURED | {"kind": "sbom"}, "Added measured evidence: SBOM"),
        (ACCESS_DENIED, {"action": "not_independent"}, "Blocked: not independent"),
        (ACCESS_DENIED, {"action": "release.break_glass"}, "Blocked: release.break_glass"),
        (SIGNED_IN, {"method": "single_sign_on"}, "Signed in by single sign-on"),
        (SIGNED_IN, {"method": "set_up_link"}, "Signed in by set-up link"),
        (
            SIGNED_IN,
            {"method": "password+second_factor"},
            "Signed in by password and second factor",
        ),
        (FILES_ADDED, {"count": 1}, "Added 1 file to a version"),
        (FILES_ADDED, {"count": 11}, "Added 11 files to a version"),
        (
            POLICY_PUBLISHED,
            {"number": 2, "moved": 1},
            "Published policy revision 2; 1 open release moved to it",
        ),
        (REVISION_CHANGED, LIVE | {"weight": 10000}, f"{IS_LIVE} with 100% of the traffic"),
        (REVISION_CHANGED, LIVE | {"weight": 250}, f"{IS_LIVE} with 2.5% of the traffic"),
        (REVISION_CHANGED, LIVE | {"weight": 0}, "Revision 1 handed all traffic over"),
        (REVISION_CHANGED, READY | {"weight": 0}, "Revision 2 is ready, without traffic"),
        (REVISION_CHANGED, READY | {"weight": 1}, "Revision 2 is ready with 0.01% of the traffic"),
        (UPLOAD_STARTED, {"size": 1626640}, "Started an upload of 1,627 kB"),
        (
            RECALLED,
            {"kind": "bento", "releases": 1, "endpoints": 1},
            "Recalled a bento: 1 release revoked at 1 endpoint",
        ),
        (UPLOAD_STARTED, {"size": 999}, "Started an upload of 999 bytes"),
        (TIMED_PAUSE, {"seconds": 600, "percent": 5}, f"Waiting 10 min, 5{OF_REQUESTS}"),
        (TIMED_PAUSE, {}, f"Waiting … s, …{OF_REQUESTS}"),
    ],
)
def test_pages_show_an_event_as_people_read_it(
    kind: EventKind, data: dict[str, Any], shown: str
) -> None:
    assert kind.line(data) == shown


def test_a_program_reads_the_same_of_a_revision_with_and_without_traffic() -> None:
    assert REVISION_CHANGED.sentence(LIVE | {"weight": 0}) == "Revision 1 is live with weight 0"
    assert REVISION_CHANGED.sentence(LIVE | {"weight": 9}) == "Revision 1 is live with weight 9"


def test_decisions_of_people_stand_out_and_bookkeeping_steps_back() -> None:
    def tone(kind: str, *, machine: bool = False) -> str:
        return EventLine(1, now(), kind, "", "", machine=machine).tone

    assert tone("release.decided.v1") == tone("release.decided") == "decided"
    assert tone("version.created.v1") == ""
    assert tone("session.opened.v1") == "machine"
    assert tone("release.decided.v1", machine=True) == "machine"


def test_a_time_that_was_measured_is_rounded_to_what_fits_and_a_planned_one_is_not() -> None:
    for seconds, shown in (
        (None, "–"),
        (0, "0 s"),
        (0.04, "0.0 s"),
        (1.25, "1.2 s"),
        (9, "9 s"),
        (89.4, "1 min 29 s"),
        (90, "2 min"),
        (149, "2 min"),
        (3 * 3600 + 61, "3 h"),
        (4.4 * 86400, "4 d"),
    ):
        assert span(seconds) == shown
    for planned, shown in ((0, "0 s"), (90, "1 min 30 s"), (5400, "1 h 30 min"), (86400, "1 d")):
        assert spell(planned) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(4.9, "just now"), (7.04, "7 s ago"), (100.5, "2 min ago"), (-6.5, "in 6 s")],
)
def test_a_moment_is_shown_in_whole_units(
    seconds: float, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now()
    monkeypatch.setattr("apps.console.templatetags.placet.now", lambda: moment)
    assert f">{shown}<" in ago(moment - timedelta(seconds=seconds))
