"""What an actor may do: the system anything, and for a person what they may."""

from dataclasses import replace

from placet.kernel.actor import SYSTEM, Grant, Scope

HERE, THERE = Scope("prj_1", "staging"), Scope("prj_1", "production")


def test_the_system_may_do_anything_anywhere() -> None:
    assert SYSTEM.can("release.request", THERE)
    assert SYSTEM.can_somewhere("release.request")
    assert SYSTEM.accountable == "system"


def test_the_system_that_acts_for_a_person_may_do_what_they_may_and_no_more() -> None:
    granted = frozenset({Grant("release.request", HERE)})
    acting = replace(SYSTEM, owner="per_1", grants=granted)
    assert acting.can("release.request", HERE)
    assert not acting.can("release.request", THERE)
    assert not acting.can_somewhere("release.approve")
    assert acting.projects_with("release.request") == {"prj_1"}


def test_what_the_system_does_for_a_person_they_answer_for() -> None:
    assert replace(SYSTEM, owner="per_1").accountable == "per_1"
