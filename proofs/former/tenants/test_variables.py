"""What steers a process is set by no release, whoever asks and whoever approves."""

import pytest

from apps.governance import plans
from placet.kernel.problems import InvalidInput
from placet_agent.loop import Agent
from tests.governed import World
from tests.integration.agent.control import Platform

NAMES = """
PATH HOME ENV BASH_ENV IFS SHELLOPTS LOCPATH GCONV_PATH LANGUAGE NLSPATH GLIBC_TUNABLES MALLOC_CONF
RES_OPTIONS HTTP_PROXY HTTPS_PROXY ALL_PROXY NODE_OPTIONS PERL5OPT JAVA_TOOL_OPTIONS SSL_CERT_FILE
OPENSSL_CONF GIT_SSH_COMMAND
""".split()  # noqa: SIM905  (a list of that many short words is longer)


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_sets_no_name_that_steers_a_process(name: str) -> None:
    with pytest.raises(plans.DocumentFault):
        plans.serving({"variables": {name: "x"}})


def test_a_name_ends_with_its_last_letter() -> None:
    with pytest.raises(plans.DocumentFault):
        plans.serving({"variables": {"MODE\n": "x"}})


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "LOCPATH"])
def test_a_node_refuses_what_sets_such_a_name_though_it_was_approved(
    agent: Agent, platform: Platform, name: str
) -> None:
    revision = platform.revision(1, platform.build("one"), variables={name: "/runtime/bin"})
    platform.endpoints = [platform.endpoint(revision)]
    platform.publish()
    agent.accept(platform.envelope)

    taken = agent.reconciler._taken
    assert taken is None or not taken[1]["rev_1"].allowed, "the node would run it"


@pytest.mark.django_db
def test_a_release_sets_no_name_that_its_version_does_not_declare(world: World) -> None:
    with pytest.raises(InvalidInput):
        world.request("staging", serving={"variables": {"MODE": "x"}})
