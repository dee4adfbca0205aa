"""``audit fsck`` sees that a value became another of the same look: 1 is no true, {} no text."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from apps.audit.actions import write_checkpoint
from apps.audit.queries.fsck import fsck
from apps.registry.actions import add_evidence, create_model, create_version
from apps.registry.models import ModelVersion
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(world: World, own_checkpoints: Callable[[], Path]) -> ModelVersion:
    """One with parameters, evidence, and neither example nor expected outputs."""
    own_checkpoints()
    model = create_model(world.project, name="churn", description="", actor=world.alan)
    parameters = {"depth": 1, "drop": 0, "flag": True, "rate": 1.0, "none": None, "of": [1, {}]}
    version = create_version(model, parameters=parameters, actor=world.alan)
    add_evidence(version, kind="metrics", data={"auc": 0.5, "n": 1}, actor=world.alan)
    return version


def said() -> list[str]:
    """Return what is found but for the target, which the log of a world does not have."""
    write_checkpoint()
    return [f.sentence for f in fsck().faults if not f.place.startswith("row serving.target:")]


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        (
            "registry_modelversion SET parameters = jsonb_set(parameters, '{depth}', 'true')",
            ["parameters"],
        ),
        (
            "registry_modelversion SET parameters = jsonb_set(parameters, '{flag}', '1')",
            ["parameters"],
        ),
        (
            "registry_modelversion SET parameters = jsonb_set(parameters, '{of,0}', 'true')",
            ["parameters"],
        ),
        (
            "registry_modelversion SET parameters = to_jsonb(parameters::text)",
            ["parameters"],
        ),
        ("registry_modelversion SET tags = to_jsonb('{}'::text)", ["tags"]),
        ("registry_modelversion SET tags = '[]'", ["tags"]),
        ("registry_modelversion SET example = '[]', expected = 'false'", ["example", "expected"]),
        ("registry_modelversion SET example = '0'", ["example"]),
        ('registry_evidence SET data = to_jsonb(\'{"auc":0.5,"n":1}\'::text)', ["data"]),
        ("registry_evidence SET data = jsonb_set(data, '{n}', 'true')", ["data"]),
        (
            "governance_policyrevision SET document = jsonb_set(document, '{version}', 'true')"
            " WHERE id = (SELECT min(id) FROM governance_policyrevision)",
            ["document"],
        ),
    ],
)
@pytest.mark.usefixtures("version")
def test_a_value_that_became_another_type_is_named(statement: str, names: list[str]) -> None:
    assert said() == []
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {statement}")
        assert cursor.rowcount == 1
    found = said()
    assert len(found) == len(names)
    for sentence, name in zip(found, names, strict=True):
        assert f": {name} is " in sentence


@pytest.mark.usefixtures("version")
def test_a_number_that_is_written_in_another_way_is_the_same() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE registry_modelversion SET parameters = jsonb_set(parameters, '{depth}', '1.00')"
        )
    assert said() == []
