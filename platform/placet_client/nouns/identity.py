"""Projects, people and programs, tokens, background work."""

from placet_client.nouns.base import Listing, Noun, at, changed, given
from placet_client.records import (
    DeviceCode,
    DeviceToken,
    Job,
    Member,
    Passkey,
    Person,
    Position,
    Project,
    ReleaseFigures,
    Role,
    SecondFactorDemand,
    ServiceAccount,
    Storage,
    Team,
    Token,
)

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"


class Projects(Noun):
    """The scopes of models and roles."""

    def list(self, *, limit: int | None = None) -> Listing[Project]:
        """List the projects you see."""
        return self._list(Project, "/projects", limit)

    def get(self, slug: str) -> Project:
        """Read a project."""
        return self._read(Project, at("projects", slug))

    def create(
        self,
        slug: str,
        *,
        name: str,
        description: str = "",
        artifact_quota: int | None = None,
        template: str | None = None,
    ) -> Project:
        """Make a project with its three environments, which start with the policies of
        ``template``; its files may take so many bytes (0: any)."""
        body = given(slug=slug, name=name, description=description)
        body |= given(artifact_quota=artifact_quota, template=template)
        return self._do(Project, "/projects", body)

    def update(
        self,
        slug: str,
        *,
        name: str | None = None,
        description: str | None = None,
        artifact_quota: int | None = None,
        if_match: str = "",
    ) -> Project:
        """Change what people read of a project, or how many bytes its files may take (0: any)."""
        body = {"name": name, "description": description, "artifact_quota": artifact_quota}
        return self._change(Project, "PATCH", at("projects", slug), changed(body), if_match)

    def storage(self, slug: str) -> Storage:
        """Read how many bytes a project's files take, and may take."""
        return self._read(Storage, at("projects", slug, "storage"))

    def figures(self, slug: str, *, days: int | None = None) -> ReleaseFigures:
        """Read how long a project's releases took in the last ``days`` days (30, 90 unless it is
        given, 365), who was waited for, and how often they went wrong."""
        return self._read(ReleaseFigures, at("projects", slug, "figures"), days=days)


class People(Noun):
    """Accounts of people. Only a person, in the administration, makes and changes them."""

    def list(self, *, limit: int | None = None) -> Listing[Person]:
        """List people."""
        return self._list(Person, "/people", limit)

    def get(self, person: str) -> Person:
        """Read a person."""
        return self._read(Person, at("people", person))

    def position(self, person: str) -> Position:
        """Read where a person stands."""
        return self._read(Position, at("people", person, "position"))

    def positions(self, *, limit: int | None = None) -> Listing[Position]:
        """List where people stand."""
        return self._list(Position, "/positions", limit)


class Teams(Noun):
    """People who hold roles together."""

    def list(self, *, limit: int | None = None) -> Listing[Team]:
        """List teams."""
        return self._list(Team, "/teams", limit)

    def get(self, team: str) -> Team:
        """Read a team."""
        return self._read(Team, at("teams", team))

    def members(self, team: str, *, limit: int | None = None) -> Listing[Member]:
        """List the people of a team."""
        return self._list(Member, at("teams", team, "members"), limit)


class Roles(Noun):
    """Who holds which role, and where."""

    def list(self, *, limit: int | None = None) -> Listing[Role]:
        """List role bindings."""
        return self._list(Role, "/roles", limit)

    def get(self, role: str) -> Role:
        """Read a role binding."""
        return self._read(Role, at("roles", role))

    def second_factor_demands(self, *, limit: int | None = None) -> Listing[SecondFactorDemand]:
        """List the roles that demand a second factor."""
        return self._list(SecondFactorDemand, "/second-factor-demands", limit)


class Passkeys(Noun):
    """What people sign decisions with, and who vouches for it."""

    def list(self, *, limit: int | None = None) -> Listing[Passkey]:
        """List approvers' passkeys: all if you approve or audit access, else your own."""
        return self._list(Passkey, "/passkeys", limit)

    def get(self, passkey: str) -> Passkey:
        """Read a passkey."""
        return self._read(Passkey, at("passkeys", passkey))


class ServiceAccounts(Noun):
    """Accounts of programs."""

    def list(self, *, limit: int | None = None) -> Listing[ServiceAccount]:
        """List service accounts."""
        return self._list(ServiceAccount, "/service-accounts", limit)

    def get(self, account: str) -> ServiceAccount:
        """Read a service account."""
        return self._read(ServiceAccount, at("service-accounts", account))


class Tokens(Noun):
    """API tokens. Created in the browser; a token sees only itself."""

    def list(self, *, limit: int | None = None) -> Listing[Token]:
        """List the tokens that this one sees: itself."""
        return self._list(Token, "/tokens", limit)

    def get(self, token: str) -> Token:
        """Read a token."""
        return self._read(Token, at("tokens", token))

    def revoke(self, token: str) -> Token:
        """End a token."""
        return self._do(Token, at("tokens", token, "revoke"))


class Devices(Noun):
    """Getting a token that a person confirms in the browser (RFC 8628); asked without a token."""

    def begin(self, client: str) -> DeviceCode:
        """Begin; ``client`` is what the person is told that asks."""
        return self._do(DeviceCode, "/device/code", {"client": client})

    def token(self, device_code: str) -> DeviceToken:
        """Ask for the token: it is given once. Until a person confirmed it is refused, and the
        refusal's ``code`` says whether to ask again (``authorization_pending``, ``slow_down``)."""
        body = {"grant_type": GRANT_TYPE, "device_code": device_code}
        return self._do(DeviceToken, "/device/token", body)


class Jobs(Noun):
    """Work in the background."""

    def list(self, *, state: str = "", kind: str = "", limit: int | None = None) -> Listing[Job]:
        """List jobs, newest first."""
        return self._list(Job, "/jobs", limit, state=state, kind=kind)

    def get(self, job: str) -> Job:
        """Read a job."""
        return self._read(Job, at("jobs", job))

    def cancel(self, job: str) -> Job:
        """Ask a job to stop."""
        return self._do(Job, at("jobs", job, "cancel"))
