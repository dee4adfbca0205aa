"""What stands around every page: where the menus lead, and which page they say one is on."""

import pytest

from apps.console.navigation import Navigation, navigation, page_above
from apps.console.queries.frame import Frame, Standing
from placet.kernel.actor import INSTANCE, Actor, Grant, Scope

CLINIC = Standing("prj_1", "clinic", "Clinic")
LISTS = ["model.view", "release.view", "endpoint.view", "alert.view", "policy.view", "project.view"]


def person(*permissions: str, scope: Scope = INSTANCE) -> Actor:
    """Return somebody with these permissions."""
    return Actor("person", "per_1", grants=frozenset(Grant(name, scope) for name in permissions))


def shown(path: str, actor: Actor, project: Standing | None = None) -> Navigation:
    """Return the menus at ``path``."""
    return navigation(path, actor, Frame(project), {"alerts": (2, "open alerts")})


@pytest.mark.parametrize(
    ("permission", "tabs"),
    [
        ("release.view", ["Emergency releases"]),
        ("access.view", ["Duties"]),
        ("stream.view", ["Forwarding", "Webhooks"]),
        ("audit.witness", ["Witnesses"]),
        ("audit.hold", ["Retention and holds"]),
        ("audit.view", ["Log", "Verification", "Retention and holds", "Witnesses"]),
        ("model.view", []),
    ],
)
def test_audit_leads_to_the_first_of_its_pages_that_one_may_see(
    permission: str, tabs: list[str]
) -> None:
    actor = person(permission)
    audit = [item for item in shown("/", actor).beside if item.text == "Audit"]
    assert len(audit) == bool(tabs)
    for item in audit:
        there = shown(item.url, actor)
        assert [tab.text for tab in there.tabs] == (tabs if len(tabs) > 1 else [])
        assert next(one for one in there.beside if one.text == "Audit").active


def test_no_tab_leads_to_what_is_refused_to_an_auditor_of_one_project() -> None:
    there = shown("/audit/", person("audit.view", "audit.hold", scope=Scope("prj_1")))
    assert [tab.text for tab in there.tabs] == ["Log", "Verification"]


def test_in_a_project_the_lists_are_those_of_the_project() -> None:
    found = shown("/models/", person(*LISTS), CLINIC)
    assert [(item.text, item.url) for item in found.project] == [
        ("Overview", "/projects/clinic/"),
        ("Models", "/models/?project=clinic"),
        ("Releases", "/releases/?project=clinic"),
        ("Deployments", "/endpoints/?project=clinic"),
        ("Alerts", "/alerts/?project=clinic"),
        ("Policies and environments", "/policies/?project=clinic"),
        ("Members", "/projects/clinic/members/"),
        ("Activity", "/projects/clinic/activity/"),
        ("Release figures", "/projects/clinic/figures/"),
    ]
    assert [item.text for item in found.project if item.active] == ["Models"]
    assert [item.count for item in found.project if item.text == "Alerts"] == [2]


def test_what_one_may_in_another_project_is_no_entry_of_this_one() -> None:
    actor = person("model.view", scope=Scope("prj_2"))
    assert "Models" in [item.text for item in shown("/", actor).project]
    assert "Models" not in [item.text for item in shown("/", actor, CLINIC).project]


def test_settings_are_for_who_may_change_the_project() -> None:
    here, there = Scope("prj_1"), Scope("prj_2")
    for scope, entries in ((here, 1), (there, 0)):
        items = shown("/", person("project.edit", scope=scope), CLINIC).project
        assert [item.text for item in items].count("Settings") == entries


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/projects/clinic/", "Overview"),
        ("/projects/clinic/members/", "Members"),
        ("/models/clinic/churn/3/", "Models"),
        ("/builds/bld_1/", "Models"),
        ("/rollouts/rol_1/", "Deployments"),
        ("/deployments/", "Deployments"),
        ("/projects/clinic/environments/staging/", "Policies and environments"),
    ],
)
def test_the_menu_says_where_one_is(path: str, label: str) -> None:
    found = shown(path, person(*LISTS), CLINIC)
    assert [item.text for item in found.project if item.active] == [label]
    assert not any(item.active for item in found.home)


def test_deployments_now_and_on_a_date_stand_beside_each_other() -> None:
    for path, label in (("/endpoints/", "Now"), ("/deployments/", "On a date")):
        tabs = shown(path, person("endpoint.view"), CLINIC).tabs
        assert [tab.text for tab in tabs if tab.active] == [label]
        assert [tab.url for tab in tabs] == [
            "/endpoints/?project=clinic",
            "/deployments/?project=clinic",
        ]
    assert shown("/endpoints/end_1/", person("endpoint.view"), CLINIC).tabs == ()


def test_a_key_and_the_search_lead_only_where_one_may_go() -> None:
    found = shown("/", person("model.view"), None)
    assert {item.key for item in found.keys} == {"h", "i", "m"}
    assert ("Models", "/models/") in found.found
    assert "Nodes" not in [text for text, _ in found.found]


def test_the_nearest_page_above_is_one_that_its_reader_may_open() -> None:
    above = page_above("/audit/witnesses/nope/", person("audit.view"))
    assert above is not None
    assert above.text == "Witnesses"
    assert page_above("/audit/witnesses/nope/", person("model.view")) is None
