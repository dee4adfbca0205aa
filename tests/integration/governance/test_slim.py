"""Who may ask for a build without BentoML around it, and which node takes it."""

import base64
import json

import pytest

from apps.governance.models import Release
from apps.rollouts.actions import start_rollout
from apps.serving.errors import DoesNotFit
from placet.kernel.actor import SYSTEM
from tests.support.factories import api
from tests.support.nodes import PLATFORM, SimulatedNode
from tests.support.world import World

pytestmark = pytest.mark.django_db


def ask(
    world: World, server: object, *, slim: bool = True, form: str = "sklearn"
) -> tuple[int, str]:
    """Have Ada ask for a development release; return the status and what is wrong with what."""
    bento = world.bento(world.version(format=form), slim=slim)
    return world.ask(bento, serving={"server": server})


def test_slim_is_approved_with_the_release(world: World) -> None:
    assert ask(world, "slim") == (201, "")
    release = Release.objects.get()
    assert release.serving["server"] == "slim"
    permit = json.loads(api(world.people["Otto"]).get(f"/releases/{release.pk}/permit").content)
    assert b'"server":"slim"' in base64.b64decode(permit["request"]["payload"])


@pytest.mark.parametrize("server", ["bentoml", None])
def test_bentoml_is_written_as_it_always_was(world: World, server: object) -> None:
    """An older node knows no such member."""
    assert ask(world, server, slim=False) == (201, "")
    assert "server" not in Release.objects.get().serving


@pytest.mark.parametrize("server", ["Slim", "", 1, ["slim"]])
def test_any_other_is_refused_by_its_name(world: World, server: object) -> None:
    assert ask(world, server) == (400, '/serving/server must be "slim" or "bentoml"')


@pytest.mark.parametrize(
    ("form", "says"), [("sklearn", "build the version again"), ("bentoml", "served by BentoML")]
)
def test_a_build_that_cannot_is_refused_with_what_to_do(world: World, form: str, says: str) -> None:
    status, fault = ask(world, "slim", slim=False, form=form)
    assert (status, fault.partition(" ")[0]) == (400, "/serving/server")
    assert says in fault
    assert not Release.objects.exists()


def test_an_agent_of_before_is_not_given_what_it_could_not_read(
    world: World, node: SimulatedNode
) -> None:
    assert ask(world, "slim") == (201, "")
    release = Release.objects.get()
    node.upgraded(features=[name for name in PLATFORM["features"] if name != "slim"])
    with pytest.raises(DoesNotFit, match="cannot serve without BentoML: upgrade it"):
        start_rollout(release, actor=SYSTEM)
    node.upgraded()
    assert start_rollout(release, actor=SYSTEM).to_revision.serving["server"] == "slim"
