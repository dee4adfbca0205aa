"""Bentos and runtimes that nothing needs are given up; what is live, held or asked for stays."""

import os
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.audit.models import Event
from apps.builds import actions
from apps.builds.actions import collect_bentos, collecting
from apps.builds.models import Bento, Runtime
from apps.governance.errors import NotBuilt
from apps.governance.models import Release
from apps.jobs.actions import enqueue
from apps.registry import hooks
from apps.registry.actions import place_hold
from apps.registry.store import Store
from apps.serving.actions import prefetch
from apps.serving.models import Prefetch
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.config import config
from tests.integration.builds.conftest import Yard
from tests.integration.builds.test_reports import built
from tests.support.world import World
from workers.builder.runtimes import RuntimeCache
from workers.builder.sandbox import Sandbox

pytestmark = pytest.mark.django_db


def grow_old() -> None:
    """Let all that was made have been made long ago."""
    before = now() - timedelta(days=15)
    for rows in (Bento.objects, Runtime.objects):
        rows.update(created_at=before)


def kept() -> set[str]:
    return set(Bento.objects.filter(collected_at=None).values_list("pk", flat=True))


def test_a_bento_that_cannot_be_given_up_stops_no_other_and_keeps_no_blob(
    world: World, run_jobs: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = sorted(world.bento(world.version(name)).pk for name in ("churn", "other"))
    Runtime.objects.create(digest="sha256:" + "a" * 64, python_version="3.13", lock="", wheels=[])
    grow_old()
    give_up = collecting._give_up_bento

    def failing(digest: str, *more: Any) -> bool:
        if digest == bad:
            raise RuntimeError("nobody thought of this")
        return give_up(digest, *more)

    monkeypatch.setattr(collecting, "_give_up_bento", failing)
    monkeypatch.setattr(Store, "listing", lambda _: looked.append("for blobs") or iter(()))
    looked: list[str] = []
    job = enqueue("builds.collect")
    run_jobs("control")
    job.refresh_from_db()
    assert (job.state, "nobody thought of this" in job.error) == ("failed", True)
    runtimes = Runtime.objects.filter(collected_at=None).count()
    assert (kept(), runtimes, looked) == ({bad}, 1, ["for blobs"])  # that of the Bento


@pytest.mark.parametrize("bad", ["a", "b"])
def test_a_runtime_that_cannot_be_given_up_stops_no_other(world: World, bad: str) -> None:
    for name in ("a", "b"):
        wheels = [{"name": "numpy"}] if name == bad else []  # of which nobody knows the size
        Runtime.objects.create(digest=name, python_version="3.13", lock="", wheels=wheels)
    grow_old()
    with pytest.raises(KeyError, match="size"):  # the job has failed, and people are told
        collect_bentos(actor=SYSTEM)
    assert [row.pk for row in Runtime.objects.filter(collected_at=None)] == [bad]


def test_a_bento_that_nobody_released_goes_with_its_runtime_and_its_papers_stay(
    world: World,
) -> None:
    bento = world.bento(world.version())
    assert collect_bentos(actor=SYSTEM).bentos == 0, "it is young"
    grow_old()
    made = collect_bentos(actor=SYSTEM)
    assert (made.bentos, made.runtimes) == (1, 1)
    bento.refresh_from_db()
    assert bento.collected_at is not None
    assert bento.provenance
    assert Event.objects.get(kind="bento.collected.v1").subject == bento.pk
    assert collect_bentos(actor=SYSTEM).bentos == 0, "once"
    with pytest.raises(NotBuilt):
        world.request("staging", bento)


@pytest.mark.parametrize("state", ["requested", "approved", "rolling_out", "live"])
def test_what_is_asked_for_or_live_stays(world: World, state: str) -> None:
    release = world.request("staging")
    Release.objects.filter(pk=release.pk).update(state=state)
    Prefetch.objects.all().delete()
    grow_old()
    assert collect_bentos(actor=SYSTEM).bentos == 0
    assert kept() == {release.bento_id}


def test_what_ended_lately_stays_and_goes_later(world: World) -> None:
    release = world.request("staging")
    row = Release.objects.filter(pk=release.pk)
    row.update(state="superseded", ended_at=now() - timedelta(days=13))
    Prefetch.objects.all().delete()
    grow_old()
    assert collect_bentos(actor=SYSTEM).bentos == 0
    row.update(ended_at=now() - timedelta(days=15))
    assert collect_bentos(actor=SYSTEM).bentos == 1


@pytest.mark.parametrize("reason", ["live", "rollback", "retention"])
def test_a_held_version_keeps_its_bentos(world: World, reason: str) -> None:
    version = world.version()
    world.bento(version)
    place_hold(version, reason=reason, holder="rev_1", actor=SYSTEM)
    grow_old()
    assert collect_bentos(actor=SYSTEM).bentos == 0


def test_what_lies_ready_on_a_target_stays(world: World) -> None:
    bento = world.bento(world.version())
    prefetch(world.target, bento=bento, holder="rel_1", actor=SYSTEM)
    grow_old()
    assert collect_bentos(actor=SYSTEM).bentos == 0


def test_a_runtime_stays_as_long_as_one_of_its_bentos(world: World) -> None:
    old, young = world.bento(world.version()), world.bento(world.version())
    grow_old()
    Bento.objects.filter(pk=young.pk).update(created_at=now())
    assert (made := collect_bentos(actor=SYSTEM)).bentos == 1
    assert made.runtimes == 0
    assert kept() == {young.pk}
    assert old.pk not in kept()


def test_a_build_brings_a_runtime_back_and_its_wheels_count_again(yard: Yard) -> None:
    build, job = yard.taken()
    actions.succeed(build, built(), job=job)
    grow_old()
    wheel = "d" * 64
    assert hooks.needed([wheel, "b" * 64, "e" * 64]) == {wheel, "b" * 64, "e" * 64}
    collect_bentos(actor=SYSTEM)
    assert hooks.needed([wheel, "b" * 64, "e" * 64]) == {"e" * 64}, "the SBOM is a paper"
    again, second = yard.taken()
    actions.succeed(again, built("f"), job=second)
    assert Runtime.objects.get().collected_at is None
    assert hooks.needed([wheel, "f" * 64]) == {wheel, "f" * 64}


def test_a_dry_run_names_what_would_go_and_changes_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "data_dir", tmp_path / "data")
    bento = world.bento(world.version())
    grow_old()
    said = StringIO()
    call_command("collect", "--dry-run", stdout=said)
    assert bento.pk in said.getvalue()
    assert "nothing was changed" in said.getvalue()
    assert kept() == {bento.pk}
    call_command("collect", stdout=said)
    assert "1 Bentos and 1 runtimes given up" in said.getvalue()


def test_a_runtime_that_no_build_used_for_long_leaves_the_workers_folder(tmp_path: Path) -> None:
    runtimes = RuntimeCache(tmp_path, Store(tmp_path / "store"), Sandbox("bwrap"))
    for name, days in (("a" * 64, 15), ("b" * 64, 13)):
        (tmp_path / name).mkdir()
        manifest = tmp_path / name / "placet-runtime.json"
        manifest.write_text("{}")
        stamp = (now() - timedelta(days=days)).timestamp()
        os.utime(manifest, (stamp, stamp))
    assert runtimes.collect(14 * 86_400) == 1
    assert not (tmp_path / ("a" * 64)).exists()
    assert (tmp_path / ("b" * 64)).exists()
    assert not list(tmp_path.glob(".making-*"))
