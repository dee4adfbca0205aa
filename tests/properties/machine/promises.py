"""What must hold after every step, whoever did what."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from django.db.models import Q
from hypothesis.stateful import invariant

from apps.audit.models import Event
from apps.governance.models import Release
from apps.governance.plan import Analysis, Pause, SetWeight, Step
from apps.rollouts.events import entered
from apps.rollouts.models import Drill, Rollout
from apps.rollouts.rules import OPEN_STATES, TRANSITIONS
from apps.rollouts.states import PAUSED_AT
from apps.rollouts.steps import last_weight, state_of
from apps.serving.models import Endpoint, Revision
from placet_verify.log.merkle import leaf_hash
from placet_verify.permit.scaling import scaling_of
from placet_verify.units import WHOLE
from tests.properties.machine.parts import Parts

# events of people, and what an analysis said: they come before the state that follows from them
ASKED = {
    "paused",
    "resumed",
    "promoted",
    "step_skipped",
    "retried",
    "analysed",
    "rollback_started",
}
STATE_OF = {
    "weight_set": "shifting",
    "scaling_up": "shifting",
    "copies_set": "shifting",
    "testers_led": "shifting",
    "waiting_for_person": "waiting",
}
BACK = ("aborting", "aborted", "failed")
# What gives a step its weight, once there are replicas enough for it.
SENT: dict[str, Callable[[Step], bool]] = {
    "weight_set": lambda step: isinstance(step, SetWeight) and step.weight < WHOLE,
    "shifting": lambda step: isinstance(step, SetWeight) and step.weight == WHOLE,
}


def data_of(event: Event) -> Mapping[str, Any]:
    """Return what an event says beside the state of its rows."""
    data: Mapping[str, Any] = json.loads(event.body)["data"]
    return data


def phase_of(event: Event) -> str:
    """Return what happened to a rollout, in a word."""
    return str(event.kind).removesuffix(".v1").partition(".")[2]


def events_of(rollout: Rollout) -> list[Event]:
    """Return what the log says of ``rollout``, in order. That of a drill began with the drill."""
    begun = Q(
        kind="drill.started.v1", subject__in=Drill.objects.filter(rollout=rollout).values("pk")
    )
    return list(Event.objects.filter(begun | Q(subject=rollout.pk)).order_by("index"))


def place_by_log(steps: Sequence[Step], events: Sequence[Event]) -> int:
    """Return which step the log says that a rollout is at, having held it against the plan."""
    place, sent_on, growing = -1, False, False
    for before, event in pairwise(events):
        phase = phase_of(event)
        if phase in ASKED:
            sent_on = sent_on or phase == "promoted"
            continue
        if phase in BACK or phase == "done":
            continue
        grows = phase == "scaling_up"
        if growing and (not grows or data_of(event)["step"] == place + 1):
            growing = grows  # its step has begun: it is told of more replicas, or gets its weight
            assert grows or SENT[phase](steps[place]), (phase, steps[place])
            continue
        assert place < 0 or passed(steps[place], before), (phase_of(before), steps[place])
        if phase in ("draining", "returning"):
            assert place >= last_weight(steps), "live, or back, before its last step"
            continue
        jumps = sent_on and place < last_weight(steps)
        place = last_weight(steps) if jumps else place + 1
        step, growing = steps[place], grows
        if grows:
            assert data_of(event)["step"] == place + 1, (place, data_of(event))
            continue
        weight = step.weight if isinstance(step, SetWeight) else 0
        kind, _ = entered(state_of(step), step, weight)
        assert event.kind == kind.name, (event.kind, step)
    return place


def passed(gate: Step, before: Event) -> bool:
    """Tell whether what happened just before allows to leave ``gate``."""
    phase = phase_of(before)
    if phase in ("step_skipped", "promoted"):
        return True
    if isinstance(gate, Analysis):
        good = {"successful", "inconclusive"} if gate.on_inconclusive == "pass" else {"successful"}
        return phase == "analysed" and data_of(before)["outcome"] in good
    return gate != Pause() or phase == "resumed"


class Promises(Parts):
    """See the module."""

    @invariant()
    def weights_never_exceed_the_whole(self) -> None:
        for endpoint in Endpoint.objects.all():
            weights = dict(endpoint.revisions.values_list("state", "weight"))
            assert sum(endpoint.revisions.values_list("weight", flat=True)) <= WHOLE, weights

    @invariant()
    def what_was_live_never_loses_its_requests(self) -> None:
        for endpoint in Endpoint.objects.all():
            live = endpoint.revisions.filter(state="live").count()
            assert live <= 1
            if live:
                assert sum(endpoint.revisions.values_list("weight", flat=True)) == WHOLE

    @invariant()
    def the_old_revision_keeps_its_weight_until_the_new_one_is_ready(self) -> None:
        for rollout in Rollout.objects.filter(state="starting").select_related("to_revision"):
            assert rollout.to_revision.weight == 0
            if rollout.from_revision is not None:
                assert rollout.from_revision.weight == WHOLE
                assert rollout.from_revision.state == "live"

    @invariant()
    def what_goes_back_leaves_all_requests_with_the_old_revision(self) -> None:
        for endpoint in Endpoint.objects.all():
            last = endpoint.rollouts.order_by("-pk").first()
            if last is None or last.state not in BACK:
                continue
            assert last.to_revision.weight == 0
            if last.from_revision is not None:
                assert (last.from_revision.state, last.from_revision.weight) == ("live", WHOLE)

    @invariant()
    def every_phase_change_is_allowed_and_logged_once(self) -> None:
        for rollout in Rollout.objects.all():
            phases = [phase_of(event) for event in events_of(rollout)]
            assert phases[0] in ("started", "rollback_started")
            told = [p for p in phases[1:] if p not in ASKED]
            path = ["starting", *(STATE_OF.get(p, p) for p in told)]
            assert path[-1] == rollout.state
            assert set(rollout.phase_times) - {PAUSED_AT} == set(path)
            assert len(path) - told.count("scaling_up") <= len(rollout.steps) + 3, path
            for before, after in pairwise(path):
                assert after in TRANSITIONS[before], path

    @invariant()
    def no_gate_is_left_that_was_not_passed(self) -> None:
        for rollout in Rollout.objects.all():
            assert rollout.step == place_by_log(rollout.steps, events_of(rollout))

    @invariant()
    def nothing_gets_more_than_the_steps_that_were_entered_allow(self) -> None:
        for rollout in Rollout.objects.filter(state__in=OPEN_STATES):
            entered_ones = rollout.steps[: rollout.step + 1]
            allowed = max((s.weight for s in entered_ones if isinstance(s, SetWeight)), default=0)
            assert rollout.to_revision.weight <= allowed, (rollout.step, rollout.steps)

    @invariant()
    def what_pauses_by_itself_waits_for_replicas(self) -> None:
        for rollout in Rollout.objects.filter(paused_by="system").select_related("to_revision"):
            step = rollout.steps[rollout.step]
            assert rollout.state == "shifting"
            assert isinstance(step, SetWeight)
            assert rollout.to_revision.weight < step.weight

    @invariant()
    def what_is_scaled_is_told_no_more_and_no_fewer_than_was_approved(self) -> None:
        for revision in Revision.objects.all():
            scaling = scaling_of(revision.serving)
            if scaling is None:
                assert revision.replicas == 1
            else:
                assert scaling.least <= revision.replicas <= scaling.most

    @invariant()
    def a_drill_changes_nothing_for_good(self) -> None:
        for drill in Drill.objects.exclude(rollout=None).select_related("rollout__from_revision"):
            rollout = drill.rollout
            assert rollout is not None
            assert rollout.from_revision is not None
            if rollout.kind != "drill":  # it became a rollback
                assert (rollout.kind, drill.state) == ("rollback", "skipped")
                continue
            assert "draining" not in rollout.phase_times
            if rollout.state in OPEN_STATES:
                assert rollout.from_revision.state == "live"
            if rollout.state == "done":
                assert "returning" in rollout.phase_times

    @invariant()
    def what_came_of_a_drill_is_written_once(self) -> None:
        for drill in Drill.objects.select_related("rollout"):
            ends = [phase_of(e) for e in Event.objects.filter(subject=drill.pk).order_by("index")]
            assert ends.count("finished") == (drill.state in ("passed", "failed")), ends
            assert ends.count("skipped") == (drill.state == "skipped"), ends
            if drill.state == "passed":
                assert drill.rollout is not None
                assert drill.rollout.state == "done"
                assert {"shifting", "returning"} <= set(drill.rollout.phase_times)

    @invariant()
    def no_release_goes_out_twice(self) -> None:
        begun = Counter(Rollout.objects.filter(kind="release").values_list("release", flat=True))
        again = Counter[str]()
        for event in Event.objects.filter(kind="rollout.retried.v1"):
            again[Rollout.objects.get(pk=event.subject).release_id] += 1
        for release, count in begun.items():
            assert count == 1 + again[release], release

    @invariant()
    def no_generation_is_told_twice_by_the_living(self) -> None:
        twice = sum(count - 1 for count in self.told.values())
        assert twice <= self.deaths, self.told

    @invariant()
    def releases_agree_with_what_serves(self) -> None:
        live = set(Revision.objects.filter(state="live").values_list("release", flat=True))
        assert live == set(Release.objects.filter(state="live").values_list("pk", flat=True))

    @invariant()
    def the_log_verifies(self) -> None:
        rows = list(Event.objects.order_by("index"))
        assert [row.index for row in rows] == list(range(len(rows)))
        newest = rows[-20:]
        assert all(bytes(row.leaf_hash) == leaf_hash(row.body.encode()) for row in newest)
