"""What access admins and approvers do: roles, teams, accounts, policies, freezes."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from apps.governance import actions as governing
from apps.governance.models import Freeze, PolicyRevision
from apps.identity import actions as access
from apps.identity.models import RoleBinding, Team, User
from tests.properties.moves.oracle import Demands
from tests.properties.moves.parts import PEOPLE, PLACES, POLICIES, SOME, Parts

ADMINS = ("Zoe", "Zed")
ROLES = ("contributor", "reviewer", "approver", "operator", "responder", "admin")


def source(demands: Demands) -> str:
    """Return the policy that demands these people."""
    return "version: 1\ngates:\n  - {gate: build}\n" + "".join(one.yaml() for one in demands)


class People(Parts):
    """See the module."""

    @rule(
        admin=st.sampled_from((*ADMINS, "Mallory")),
        person=st.sampled_from(PEOPLE),
        role=st.sampled_from(ROLES),
        place=st.sampled_from(("", *PLACES)),
        team=st.booleans(),
    )
    def grant(self, admin: str, person: str, role: str, place: str, team: bool) -> None:
        """An access admin gives a role to somebody, or to a team."""
        subject: User | Team = self.teams[len(person) % 2] if team else self.world.people[person]
        kind = "team" if team else "person"
        with self.move("grant"):
            access.grant_role(
                role=role,
                project=self.world.project,
                environment=place,
                actor=self.actor(admin),
                **{kind: subject},
            )
            self.oracle.roles[subject.pk].add((role, place))

    @rule(admin=st.sampled_from(ADMINS), which=st.integers(0, 30))
    def revoke(self, admin: str, which: int) -> None:
        """An access admin takes a role away."""
        rows = list(RoleBinding.objects.exclude(role="admin").order_by("pk"))
        if not rows:
            return
        row = rows[which % len(rows)]
        with self.move("revoke"):
            access.revoke_role(row, actor=self.actor(admin))
            subject = row.person_id or row.team_id or ""
            if not self.forged:  # else the row may say another role than the one that was given
                self.oracle.roles[subject].discard((row.role, row.environment))

    @rule(admin=st.sampled_from(ADMINS), person=st.sampled_from(PEOPLE), which=SOME)
    def join(self, admin: str, person: str, which: int) -> None:
        """An access admin puts somebody into a team."""
        team, member = self.teams[which % 2], self.world.people[person]
        with self.move("join"):
            access.add_member(team, person=member, actor=self.actor(admin))
            self.oracle.members[team.pk].add(member.pk)

    @rule(admin=st.sampled_from(ADMINS), person=st.sampled_from(PEOPLE), which=SOME)
    def leave(self, admin: str, person: str, which: int) -> None:
        """An access admin takes somebody out of a team."""
        team, member = self.teams[which % 2], self.world.people[person]
        with self.move("leave"):
            access.remove_member(team, person=member, actor=self.actor(admin))
            self.oracle.members[team.pk].discard(member.pk)

    @rule(
        admin=st.sampled_from(ADMINS),
        person=st.sampled_from(PEOPLE[:7]),
        back=st.booleans(),
    )
    def send_away(self, admin: str, person: str, back: bool) -> None:
        """An access admin ends somebody's access, or lets them in again."""
        row = self.world.people[person]
        with self.move("let in again" if back else "send away"):
            (access.reactivate_person if back else access.deactivate_person)(
                row, actor=self.actor(admin)
            )
            (self.oracle.away.discard if back else self.oracle.away.add)(row.pk)

    @rule(
        who=st.sampled_from(PEOPLE),
        place=st.sampled_from(PLACES),
        demands=st.sampled_from(POLICIES),
    )
    def draft(self, who: str, place: str, demands: Demands) -> None:
        """Somebody drafts a policy."""
        with self.move("draft"):
            environment = self.world.environment(place)
            governing.draft_policy(environment, source=source(demands), actor=self.actor(who))

    @rule(who=st.sampled_from(PEOPLE), which=SOME)
    def publish(self, who: str, which: int) -> None:
        """Somebody puts a draft into force."""
        rows = list(PolicyRevision.objects.filter(state="draft").order_by("-created_at", "pk"))
        if not rows:
            return
        row, person = rows[which % len(rows)], self.world.people[who]
        with self.move("publish"):
            place = row.environment.name
            new = governing.publish_policy(row, actor=self.actor(who)).policy
            assert self.oracle.holds(person.pk, "approver", place), "is no approver"
            assert new.drafted_by != person.pk or self.forged
            demands = next(one for one in POLICIES if source(one) == new.source)
            self.oracle.published(place, new.number, demands)

    @rule(who=st.sampled_from(PEOPLE), place=st.sampled_from(PLACES), lift=st.booleans())
    def freeze(self, who: str, place: str, lift: bool) -> None:
        """Somebody freezes an environment, or ends that."""
        row = Freeze.objects.filter(environment__name=place, lifted_at=None).first()
        with self.move("lift" if lift else "freeze"):
            if lift and row is not None:
                governing.lift_freeze(row, actor=self.actor(who))
            elif not lift:
                environment = self.world.environment(place)
                governing.set_freeze(environment, reason="audit", actor=self.actor(who))
