"""What people do: release, steer, go back, retry, operate. Each click may be late or come twice."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from apps.governance.models import Release
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.rollouts.rules import OPEN_STATES
from apps.serving.actions import restart_endpoint, start_endpoint, stop_endpoint
from apps.serving.models import Endpoint
from tests.properties.machine.parts import PLANS, Parts
from tests.support.scaled import ASKED

UNDER_WAY = ("approved", "rolling_out")


class People(Parts):
    """See the module."""

    @precondition(lambda self: Release.objects.filter(state__in=UNDER_WAY).count() < 3)
    @rule(
        keep_warm=st.sampled_from([0, 86_400]),
        how=st.sampled_from(PLANS),
        busy=st.sampled_from(["wait", "supersede"]),
        serving=st.sampled_from([{}, ASKED]),
    )
    def release(
        self, keep_warm: int, how: dict[str, Any], busy: str, serving: dict[str, Any]
    ) -> None:
        """Somebody releases one more version, while another goes out or not."""
        plan = how | {"keep_warm_seconds": keep_warm, "when_busy": busy}
        with self.process():
            self.world.request("development", plan=plan, serving=serving)

    @rule(verb=st.sampled_from(["pause", "resume", "skip", "promote"]), stale=st.booleans())
    def control(self, verb: str, stale: bool) -> None:
        """An operator holds a rollout, goes on, skips or promotes; clicks come twice or late."""
        for rollout in Rollout.objects.filter(state__in=OPEN_STATES):
            shown = {} if verb == "pause" else {"step": rollout.step - stale}
            step = rollout.step
            for _ in range(2):
                with self.process():
                    getattr(actions, verb)(rollout, reason="x", actor=self.world.otto, **shown)
            rollout.refresh_from_db()
            if verb in ("resume", "skip"):
                assert rollout.step <= step + (not stale), "a second click went a step further"

    @rule()
    def retry(self) -> None:
        """An operator tries again what failed last."""
        for rollout in Rollout.objects.filter(state__in=("failed", "aborted")).order_by("-pk")[:1]:
            with self.process():
                actions.retry(rollout, reason="x", actor=self.world.otto)

    @rule()
    def roll_back(self) -> None:
        """An operator goes back."""
        for endpoint in Endpoint.objects.all():
            with self.process():
                actions.rollback(endpoint, reason="worse", actor=self.world.otto)

    @precondition(lambda self: Rollout.objects.filter(state__in=OPEN_STATES).exists())
    @rule()
    def abort(self) -> None:
        """An operator aborts."""
        for rollout in Rollout.objects.filter(state__in=OPEN_STATES):
            with self.process():
                actions.abort(rollout, reason="worse", actor=self.world.otto)

    @rule(verb=st.sampled_from([stop_endpoint, start_endpoint, restart_endpoint]))
    def operate(self, verb: Any) -> None:
        """An operator does something else meanwhile."""
        for endpoint in Endpoint.objects.all():
            with self.process():
                verb(endpoint, actor=self.world.otto)
