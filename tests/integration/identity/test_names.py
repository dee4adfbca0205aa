"""What a query that reads ids calls people, service accounts and Placet itself."""

import pytest
from django.db.models import CharField, Value

from apps.identity.models import Project, User
from apps.identity.queries import name_in, people_names
from placet.kernel.actor import SYSTEM
from tests.support import factories

pytestmark = pytest.mark.django_db


def test_a_query_calls_placet_by_name_as_it_does_people_and_service_accounts() -> None:
    ada, robot = factories.person("Ada"), factories.service_account("robot", factories.person("Al"))
    project = factories.project("fraud")
    called = []
    for who in (ada.pk, robot.pk, SYSTEM.id, "nod_1"):
        rows = Project.objects.filter(pk=project.pk).annotate(by=Value(who, CharField()))
        called.append(rows.annotate(who=name_in("by")).values_list("who", flat=True).get())
    assert called == ["Ada", "robot", "Placet", "nod_1"]


def test_who_has_no_name_is_called_by_no_address() -> None:
    """What somebody did is told to many who see no addresses."""
    ada, project = factories.person("Ada"), factories.project("fraud")
    User.objects.filter(pk=ada.pk).update(name="")
    rows = Project.objects.filter(pk=project.pk).annotate(by=Value(ada.pk, CharField()))
    told = rows.annotate(who=name_in("by")).values_list("who", flat=True).get()
    assert told == people_names([ada.pk])[ada.pk] == "somebody without a name"
