"""The sentences of the log as the pages show them."""

import pytest

from apps.console.queries.actor_names import in_words
from apps.console.queries.audit import Line
from apps.console.templatetags.placet import span
from placet.kernel.clock import now
from placet.kernel.durations import spell

ID = "rel_01a210ccdb6478f284b9156c89e4b74d"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"Started rolling out {ID}", "Started rolling out rel_01a2…b74d"),
        ("Added measured evidence: smoke_test", "Added measured evidence: smoke test"),
        ("Added measured evidence: sbom", "Added measured evidence: SBOM"),
        ("Was refused: separation_of_duties", "Was refused: separation of duties"),
        ("Added 1 files to a version", "Added 1 file to a version"),
        ("Added 11 files to a version", "Added 11 files to a version"),
        (
            "Published policy revision 2; 1 open releases moved to it",
            "Published policy revision 2; 1 open release moved to it",
        ),
        ("Revision 1 is live with weight 10000", "Revision 1 is live with 100 % of the traffic"),
        ("Revision 2 is ready with weight 250", "Revision 2 is ready with 2.5 % of the traffic"),
        ("Started an upload of 1626640 bytes", "Started an upload of 1\u202f627 kB"),
        (
            "Waits 600 s with 5 % of the requests at the new revision",
            "Waits 10 min with 5 % of the requests at the new revision",
        ),
        ("Released my_model to a_place", "Released my_model to a_place"),
    ],
)
def test_a_sentence_is_in_words(said: str, shown: str) -> None:
    assert in_words(said) == shown


def test_decisions_of_people_stand_out_and_bookkeeping_steps_back() -> None:
    def tone(kind: str, *, machine: bool = False) -> str:
        return Line(1, now(), kind, "", "", machine=machine).tone

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
