"""What becomes of releases: asked for, decided, withdrawn, rolled out, gone back from."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from apps.assurance import actions as assurance
from apps.governance import actions as governing
from apps.governance.models import Release
from apps.identity.models import User
from apps.rollouts.actions import rollback, start_rollout
from apps.serving.models import Endpoint
from placet.kernel.actor import SYSTEM, Actor
from placet_verify.signing.dsse import Envelope
from placet_verify.statements import DecisionStatement, parse
from tests.properties.moves.oracle import Asked
from tests.properties.moves.parts import PEOPLE, PLACES, SOME, Parts
from tests.support import factories

DECIDERS = ("Rex", "Rita", "Vera", "Vito")


class Releases(Parts):
    """See the module."""

    @rule(who=st.sampled_from(PEOPLE), which=SOME, place=st.sampled_from(PLACES))
    def ask(self, who: str, which: int, place: str) -> None:
        """Somebody asks for a release."""
        bento, actor = self.bentos[which % len(self.bentos)], self.actor(who)
        with self.move("ask"):
            row = self.world.request(place, bento, actor=actor)
            asked = Asked(place, bento.digest, actor.id, bento.version.author)
            self.oracle.asked[row.pk] = asked

    @rule(
        who=st.sampled_from(("Ada", "Alan")),
        which=SOME,
        place=st.sampled_from(PLACES),
        deciders=st.lists(st.sampled_from(DECIDERS), max_size=4),
        work=st.booleans(),
    )
    def go_the_usual_way(
        self, who: str, which: int, place: str, deciders: list[str], work: bool
    ) -> None:
        """Somebody asks, some of those whose task it is approve, and the workers do theirs."""
        self.ask(who, which, place)
        if not self.oracle.asked:
            return
        for name in deciders:
            self.decides(self.actor(name), 0, "approve")
        self.start("", 0)
        if work:
            self.work()

    def release(self, which: int) -> Release | None:
        """Return one of the releases, the newest first."""
        rows = list(Release.objects.order_by("-number"))
        return rows[which % len(rows)] if rows else None

    @precondition(lambda self: bool(self.oracle.asked))
    @rule(who=st.sampled_from(PEOPLE), which=SOME, no=st.integers(0, 9), twice=st.booleans())
    def decide(self, who: str, which: int, no: int, twice: bool) -> None:
        """Somebody approves, or now and then rejects or asks for changes, perhaps with a second
        click, or to decide otherwise."""
        verdict = {0: "reject", 1: "request_changes", 2: "request_changes"}.get(no, "approve")
        self.decides(self.actor(who), which, verdict)
        if twice:
            self.decides(self.actor(who), which, "approve")

    def decides(self, actor: Actor, which: int, verdict: str) -> None:
        """Have ``actor`` decide on one of the releases, as its row shows it."""
        row = self.release(which)
        with self.move("decide"):
            assert row is not None
            found = self.world.decide(row, actor, verdict)
            said = parse(Envelope.from_json(found.envelope).payload)
            assert isinstance(said, DecisionStatement)
            assert (said.person, said.release) == (actor.id, row.pk)
            self.oracle.decided(said)

    @precondition(lambda self: bool(self.oracle.asked))
    @rule(who=st.sampled_from(PEOPLE), whose=st.sampled_from(DECIDERS), which=SOME)
    def lift(self, who: str, whose: str, which: int) -> None:
        """Somebody withdraws a request for changes, perhaps another's."""
        row = self.release(which)
        assert row is not None
        asked = row.decisions.filter(person=self.world.people[whose].pk, voided_reason="").first()
        with self.move("lift"):
            if asked is not None:
                governing.withdraw_changes(asked, actor=self.actor(who))
                if not self.forged:  # else the row may name another one
                    assert who == whose, "lifted what another asked for"
                    self.oracle.requests[asked.statement_digest].held.discard(asked.person)

    @precondition(lambda self: bool(self.oracle.asked))
    @rule(who=st.sampled_from(PEOPLE), which=SOME)
    def decide_by_token(self, who: str, which: int) -> None:
        """Somebody has a script decide, with a token that carries all that a token may."""
        row = self.release(which)
        assert row is not None
        person = self.world.people[who]
        if not User.objects.get(pk=person.pk).is_active:
            return
        with self.move("decide by token"):
            client = factories.api(factories.token_for(person))
            body = {"verdict": "approve", "statement_digest": row.request_digest}
            assert client.post(f"/releases/{row.pk}/decisions", body).status_code >= 400

    @precondition(lambda self: bool(self.oracle.asked))
    @rule(who=st.sampled_from(PEOPLE), which=SOME)
    def withdraw(self, who: str, which: int) -> None:
        """Somebody takes a request back."""
        row = self.release(which)
        with self.move("withdraw"):
            assert row is not None
            governing.withdraw(row, actor=self.actor(who))
            self.oracle.over.add(row.pk)

    @precondition(lambda self: bool(self.oracle.asked))
    @rule(who=st.sampled_from(("Otto", "Vera", "Mallory")), which=SOME, seldom=st.integers(0, 5))
    def recall(self, who: str, which: int, seldom: int) -> None:
        """Now and then somebody takes a Bento back: there are few, and it is for good."""
        row = self.release(which)
        if row is None or seldom:
            return
        with self.move("recall"):
            assurance.recall(
                kind="bento",
                what=row.bento_id,
                reason="x",
                project=self.world.project,
                actor=self.actor(who),
            )
            self.oracle.recalled.add(row.bento_id)

    @precondition(lambda self: bool(self.oracle.asked))
    @rule(who=st.sampled_from((*PEOPLE, "")), which=SOME)
    def start(self, who: str, which: int) -> None:
        """Somebody, or the system, starts a rollout."""
        row = self.release(which)
        with self.move("start"):
            assert row is not None
            start_rollout(row, actor=self.actor(who) if who else SYSTEM)

    @rule(who=st.sampled_from(("Otto", "Mallory")), which=SOME)
    def go_back(self, who: str, which: int) -> None:
        """Somebody goes back to what served before."""
        for endpoint in Endpoint.objects.order_by("pk")[which % 2 : which % 2 + 1]:
            with self.move("go back"):
                rollback(endpoint, reason="worse", actor=self.actor(who))

    @rule()
    def work(self) -> None:
        """The workers do what is due, and the node as it is told."""
        with self.move("work"):
            for _ in range(3):
                self.run_jobs("control")
                self.node.step()
