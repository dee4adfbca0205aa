"""What the target does: follow, fail, be slow and silent, lie; what it measures; and the clock."""

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from apps.monitoring.actions import ingest
from apps.monitoring.models import MetricWindow
from apps.rollouts.models import Rollout
from apps.serving.drivers.base import StateGeneration
from apps.serving.models import Revision
from placet.kernel.clock import now, rfc3339
from tests.properties.machine.parts import Parts

GOOD = ("good", "good twice", "few", "bad", "bad stable", "long")
USELESS: dict[str, dict[str, Any]] = {
    "gap": {"error": "lost lines"},
    "no number": {"seconds": math.nan},
    "endless": {"seconds": math.inf},
    "no length": {"seconds": 0.0},
    "negative": {"status_5xx": -1},
    "more answers than requests": {"status_2xx": 1_000_000},
}


class Surroundings(Parts):
    """See the module."""

    @rule()
    def follow(self) -> None:
        """The target does as told."""
        self.driver.follow()

    @rule(down=st.booleans(), alive=st.booleans())
    def break_the_connection(self, down: bool, alive: bool) -> None:
        """Commands are refused for a while, or the target is silent."""
        self.driver.down, self.driver.alive = down, alive

    @rule(
        phase=st.sampled_from(["", "starting", "ready", "failed", "refused", "drained"]),
        newest=st.booleans(),
    )
    def be_stubborn(self, phase: str, newest: bool) -> None:
        """The newest revision, or a warm one, stays in one phase, whatever it is told: slow,
        broken or lying."""
        rows = Revision.objects.order_by("-number")
        one = (rows if newest else rows.filter(state="warm")).first()
        if one is not None:
            self.driver.stubborn = {one.pk: phase} if phase else {}

    @rule()
    def run_other_bytes(self) -> None:
        """The target runs something else under the newest revision's name."""
        newest = Revision.objects.order_by("-number").first()
        if newest is not None:
            self.driver.other_bytes ^= {newest.pk}

    @rule(load=st.sampled_from([1, 3, 6, 20]))
    def have_load(self, load: int) -> None:
        """More or fewer requests come to what is live."""
        self.driver.load = load

    @rule(room=st.sampled_from([1, 2, 64]))
    def have_room(self, room: int) -> None:
        """No more replicas of what goes out find memory, or all do."""
        self.driver.room = room

    @rule(weight=st.sampled_from([0, 1, 500, 10_000]))
    def tell_another_weight(self, weight: int) -> None:
        """The target says that it has seen the last wish, and gives weights that nobody set."""
        self.driver.applied = StateGeneration(1, self.driver.number)
        for pk, row in self.driver.running.items():
            self.driver.running[pk] = replace(row, weight=weight)

    @rule(seconds=st.sampled_from([20, 130, 700, 4_000, 200_000, -30, -900]))
    def time_passes(self, seconds: int) -> None:
        """Deadlines come, or the clock is set back."""
        self.let_pass(seconds)

    @rule(what=st.sampled_from([*GOOD, *USELESS]))
    def measure(self, what: str) -> None:
        """The target counts many requests, or a few, or something that is no count."""
        for rollout in Rollout.objects.filter(state="analysing").select_related("to_revision"):
            share = rollout.to_revision.weight
            every = 1 if what == "few" else 10
            new, old = rollout.to_revision_id, rollout.from_revision_id
            worse = {"bad": new, "bad stable": old}.get(what)
            for revision, count in ((new, share * every), (old, (10_000 - share) * every)):
                assert revision is not None
                window = good_window(revision, count, count // 5 if revision == worse else 0)
                if what == "long":  # it ends in the future, and covers what comes after it
                    window["seconds"] = 3600.0
                changes = USELESS.get(what, {}) if revision == new else {}
                self.report(window | changes, count=0 if changes else count)
                if what == "good twice":
                    self.report(window, count=count)

    @rule(hours=st.sampled_from([-1, 1]), own=st.booleans())
    def measure_at_another_time(self, hours: int, own: bool) -> None:
        """A window comes an hour late or early, or is that of a revision that nobody knows."""
        for rollout in Rollout.objects.filter(state="analysing"):
            window = good_window(rollout.to_revision_id if own else "rev_none", 1_000, 0)
            at = {"started_at": rfc3339(now() + timedelta(hours=hours))}
            self.report(window | at, count=1_000)

    def report(self, window: dict[str, Any], *, count: int) -> None:
        """Have the node report ``window``; ``count`` is what it may count for, 0 for useless."""
        ingest(self.node.pk, [window])
        rows = MetricWindow.objects.filter(revision=window["revision"]).order_by("-pk")
        stored = rows.exclude(pk__in=[*self.counted, *self.useless]).first()
        if stored is not None and count:
            self.counted[stored.pk] = count
        elif stored is not None:
            self.useless.add(stored.pk)


def good_window(revision: str, count: int, errors: int) -> dict[str, Any]:
    """Return a window of this moment, as a node reports it."""
    return {
        "revision": revision,
        "started_at": rfc3339(now()),
        "seconds": 0.001,
        "status_2xx": count - errors,
        "status_4xx": 0,
        "status_5xx": errors,
        "latency": {"100": count, "inf": 0},
    }
