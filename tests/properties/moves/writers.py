"""What somebody does who can write the tables, as the application's database role."""

from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from placet.kernel.ids import new_id
from tests.properties.moves.break_glass import Glasses
from tests.properties.moves.forgeries import FORGERIES
from tests.properties.moves.parts import PEOPLE, SOME


class Writers(Glasses):
    """See the module."""

    @precondition(lambda self: self.by_hand)
    @rule(
        statements=st.lists(st.integers(0, len(FORGERIES) - 1), min_size=1, max_size=4),
        person=st.sampled_from(PEOPLE),
        other=st.sampled_from(PEOPLE),
    )
    def forge(self, statements: list[int], person: str, other: str) -> None:
        """Somebody writes rows by hand: what a single one gives away, a few may hide."""
        self.forged = True
        people = {"person": self.world.people[person].pk, "other": self.world.people[other].pk}
        for statement in statements:
            with self.move(f"forge {statement}"), connection.cursor() as cursor:
                cursor.execute(FORGERIES[statement], people | {"id": new_id("rol")})

    @precondition(lambda self: self.by_hand and bool(self.oracle.asked))
    @rule(which=SOME)
    def superuser(self, which: int) -> None:
        """Mallory becomes a superuser by hand, decides and starts."""
        self.forged = True
        mallory = self.world.people["Mallory"].pk
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE identity_user SET is_superuser = true, is_staff = true WHERE id = %s",
                [mallory],
            )
        self.decides(self.actor("Mallory"), which, "approve")
        self.start("Mallory", which)
