"""What a page shows to who may open it but not read all of it."""

import pytest

from tests.support.factories import browser, person, project

pytestmark = pytest.mark.django_db


def test_an_access_admin_sees_environments_but_no_policy_of_them() -> None:
    risk = project("risk")
    viewer = browser(person("Vic", {"viewer": risk})).get("/policies/")
    admin = browser(person("Ann", {"admin": None})).get("/policies/")
    shown = [
        [(r.environment.name, r.policy is not None) for r in page.context["rows"]]
        for page in (viewer, admin)
    ]
    assert [name for name, _ in shown[0]] == [name for name, _ in shown[1]]
    assert all(policy for _, policy in shown[0])
    assert not any(policy for _, policy in shown[1])
