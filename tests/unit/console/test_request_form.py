"""The form that asks for a release: what stands in it before and after somebody typed."""

from types import SimpleNamespace
from typing import Any

from apps.console.queries.releases import EnvironmentChoice, RequestChoices
from apps.console.queries.request_form import RequestForm
from placet.kernel.problems import Problem


def place(name: str, *, allowed: bool = True, live: bool = False) -> EnvironmentChoice:
    """Return an environment that the version may be asked into or not."""
    environment: Any = SimpleNamespace(name=name)
    return EnvironmentChoice(environment, [], None, allowed, live)


def form(typed: dict[str, str] | None = None, **members: Any) -> RequestForm:
    """Return the form for a version of a project with three environments and two targets."""
    version: Any = SimpleNamespace(model=SimpleNamespace(name="churn"), variables=["REGION"])
    places = [place("dev", live=True), place("staging"), place("prod", allowed=False)]
    targets = {"items": ["dev", "staging"], "eu": ["prod"]}
    offered = RequestChoices(places, [], [], targets, [])
    return RequestForm(version, offered, typed or {}, members.pop("variables", {}), (), **members)


def test_the_usual_stands_in_what_was_not_typed() -> None:
    filled = form().filled
    assert filled["environment"] == "staging"  # the first where it is not live
    assert (filled["endpoint"], filled["plan"], filled["replicas"]) == ("churn", "replace", "1")
    typed = form({"replicas": "3", "environment": "dev"}).filled
    assert (typed["replicas"], typed["environment"]) == ("3", "dev")


def test_a_place_that_is_closed_is_named_and_not_chosen() -> None:
    shown = [(p.text, p.chosen, p.closed) for p in form({"environment": "prod"}).environments]
    assert shown == [
        ("dev (live)", False, False),
        ("staging", False, False),
        ("prod (no permission)", False, True),
    ]


def test_a_target_is_named_with_its_environments_whatever_it_is_called() -> None:
    rows = form({"target": "eu"}).targets
    assert [(t.text, t.chosen) for t in rows] == [
        ("items (dev, staging)", False),
        ("eu (prod)", True),
    ]


def test_what_was_chosen_stays_chosen() -> None:
    typed = form({"start": "manual", "unit_source": "json"})
    assert [s.value for s in typed.starts if s.chosen] == ["manual"]
    assert [u.text for u in typed.units if u.chosen] == ["JSON field"]
    assert not [u for u in form().units if u.chosen]


def test_variables_are_of_the_version_or_usual() -> None:
    typed = form(variables={"REGION": "eu", "OMP_NUM_THREADS": "2"})
    assert typed.variables == [("REGION", "eu")]
    assert ("OMP_NUM_THREADS", "2") in typed.usual_variables
    assert typed.usual_typed
    assert not form().usual_typed


def test_a_refusal_says_where_to_look() -> None:
    assert form().refusal == ""
    assert form(problem=Problem("No")).refusal == "No"
    beside = form(problem=Problem("No"), faults={"plan": ["unknown"]})
    assert beside.refusal == "No: Rollout plan"


def test_a_place_says_what_its_policy_asks() -> None:
    policy: Any = SimpleNamespace(number=1)
    environment: Any = SimpleNamespace(name="dev")
    asked = [
        EnvironmentChoice(environment, g, policy, True, False).asks
        for g in (["Scanned", "Fresh"], [])
    ]
    assert asked == ["Scanned · Fresh", "nothing"]
    assert place("dev").asks == "no policy: nothing can be released"


def test_who_may_ask_nowhere_gets_no_form() -> None:
    version: Any = SimpleNamespace()
    closed = [place("dev", allowed=False), place("prod", allowed=False)]
    denied = [
        RequestForm(version, RequestChoices(places, [], [], {}, []), {}, {}, ()).denied
        for places in (closed, [*closed, place("staging")], [])
    ]
    assert denied == [True, False, False]
