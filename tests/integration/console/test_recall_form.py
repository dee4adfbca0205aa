"""The form for a recall takes what people write, and what stands in it by itself."""

import pytest

from apps.assurance.models import Recall
from apps.console.queries.search_terms import wanted
from apps.registry.models import ModelVersion
from tests.support import factories
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db


def asked(world: World, name: str = "Otto", **typed: str) -> tuple[int, str]:
    """Return the answer to what somebody asks the form for."""
    answer = browser(world.people[name]).get("/recalls/new/", {"project": "", **typed})
    return answer.status_code, " ".join(answer.content.decode().split())


def test_a_version_is_named_as_everywhere_else_and_brings_its_project(world: World) -> None:
    version = world.request("development").version
    name = f"risk/{version.model.name}:{version.number}"
    for what, project in ((name, ""), (f" {name} ", "risk"), (version.pk, "")):
        status, shown = asked(world, kind="version", what=what, project=project)
        assert (status, "1</b> release" in shown) == (200, True), what
    form = {"kind": "version", "what": name, "project": "", "reason": "It is wrong"}
    assert browser(world.people["Otto"]).post("/recalls/create", form).status_code == 302
    found = Recall.objects.get()
    assert (found.what, found.project) == (version.pk, world.project)


def test_the_longest_names_are_read_to_their_end() -> None:
    """Cut anywhere, another number would be recalled."""
    project, model = "p" * 60, "m" * 80
    terms = wanted(f"{project}/{model}:123456789")
    assert (terms.project, terms.model, terms.number) == (project, model, 123456789)


def test_a_bento_brings_its_project_and_a_dataset_the_only_one(world: World) -> None:
    bento = world.request("development").bento
    assert "1</b> release" in asked(world, kind="bento", what=bento.pk)[1]
    dataset = {"kind": "dataset", "what": "sha256:" + "0" * 64}
    assert "No version that was trained on it can be released" in asked(world, **dataset)[1]
    other = factories.project("other")
    world.people["Olga"] = factories.person(
        "Olga", roles={"operator": world.project, "auditor": other}
    )
    world.people["Both"] = factories.person("Both", roles={"operator": None})
    assert "No version that was trained on it can be released" in asked(world, "Olga", **dataset)[1]
    assert "Name the project that the dataset belongs to" in asked(world, "Both", **dataset)[1]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("risk/churn:99", "There is no such version here"),
        ("other/churn:1", "There is no such version here"),
        ("churn", "PROJECT/MODEL:NUMBER"),
    ],
)
def test_what_is_not_there_is_said_beside_the_form(world: World, what: str, says: str) -> None:
    world.version()
    elsewhere = factories.project("other")
    assert elsewhere.slug == "other"
    status, shown = asked(world, kind="version", what=what)
    assert (status, says in shown, f'value="{what}"' in shown) == (200, True, True)


def test_nodes_that_have_nothing_to_confirm_are_not_said_to_confirm(world: World) -> None:
    oda = browser(factories.person("Oda", roles={"operator": None}))
    form = {"kind": "person", "what": world.vera.id, "project": "", "reason": "Coerced"}
    preview = oda.get("/recalls/new/", form).content.decode()
    assert "This person&#x27;s decisions don&#x27;t count" in preview
    shown = oda.post("/recalls/create", form, follow=True).content.decode()
    assert "Recalled." in shown and "Confirmations by nodes" not in shown


def test_whoever_recalls_is_told_where_else_they_see_the_same_files(world: World) -> None:
    other = World("other")
    mine, copy, hidden = world.version(), world.version("copy"), other.version()
    digest = {"artifact_digest": mine.artifact_digest}
    ModelVersion.objects.filter(pk__in=[copy.pk, hidden.pk]).update(**digest)
    typed = {"kind": "version", "what": mine.pk}
    shown = asked(world, **typed)[1]
    assert "The same files are in another version too, which this recall does not reach:" in shown
    assert "risk/copy:1" in shown and "other/churn" not in shown
    factories.grant(world.people["Otto"], {"viewer": other.project})
    shown = asked(world, **typed)[1]
    assert "in other versions too" in shown and "other/churn:1" in shown
    bento = world.bento(mine)
    assert "risk/copy:1" in asked(world, kind="bento", what=bento.pk)[1]
    ModelVersion.objects.filter(pk=mine.pk).update(artifact_digest="")
    assert "The same files" not in asked(world, **typed)[1]
