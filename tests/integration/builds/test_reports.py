"""What a worker reports counts only while it holds the job."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from apps.audit.models import Event
from apps.builds import actions
from apps.builds.actions import reports
from apps.builds.actions.reports import STOPPED
from apps.builds.models import Bento, Build, BuildLine, Runtime
from apps.builds.rules import (
    CUT_OFF,
    MAX_LINES,
    AccelerationReport,
    Built,
    BuiltRuntime,
    LogLine,
    ScanReport,
    SmokeReport,
)
from apps.governance.actions.releases import pin_evidence
from apps.governance.queries.facts import evidence_fact
from apps.jobs.actions import enqueue
from apps.jobs.handlers import LeasedJob, LeaseLost
from apps.jobs.models import Job
from apps.registry.actions import add_evidence
from apps.registry.models import Evidence, ModelVersion
from apps.registry.store import store
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.integration.builds.conftest import Yard, take
from tests.support.factories import actor_of, api
from workers import build_job

RunJobs = Callable[..., int]

SCAN = ScanReport("code-carrying", [], {"name": "placet"}, 1)


def built(name: str = "b") -> Built:
    """Return the outcome of a build that never was."""
    return Built(
        bento_sha256=name * 64,
        bento_size=10,
        runtime=BuiltRuntime(
            "sha256:" + "c" * 64,
            "3.13",
            "a==1 \\\n",
            [{"name": "a-1-py3-none-any.whl", "sha256": "d" * 64, "size": 3}],
        ),
        scan=SCAN,
        smoke=SmokeReport("equal", 5, 5, "bwrap", 2.5, "All 5 rows are predicted as expected"),
        sbom_sha256="e" * 64,
        components=2,
        provenance='{"payload": ""}',
        model_signature="",
        isolation="bwrap",
        timings={"fetch": 0.1, "build": 1.2},
    )


def test_a_build_measures_a_model_signature_anew_where_it_is_worth_another_thing(
    yard: Yard,
) -> None:
    unknown = {"result": "unknown", "key": "sha256:" + "1" * 64, "files": 2}
    for number, found in enumerate((unknown, unknown, unknown | {"result": "trusted"})):
        build, job = yard.taken()
        made = replace(built("abc"[number]), signed=found)
        actions.succeed(build, made, job=job)
    facts = Evidence.objects.filter(kind="model_signature").order_by("created_at", "pk")
    assert [f.data["result"] for f in facts] == ["unknown", "trusted"]
    assert {(f.source, f.bento_digest) for f in facts} == {("measured", "")}


def test_the_comparison_of_an_accelerated_build_is_evidence_on_its_bento(yard: Yard) -> None:
    build, job = yard.taken()
    report = AccelerationReport(
        verdict="accelerated",
        rows=5,
        equal=5,
        max_absolute=1e-7,
        max_relative=1e-6,
        absolute=1e-5,
        relative=1e-5,
        converters={"skl2onnx": "1.20.0"},
        detail="All agree",
    )
    bento = actions.succeed(build, replace(built(), acceleration=report), job=job)
    assert bento.accelerated
    fact = Evidence.objects.get(kind="acceleration")
    assert (fact.source, fact.bento_digest) == ("measured", bento.digest)
    assert fact.data["tolerance"] == {"absolute": 1e-5, "relative": 1e-5}
    assert api(yard.ada).get(f"/bentos/{bento.digest}").json()["accelerated"] is True


def overtaken(job: LeasedJob) -> LeasedJob:
    """Let the lease run out and have another worker claim the job."""
    Job.objects.filter(pk=job.id).update(lease_until=now().replace(year=2020))
    return take(Build.objects.get(job=job.id))


def test_a_success_is_written_whole(yard: Yard) -> None:
    build, job = yard.taken()
    actions.record_scan(build, SCAN, job=job)
    bento = actions.succeed(build, built(), job=job)
    build.refresh_from_db()
    assert (build.state, build.bento_digest) == ("succeeded", bento.digest)
    assert {e.kind: (e.source, e.bento_digest) for e in Evidence.objects.all()} == {
        "scan": ("measured", ""),  # said once: it is the same with what loads the files
        "smoke_test": ("measured", bento.digest),
        "sbom": ("measured", bento.digest),
    }
    written = list(Event.objects.order_by("index").values_list("kind", flat=True))
    assert written[-5:] == [
        "runtime.added.v1",
        "bento.added.v1",
        "evidence.added.v1",
        "evidence.added.v1",
        "build.succeeded.v1",
    ]
    shown = api(yard.victor).get(f"/bentos/{bento.digest}").json()
    assert (shown["name"], shown["isolation"]) == ("churn:1", "bwrap")
    assert api(yard.victor).get(f"/runtimes/{bento.runtime_id}").json()["python_version"] == "3.13"
    assert api(yard.sam).get(f"/bentos/{bento.digest}").status_code == 404
    assert api(yard.sam).get(f"/runtimes/{bento.runtime_id}").status_code == 404


SAFE = ScanReport("safe", [], {"name": "placet"}, 1)


def test_files_are_safe_with_what_loads_them_in_the_bento_alone(yard: Yard) -> None:
    """A later build, begun or ended, says nothing of what loads an earlier Bento."""
    build, job = yard.taken()
    actions.record_scan(build, SAFE, job=job)
    assert not Evidence.objects.exists()
    older = actions.succeed(build, built(), job=job)
    build, job = yard.taken()
    actions.record_scan(build, SAFE, job=job)
    newer = actions.succeed(build, replace(built("f"), scan=SAFE), job=job)
    build, job = yard.taken()
    actions.record_scan(build, SAFE, job=job)
    actions.fail(build.pk, "broken", job=job)
    for bento, verdict in ((older, "code-carrying"), (newer, "safe")):
        (pin,) = [one for one in pin_evidence(bento) if one["kind"] == "scan"]
        assert Evidence.objects.get(pk=pin["id"]).data["verdict"] == verdict


def test_what_was_called_safe_before_counts_as_code_until_it_is_built_anew(yard: Yard) -> None:
    """Releases before 0.2 said it without a look at what loads the files."""
    old = {"verdict": "safe", "findings": [], "scanner": {"name": "placet"}, "files": 1}
    row = add_evidence(
        yard.version, kind="scan", data=old, source="measured", bento_digest="", actor=SYSTEM
    )
    assert evidence_fact(row).data["verdict"] == "code-carrying"
    build, job = yard.taken()
    bento = actions.succeed(build, replace(built(), scan=SAFE), job=job)
    (pin,) = [one for one in pin_evidence(bento) if one["kind"] == "scan"]
    assert evidence_fact(Evidence.objects.get(pk=pin["id"])).data["verdict"] == "safe"


def test_what_a_later_scan_finds_in_the_files_counts_for_every_bento_of_them(yard: Yard) -> None:
    build, job = yard.taken()
    bento = actions.succeed(build, replace(built(), scan=SAFE), job=job)
    build, job = yard.taken()
    actions.record_scan(build, ScanReport("unknown", [], {"name": "placet"}, 1), job=job)
    (pin,) = [one for one in pin_evidence(bento) if one["kind"] == "scan"]
    assert Evidence.objects.get(pk=pin["id"]).data["verdict"] == "unknown"


def test_a_second_build_shares_the_runtime(yard: Yard) -> None:
    for name in ("b", "f"):
        build, job = yard.taken()
        actions.succeed(build, built(name), job=job)
    assert (Runtime.objects.count(), Bento.objects.count()) == (1, 2)


def test_a_worker_that_was_overtaken_writes_nothing(yard: Yard) -> None:
    build, job = yard.taken()
    overtaken(job)
    events = Event.objects.count()
    for attempt in (
        lambda: actions.append_lines(build, [LogLine(now(), "scan", "late")], job=job),
        lambda: actions.record_scan(build, SCAN, job=job),
        lambda: actions.succeed(build, built(), job=job),
        lambda: actions.fail(build.pk, "late", job=job),
        lambda: actions.end_cancelled(build.pk, job=job),
    ):
        with pytest.raises(LeaseLost):
            attempt()
    build.refresh_from_db()
    assert (build.state, Event.objects.count()) == ("running", events)
    assert not (BuildLine.objects.exists() or Evidence.objects.exists() or Bento.objects.exists())


def test_the_next_worker_starts_the_build_again(yard: Yard) -> None:
    build, job = yard.taken()
    second = overtaken(job)
    again = actions.start(build.pk, job=second, isolation="bwrap")
    assert again is not None
    assert again.generation == build.generation + 1
    actions.succeed(again, built(), job=second)
    assert Build.objects.get().state == "succeeded"


def test_a_build_that_ended_is_not_started(yard: Yard) -> None:
    build, job = yard.taken()
    actions.fail(build.pk, "no", job=job)
    assert actions.start(build.pk, job=job, isolation="bwrap") is None
    assert actions.fail(build.pk, "again", job=job) is None
    assert Build.objects.get().error == "no"


def test_a_failure_is_told_in_words_and_the_log_holds_no_text_of_it(yard: Yard) -> None:
    build, job = yard.taken()
    actions.fail(build.pk, "The requirements cannot be resolved: nope", job=job)
    shown = api(yard.ada).get(f"/builds/{build.pk}").json()
    assert (shown["state"], shown["error"]) == (
        "failed",
        "The requirements cannot be resolved: nope",
    )
    event = Event.objects.get(kind="build.failed.v1")
    assert "nope" not in event.body


def test_an_endless_log_is_cut_off_with_a_note(yard: Yard) -> None:
    build, job = yard.taken()
    lines = [LogLine(now(), "build", f"line {n}") for n in range(MAX_LINES - 10)]
    actions.append_lines(build, lines, job=job)
    actions.append_lines(build, lines[:100], job=job)
    actions.append_lines(build, lines[:100], job=job)
    assert build.lines.count() == MAX_LINES + 1
    assert build.lines.order_by("-number").first().text == CUT_OFF  # type: ignore[union-attr]


def test_a_build_whose_job_is_gone_is_ended(yard: Yard) -> None:
    build = yard.requested()
    Job.objects.filter(pk=build.job).update(state="failed")
    assert actions.settle_lost() == 1
    build.refresh_from_db()
    assert (build.state, build.error) == ("failed", STOPPED)
    second = yard.requested()
    Job.objects.filter(pk=second.job).update(state="cancelled")
    assert actions.settle_lost() == 1
    second.refresh_from_db()
    assert second.state == "cancelled"
    waiting = yard.requested()
    assert actions.settle_lost() == 0
    assert Build.objects.get(pk=waiting.pk).state == "queued"


@pytest.mark.parametrize("stuck", [0, 1])
def test_a_build_that_cannot_be_ended_stops_no_other_and_keeps_no_folder(
    yard: Yard, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch, stuck: int
) -> None:
    other = ModelVersion.objects.create(
        model=yard.version.model,
        project=yard.project,
        number=2,
        state="finalised",
        author="per_1",
        created_by="per_1",
        format="sklearn",
        artifact_digest="sha256:" + "b" * 64,
    )
    builds = [yard.requested(), actions.request_build(other, actor=actor_of(yard.ada))]
    Job.objects.filter(pk__in=[build.job for build in builds]).update(state="failed")
    move = reports.move

    def failing(row: Any, **to: Any) -> bool:
        if row.pk == builds[stuck].pk:
            raise RuntimeError("nobody thought of this")
        return move(row, **to)

    monkeypatch.setattr(reports, "move", failing)
    left = build_job.workplaces() / "bld_0-1"
    left.mkdir(parents=True)
    job = enqueue("builds.sweep", queue="build")
    run_jobs("build")
    job.refresh_from_db()
    assert (job.state, "nobody thought of this" in job.error) == ("failed", True)
    states = [Build.objects.get(pk=build.pk).state for build in builds]
    assert (states[stuck], states[1 - stuck]) == ("queued", "failed")
    assert not left.exists()


def test_papers_whose_bytes_are_gone_are_not_found(yard: Yard) -> None:
    build, job = yard.taken()
    bento = actions.succeed(build, built(), job=job)
    client = api(yard.ada)
    assert not store().exists(bento.sbom)
    assert client.get(f"/bentos/{bento.digest}/sbom").json()["code"] == "document_missing"
    assert client.get(f"/bentos/{bento.digest}/model-signature").status_code == 404
    provenance = client.get(f"/bentos/{bento.digest}/provenance")
    assert provenance.json() == {"payload": ""}
    assert provenance.headers["Content-Type"] == "application/vnd.dsse+json"
