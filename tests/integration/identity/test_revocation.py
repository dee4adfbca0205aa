"""A role that is taken away while somebody decides by it."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from apps.identity import actions
from apps.identity.models import RoleBinding, TeamMember
from apps.identity.queries import fresh_grants
from placet.kernel.actor import SYSTEM
from tests.support.factories import person, project, team

pytestmark = pytest.mark.django_db(transaction=True)


def in_another_session(work: Callable[[], None]) -> threading.Thread:
    """Start ``work`` on a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_revoking_waits_for_a_decision_that_is_being_made_by_the_role() -> None:
    rex = person("Rex", roles={"reviewer": project("risk")})
    binding = RoleBinding.objects.get(person=rex)
    with transaction.atomic():
        assert any(g.role == "reviewer" for g in fresh_grants(rex.pk))
        revoking = in_another_session(lambda: actions.revoke_role(binding, actor=SYSTEM))
        revoking.join(0.5)
        assert revoking.is_alive()
    revoking.join(10)
    assert not revoking.is_alive()
    assert fresh_grants(rex.pk, lock=False) == frozenset()


def test_a_decision_waits_for_a_revocation_and_then_finds_the_role_gone() -> None:
    rex = person("Rex", roles={"reviewer": project("risk")})
    binding = RoleBinding.objects.get(person=rex)
    found: list[bool] = []

    def decide() -> None:
        with transaction.atomic():
            found.append(any(g.role == "reviewer" for g in fresh_grants(rex.pk)))

    with transaction.atomic():
        RoleBinding.objects.filter(pk=binding.pk).delete()
        deciding = in_another_session(decide)
        deciding.join(0.5)
        assert deciding.is_alive()
    deciding.join(10)
    assert found == [False]


def test_leaving_a_team_waits_for_a_decision_that_is_being_made_by_its_role() -> None:
    rex = person("Rex")
    board = team("Board", rex, roles={"approver": project("risk")})
    with transaction.atomic():
        assert any(g.role == "approver" for g in fresh_grants(rex.pk))
        leaving = in_another_session(lambda: actions.remove_member(board, person=rex, actor=SYSTEM))
        leaving.join(0.5)
        assert leaving.is_alive()
    leaving.join(10)
    assert not TeamMember.objects.exists()
    assert fresh_grants(rex.pk, lock=False) == frozenset()


def test_deactivating_waits_for_a_decision_that_is_being_made() -> None:
    rex = person("Rex", roles={"reviewer": project("risk")})
    with transaction.atomic():
        fresh_grants(rex.pk)
        ending = in_another_session(lambda: actions.deactivate_person(rex, actor=SYSTEM))
        ending.join(0.5)
        assert ending.is_alive()
    ending.join(10)
    assert fresh_grants(rex.pk, lock=False) == frozenset()
