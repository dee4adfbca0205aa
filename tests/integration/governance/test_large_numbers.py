"""Numbers of 2^53 and more, which earlier releases took in metrics and parameters: what was stored
then is used and checked as it was hashed then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.audit.actions import record, write_checkpoint
from apps.audit.models import Event
from apps.audit.queries.fsck import fsck
from apps.builds.models import Bento
from apps.governance.queries.facts import evaluate
from apps.registry.actions import create_model, create_version
from apps.registry.events import EVIDENCE_ADDED, VERSION_CREATED
from apps.registry.models import Evidence, ModelVersion
from apps.registry.rules.evidence import evidence_digest
from placet.kernel.problems import InvalidInput
from tests.support.database import owning_tables
from tests.support.factories import api
from tests.support.world import World

LARGE = {"loss": 1e16, "steps": -123456789012345680.0, "huge": 1e300, "auc": 0.93}
SMALL_LOSS = """version: 1
gates:
  - {gate: expression, says: Large, that: evidence.metrics.loss == 1e16}
  - {gate: expression, says: Huge, that: evidence.metrics.huge > 1e299}
"""
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _log_of_its_own(own_checkpoints: Callable[[], Path]) -> None:
    own_checkpoints()


@pytest.fixture
def bento(world: World) -> Bento:
    """Something built, whose metrics are as the release before wrote them: it took any float."""
    made = world.bento(world.version())
    source, by, pk = "reported", world.ada.id, made.version_id
    row = Evidence(version=made.version, project=world.project, kind="metrics", source=source)
    row.data, row.created_by = LARGE, by
    row.digest = evidence_digest(pk, "metrics", source, "", LARGE, by)
    with record(world.ada) as log:
        row.save(force_insert=True)
        log.add(EVIDENCE_ADDED, row, data={"kind": "metrics", "source": source})
    assert stored("loss") == "10000000000000000"
    return made


def stored(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (data -> %s)::text FROM registry_evidence WHERE kind = 'metrics'", [name]
        )
        return str(cursor.fetchone()[0])


def wrong(key: str) -> list[str]:
    """Return what ``audit fsck`` says of a row."""
    write_checkpoint()
    return [fault.sentence for fault in fsck().faults if key in fault.place]


def test_a_release_is_asked_for_with_metrics_that_were_stored_before(
    world: World, bento: Bento
) -> None:
    world.policy("staging", SMALL_LOSS)
    release = world.request("staging", bento)
    assert {gate["title"]: gate["passed"] for gate in evaluate(release)} == {
        "Large": True,
        "Huge": True,
    }
    path = f"/releases/{release.pk}"
    assert api(world.people["Ada"]).get(path).status_code == 200


@pytest.mark.usefixtures("bento")
def test_fsck_finds_them_as_they_were_logged() -> None:
    row = Evidence.objects.get(kind="metrics")
    assert wrong(row.pk) == []
    with owning_tables():
        Evidence.objects.filter(pk=row.pk).update(data=LARGE | {"loss": 2e16})
    assert len(wrong(row.pk)) == 1


@pytest.mark.parametrize("read_before", [False, True], ids=["as-it-came", "as-it-was-read"])
def test_fsck_finds_parameters_as_they_were_logged(world: World, read_before: bool) -> None:
    """What the release before logged of a row that it had read has digits as text."""
    model = create_model(world.project, name="large", description="", actor=world.alan)
    made = create_version(model, actor=world.alan)
    ModelVersion.objects.filter(pk=made.pk).update(parameters={"rate": 1e22, "of": [1e23]})
    with record(world.alan) as log:
        log.add(VERSION_CREATED, ModelVersion.objects.get(pk=made.pk), data={"number": 1})
        (state,) = log.entries[-1].after.values()
        if read_before:
            state["parameters"] = {"rate": "1" + "0" * 22, "of": ["1" + "0" * 23]}
    said = '{"of":["1' if read_before else '{"of":[1e+23],"rate":1e+22}'
    assert said in Event.objects.order_by("-index")[0].body
    assert wrong(made.pk) == []
    ModelVersion.objects.filter(pk=made.pk).update(parameters={"rate": 1e22, "of": [1e24]})
    assert len(wrong(made.pk)) == 1


MIXED: dict[str, Any] = {
    "n": 9876543210987654,
    "of": [1e22, 2**53, {"deep": [1e300, 2**60]}],
    "small": 1.5,
}
READ_MIXED = MIXED | {"of": [1e22, 2**53 + 2, {"deep": [1e300, 2**60]}]}


def test_fsck_finds_whole_numbers_beside_floats_as_they_were_logged(world: World) -> None:
    """The release before logged the ones as text and the others as they came."""
    model = create_model(world.project, name="large", description="", actor=world.alan)
    made = create_version(model, actor=world.alan)
    example = [MIXED, MIXED]
    ModelVersion.objects.filter(pk=made.pk).update(parameters=MIXED, example=example)
    row = ModelVersion.objects.get(pk=made.pk)
    row.parameters, row.example = MIXED, example
    with record(world.alan) as log:
        log.add(VERSION_CREATED, row, data={"number": 1})
    assert '"n":"9876543210987654","of":[1e+22,"9007' in Event.objects.order_by("-index")[0].body
    assert wrong(made.pk) == []
    ModelVersion.objects.filter(pk=made.pk).update(parameters=READ_MIXED)
    assert len(wrong(made.pk)) == 1
    text = MIXED | {"of": ["1" + "0" * 22, *MIXED["of"][1:]]}
    ModelVersion.objects.filter(pk=made.pk).update(parameters=text, example=[MIXED, READ_MIXED])
    assert len(wrong(made.pk)) == 2
    ModelVersion.objects.filter(pk=made.pk).update(parameters=MIXED, example=None)
    assert len(wrong(made.pk)) == 1


@pytest.mark.parametrize(
    "number",
    [2**53 - 1, 2**53, -(2**53), 2**53 + 1, 9876543210987654, 9007199254740994, 10**16, 2**54],
)
def test_fsck_finds_whole_numbers_of_an_example_as_they_were_logged(
    world: World, number: int
) -> None:
    """The release before logged the digits of one from 2^53 on as text, of a float's too."""
    made = world.version(example=[{"age": number}])
    with record(world.alan) as log:
        log.add(VERSION_CREATED, made)
    assert wrong(made.pk) == []
    ModelVersion.objects.filter(pk=made.pk).update(example=[{"age": number + 4}])
    assert len(wrong(made.pk)) == 1


@pytest.mark.parametrize("digits", ["9007199254740993", "1" + "0" * 400])
def test_a_number_that_nobody_can_have_hashed_is_named_with_its_field_and_version(
    world: World, bento: Bento, digits: str
) -> None:
    live = world.request("staging", bento)
    with owning_tables(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE registry_evidence SET data = jsonb_set(data, '{loss}', %s::jsonb)"
            " WHERE kind = 'metrics'",
            [digits],
        )
    with pytest.raises(InvalidInput) as refused:
        world.request("development", bento)
    (fault,) = refused.value.errors
    row = Evidence.objects.get(kind="metrics")
    assert fault.pointer == "/version"
    assert f"{bento.version} has metrics evidence ({row.pk})" in fault.detail
    assert "/data/loss" in fault.detail and "report its metrics again" in fault.detail
    path = f"/releases/{live.pk}"
    assert api(world.people["Ada"]).get(path).status_code == 200, "what is there is still shown"
