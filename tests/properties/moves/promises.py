"""What must hold after every move."""

from hypothesis.stateful import invariant

from apps.governance.models import Release
from apps.serving.models import DesiredState
from placet_agent.state.trust import StateRefused
from tests.properties.moves.parts import Parts
from tests.support.forgeries import signed_now

BEFORE = ("requested", "approved", "rejected", "withdrawn", "expired", "revoked")


class Promises(Parts):
    """See the module."""

    @invariant()
    def a_rollout_starts_with_a_quorum(self) -> None:
        """Where nobody writes tables, a release goes out only if the people are there now."""
        if not hasattr(self, "oracle"):
            return
        begun = Release.objects.exclude(state__in=BEFORE).values_list("pk", flat=True)
        for pk in set(begun) - self.started:
            assert self.forged or self.oracle.good_now(pk), f"{pk} started without a quorum"
            self.started.add(pk)

    @invariant()
    def the_node_runs_what_people_approved(self) -> None:
        """Whatever was written: what the node lets in, a quorum approved, byte for byte."""
        if not hasattr(self, "oracle"):
            return
        with self.may_fail():
            signed_now(self.world)
        envelope = DesiredState.objects.get(target=self.world.target).envelope
        if envelope == self.judged:
            return
        self.judged = envelope
        try:
            state = self.trust.open_state(envelope)
        except StateRefused:
            assert self.forged
            return
        verdicts = self.trust.judge(state)
        for revision in (one for endpoint in state.endpoints for one in endpoint.revisions):
            recalled = revision.bento_digest in self.oracle.recalled
            assert not (recalled and verdicts[revision.id].allowed), "it runs, and was recalled"
        self.trust.keep(state, envelope)
        for pk, bento in self.trust.home.remembered().admitted.items():
            if (pk, bento) not in self.admitted:
                self.admit(pk, bento)

    def admit(self, release: str, bento: str) -> None:
        """The node lets in what it did not know: who approved it?"""
        self.admitted.add((release, bento))
        place = self.oracle.asked[release].environment
        policy = self.oracle.good_once(release, bento, self.floors[place])
        assert policy is not None, f"{bento} of {release} runs, and nobody approved it"
        self.floors[place] = policy
        self.made["admitted, tables forged" if self.forged else "admitted"] += 1
