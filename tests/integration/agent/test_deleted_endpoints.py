"""The address of an endpoint that was deleted, on its node: who has it next, and who never has."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from placet_agent.loop import Agent
from placet_agent.state.data_dir import Home
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.former import former_code
from tests.integration.agent.run_agent import OPTIONS
from tests.integration.agent.test_faulty_documents import agent, close, handed
from tests.support.permits import SERVING

__all__ = ["agent"]

Entry = dict[str, Any]
SERVED = {**SERVING, "variables": {}, "replicas": 1}


def another(platform: Platform, pk: str, number: int, name: str = "screening") -> Entry:
    """Return another endpoint, with a revision of its own that people approved for it."""
    bento = platform.build(f"of {pk}")
    case = platform.case(bento, f"rel_{number}", endpoint=pk, serving=SERVED)
    permit = case.document(platform.keys["decision"])
    revision = platform.revision(number, bento, permit=permit, weight=10_000)
    path = f"/cancer/production/{name}"
    return {**platform.endpoint(revision), "id": pk, "name": name, "path": path}


def judged(agent: Agent, platform: Platform, *endpoints: Entry) -> dict[str, str]:
    """Hand the agent a state with these endpoints; return the first clause of what it says."""
    platform.endpoints = list(endpoints)
    return {pk: said.partition(":")[0] for pk, said in handed(agent, platform).items()}


@pytest.mark.parametrize("heir", ["end_0", "end_2"])
@pytest.mark.parametrize("away", [False, True], ids=["told of it", "away meanwhile"])
def test_who_has_the_name_next_serves_there(
    platform: Platform, node: NodeUnderTest, heir: str, away: bool
) -> None:
    platform.endpoints = [another(platform, "end_1", 1)]
    platform.publish()
    platform.wait_phase("rev_1", "serving")
    if not away:
        platform.endpoints = []
        platform.publish()
        platform.wait(lambda: not node.agent.replicas.all)

    platform.endpoints = [{**another(platform, heir, 2), "former": ["end_1"]}]
    platform.publish()

    platform.wait_phase("rev_2", "serving")
    platform.wait(lambda: node.who() == f"of {heir}")
    platform.wait(lambda: len(node.agent.replicas.all) == 1)
    assert node.who() == f"of {heir}"


def test_nobody_else_has_an_address_that_is_not_said_to_be_free(
    agent: Agent, platform: Platform
) -> None:
    assert judged(agent, platform, another(platform, "end_1", 1)) == {"rev_1": ""}
    heir = another(platform, "end_2", 2)
    taken = {"rev_2": "the address is another endpoint's"}
    assert judged(agent, platform, heir) == taken
    assert judged(agent, platform) == {}
    assert judged(agent, platform, {**heir, "former": ["end_3"]}) == taken
    assert judged(agent, platform, {**heir, "former": ["end_3", "end_1"]}) == {"rev_2": ""}
    assert judged(agent, platform, heir) == {"rev_2": ""}, "it is its own since"


def test_who_has_an_address_takes_no_other(agent: Agent, platform: Platform) -> None:
    one, two = another(platform, "end_1", 1), another(platform, "end_2", 2, "other")
    assert judged(agent, platform, one, two) == {"rev_1": "", "rev_2": ""}
    led = {**another(platform, "end_2", 2), "former": ["end_1"]}
    assert judged(agent, platform, led) == {"rev_2": "the endpoint has another address"}


@pytest.mark.parametrize("name", ["screening", "elsewhere"])
def test_who_is_said_to_be_deleted_never_comes_back(
    agent: Agent, platform: Platform, name: str
) -> None:
    judged(agent, platform, another(platform, "end_1", 1))
    heir = {**another(platform, "end_2", 2), "former": ["end_1"]}
    assert judged(agent, platform, heir) == {"rev_2": ""}
    back = {**another(platform, "end_1", 1, name), "former": ["end_2"]}
    refused = {"rev_1": "the endpoint was deleted, and its address given to another"}
    assert judged(agent, platform, back) == refused
    assert judged(agent, platform, heir, another(platform, "end_1", 3, "more"))["rev_3"]
    again = Agent(Home(agent.home.folder), OPTIONS)
    try:
        assert judged(again, platform, back) == refused, "after a restart too"
    finally:
        close(again)


def test_an_heir_that_may_not_run_ends_nobody(agent: Agent, platform: Platform) -> None:
    one = another(platform, "end_1", 1)
    judged(agent, platform, one)
    unapproved = {**another(platform, "end_2", 2), "former": ["end_1"]}
    unapproved["revisions"] = [{**unapproved["revisions"][0], "permit": "{}"}]
    assert judged(agent, platform, unapproved)["rev_2"]
    assert judged(agent, platform, one) == {"rev_1": ""}


@pytest.mark.parametrize("former", [None, "end_1", [7], ["a/b"], {}])
def test_what_does_not_say_whose_it_was_leaves_that_endpoint_out(
    agent: Agent, platform: Platform, former: Any
) -> None:
    bad = {**another(platform, "end_2", 2), "former": former}
    assert judged(agent, platform, another(platform, "end_1", 1, "other"), bad) == {"rev_1": ""}


def test_an_earlier_agent_goes_on_though_it_is_told_whose_an_address_was(
    platform: Platform, tmp_path: Path
) -> None:
    code = former_code(tmp_path / "former")
    entry = {**another(platform, "end_2", 2), "former": ["end_1"]}
    script = (
        "import json, sys; from placet_agent.parsing import parse_endpoint;"
        " read = parse_endpoint(json.load(sys.stdin)); print(read.id, len(read.revisions))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(entry),
        text=True,
        capture_output=True,
        env={"PYTHONPATH": str(code / "platform")},
        check=False,
    )
    assert done.stdout.split() == ["end_2", "1"], done.stderr


def test_who_was_named_as_deleted_never_comes_back(agent: Agent, platform: Platform) -> None:
    assert judged(agent, platform, another(platform, "end_1", 1)) == {"rev_1": ""}
    heir = {**another(platform, "end_3", 3), "former": ["end_2", "end_1"]}
    assert judged(agent, platform, heir) == {"rev_3": ""}
    back = {**another(platform, "end_2", 2), "former": ["end_3"]}
    assert "the endpoint was deleted" in judged(agent, platform, back)["rev_2"]
    elsewhere = another(platform, "end_2", 2, "elsewhere")
    assert "the endpoint was deleted" in judged(agent, platform, heir, elsewhere)["rev_2"]
