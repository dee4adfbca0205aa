"""What people do in an emergency: open a break-glass, confirm it, end it."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from apps.governance import actions as governing
from apps.governance.models import BreakGlass
from placet.kernel.actor import Actor
from placet_verify.signing.dsse import Envelope
from placet_verify.statements import BreakGlassStatement, parse
from tests.properties.moves.parts import PEOPLE, PLACES, SOME
from tests.properties.moves.releases import DECIDERS, Releases
from tests.support.break_glass import confirmed, opened


class Glasses(Releases):
    """See the module."""

    def glass(self, which: int) -> BreakGlass | None:
        """Return one of the break-glasses, the newest first."""
        rows = list(BreakGlass.objects.order_by("-opened_at", "pk"))
        return rows[which % len(rows)] if rows else None

    @precondition(lambda self: bool(self.oracle.asked))
    @rule(who=st.sampled_from(PEOPLE), which=SOME)
    def open_glass(self, who: str, which: int) -> None:
        """Somebody opens a break-glass for a release."""
        row, actor = self.release(which), self.actor(who)
        with self.move("open a break-glass"):
            assert row is not None
            self.witnessed(opened(self.world, row, actor), actor)

    @precondition(lambda self: bool(self.oracle.glasses))
    @rule(who=st.sampled_from(PEOPLE), which=SOME)
    def confirm_glass(self, who: str, which: int) -> None:
        """Somebody confirms a break-glass."""
        found, actor = self.glass(which), self.actor(who)
        with self.move("confirm a break-glass"):
            assert found is not None
            self.witnessed(confirmed(self.world, found, actor), actor)

    @precondition(lambda self: bool(self.oracle.glasses))
    @rule(who=st.sampled_from(("Rob", *DECIDERS, "Mallory")), which=SOME)
    def end_glass(self, who: str, which: int) -> None:
        """Somebody ends a break-glass."""
        found = self.glass(which)
        with self.move("end a break-glass"):
            assert found is not None
            ended = governing.end_break_glass(found, actor=self.actor(who))
            if not self.forged:  # else the row may name another one
                self.oracle.glasses[ended.opening_digest].over = True

    @rule(
        which=SOME,
        place=st.sampled_from(PLACES),
        confirmers=st.lists(st.sampled_from(DECIDERS), max_size=2),
        work=st.booleans(),
    )
    def go_the_short_way(self, which: int, place: str, confirmers: list[str], work: bool) -> None:
        """Ada asks, Rob opens a break-glass, some confirm it, and the workers do theirs."""
        self.ask("Ada", which, place)
        if not self.oracle.asked:
            return
        self.open_glass("Rob", 0)
        for name in confirmers if self.oracle.glasses else ():
            self.confirm_glass(name, 0)
        self.start("", 0)
        if work:
            self.work()

    def witnessed(self, row: BreakGlass, actor: Actor) -> None:
        """Show the bystander what was just signed."""
        signature = row.signatures.get(person=actor.id)
        said = parse(Envelope.from_json(signature.envelope).payload)
        assert isinstance(said, BreakGlassStatement)
        assert said.person == actor.id
        self.oracle.broke(said)
