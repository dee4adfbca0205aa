"""The form that asks for a release: targets, variables, and what is wrong beside its field."""

import re
from typing import Any

import pytest
from django.http import QueryDict

from apps.console.views.release_form import serving_of
from apps.governance.actions import update_environment
from apps.governance.models import Release
from apps.serving.models import TargetUse
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.factories import browser
from tests.support.world import World, listed

pytestmark = pytest.mark.django_db


def form(world: World, *declared: str) -> dict[str, Any]:
    """Return what the form sends of a new version."""
    bento = world.bento(world.version(variables=list(declared)))
    return {
        "version": bento.version.pk,
        "bento": bento.pk,
        "environment": "development",
        "endpoint": "churn",
    }


def shown(world: World, fields: dict[str, Any]) -> str:
    path = f"/releases/new/?version={fields['version']}"
    return tight(browser(world.people["Ada"]).get(path).content)


def asked(world: World, fields: dict[str, Any]) -> str:
    return tight(browser(world.people["Ada"]).post("/releases/request", fields).content)


def tight(page: bytes) -> str:
    """Return a page without the white space around its tags."""
    return re.sub(r"\s*([<>])\s*", r"\1", " ".join(page.decode().split()))


def beside(page: str, field: str) -> str:
    """Return what is said beside a field."""
    return page.split(f'id="{field}-fault"')[1].split("</div>")[0]


def test_with_several_targets_the_form_asks_on_which_one_a_new_endpoint_stands(
    world: World,
) -> None:
    fields = form(world)
    assert 'id="target"' not in shown(world, fields), "one target is not asked for"
    world.another_target("ward-2", "development")
    page = shown(world, fields)
    assert "Target (for a new endpoint)" in page
    assert '<option value="">Choose a target</option>' in page
    assert '<option value="ward-2">ward-2 (development)</option>' in page
    refused = asked(world, fields)
    assert "development has several targets: name the one" in beside(refused, "target")
    assert "Choose a target: development has several" in refused
    assert "cannot be created automatically" not in refused
    asked(world, fields | {"target": "ward-2"})
    assert Release.objects.get().endpoint.target.name == "ward-2"


def test_a_target_that_two_projects_use_is_offered_once_and_as_this_one_may_use_it(
    world: World,
) -> None:
    """The other one lists all of its environments there, this one development alone."""
    ward = world.another_target("ward-2", "development", "staging", "production")
    listed(ward, other := factories.project("secret"))
    for place in other.environments.all():
        update_environment(place, targets=[ward], actor=SYSTEM)
    TargetUse.objects.filter(target=ward, project=world.project).update(environment="development")
    page = shown(world, form(world))
    assert '<option value="ward-2">ward-2 (development)</option>' in page
    assert '<option value="local">local (development, staging, production)</option>' in page


def test_a_target_that_the_environment_does_not_run_on_is_refused_beside_its_field(
    world: World,
) -> None:
    world.another_target("ward-2", "staging")
    refused = asked(world, form(world) | {"target": "ward-2"})
    says = "development does not run on ward-2: choose one of its targets"
    assert says in beside(refused, "target")
    assert '<option value="ward-2" selected>' in refused
    assert not Release.objects.exists()


def test_each_variable_that_the_version_declares_has_a_field(world: World) -> None:
    fields = form(world, "THRESHOLD", "MODE")
    page = shown(world, fields)
    assert 'name="variable.THRESHOLD"' in page
    assert 'name="variable.MODE"' in page
    refused = asked(world, fields | {"variable.THRESHOLD": "\u200b", "variable.MODE": "<b>"})
    assert "THRESHOLD must be one line" in beside(refused, "variables")
    assert 'value="&lt;b&gt;"' in refused
    asked(world, fields | {"variable.THRESHOLD": "0.4", "variable.MODE": ""})
    assert Release.objects.get().serving["variables"] == {"THRESHOLD": "0.4"}
    assert "Environment variables the version reads" not in shown(world, form(world))


def test_the_variables_that_any_version_may_be_given_have_fields_too(world: World) -> None:
    fields = form(world, "MODE", "OMP_NUM_THREADS")
    page = shown(world, fields)
    assert '<details class="col-12">' in page
    declared, usual = page.split("Common environment variables")
    assert 'name="variable.OMP_NUM_THREADS"' in declared
    assert 'name="variable.OMP_NUM_THREADS"' not in usual
    assert 'name="variable.TOKENIZERS_PARALLELISM"' in usual
    fields |= {"variable.MKL_NUM_THREADS": "2"}
    assert '<details class="col-12" open>' in asked(world, fields | {"memory_mb": "9000"})
    asked(world, fields)
    assert Release.objects.get().serving["variables"] == {"MKL_NUM_THREADS": "2"}


def test_what_does_not_fit_stands_beside_its_field(world: World) -> None:
    fields = form(world) | {"replicas": "9", "max_replicas": "2", "memory_mb": "9000"}
    assert "must be a whole number from 9 to 64" in beside(asked(world, fields), "max_replicas")
    fields |= {"replicas": "1"}
    assert "9000 MB are asked for" in beside(asked(world, fields), "memory_mb")


def test_destinations_may_share_a_line() -> None:
    typed = QueryDict("egress=a:1,%20b:2%0d%0a%0d%0ac:3")
    assert serving_of(typed) == {"egress": ["a:1", "b:2", "c:3"]}


@pytest.mark.parametrize("digest", ["another version's", "sha256:" + "0" * 64, "x"])
def test_a_bento_that_is_none_of_the_version_is_refused_beside_its_field(
    world: World, digest: str
) -> None:
    """It was the newest that was asked for then, and nobody was told."""
    other = world.bento(world.version("other")).pk
    sent = other if digest == "another version's" else digest
    refused = asked(world, form(world) | {"bento": sent})
    assert not Release.objects.exists()
    assert f"{sent} is not a build of churn:1: choose one from the list" in beside(refused, "bento")


@pytest.mark.parametrize("name", ["replicas", "max_replicas", "memory_mb", "capture"])
@pytest.mark.parametrize("typed", ["two", "-1", "1e9", "\u00b2", "9" * 20])
def test_what_is_no_number_is_refused_beside_its_field(world: World, name: str, typed: str) -> None:
    """And is not taken for a field that was left open."""
    refused = asked(world, form(world) | {name: typed})
    assert not Release.objects.exists()
    assert "must be a" in beside(refused, name)
