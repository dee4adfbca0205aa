"""One server, one token, and everything that may be asked of it, by noun."""

import time
from collections.abc import Callable
from typing import Any

from placet_client import nouns
from placet_client.errors import PlacetError
from placet_client.nouns.base import answer, given
from placet_client.records import Whoami
from placet_client.transport import Json, Transport

__all__ = ["Client", "PlacetError"]


class Client:
    """A Placet server, as the owner of a token sees it.

    ::

        with Client("http://localhost:8000", token) as placet:
            for model in placet.models.list("risk"):
                print(model.name, model.latest_number)

    Refusals are raised as :class:`placet_client.PlacetError` and its kinds. ``get``, ``post`` and
    ``request`` reach what has no method of its own. ``ca`` is a PEM file of who vouches for the
    server, when the usual authorities do not. ``transport`` and ``sleep`` are for tests.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 60.0, **options: Any) -> None:
        self.http = Transport(url, token, timeout=timeout, **options)
        self.url, self.request = self.http.url, self.http.request
        self.projects = nouns.Projects(self.http)
        self.people = nouns.People(self.http)
        self.teams = nouns.Teams(self.http)
        self.roles = nouns.Roles(self.http)
        self.passkeys = nouns.Passkeys(self.http)
        self.service_accounts = nouns.ServiceAccounts(self.http)
        self.tokens, self.devices = nouns.Tokens(self.http), nouns.Devices(self.http)
        self.jobs = nouns.Jobs(self.http)
        self.models = nouns.Models(self.http)
        self.versions = nouns.Versions(self.http)
        self.aliases = nouns.Aliases(self.http)
        self.uploads = nouns.Uploads(self.http)
        self.evidence = nouns.EvidenceOfVersions(self.http)
        self.declarations = nouns.Declarations(self.http)
        self.signing_keys = nouns.SigningKeys(self.http)
        self.builds = nouns.Builds(self.http)
        self.bentos = nouns.Bentos(self.http)
        self.runtimes = nouns.Runtimes(self.http)
        self.environments = nouns.Environments(self.http)
        self.policies = nouns.Policies(self.http)
        self.duties, self.absences = nouns.Duties(self.http), nouns.Absences(self.http)
        self.freezes = nouns.Freezes(self.http)
        self.releases = nouns.Releases(self.http)
        self.targets = nouns.Targets(self.http)
        self.endpoints, self.deployments = nouns.Endpoints(self.http), nouns.Deployments(self.http)
        self.rollouts = nouns.Rollouts(self.http)
        self.drills = nouns.Drills(self.http)
        self.recalls = nouns.Recalls(self.http)
        self.break_glasses = nouns.BreakGlasses(self.http)
        self.objectives = nouns.Objectives(self.http)
        self.alerts, self.threads = nouns.Alerts(self.http), nouns.Threads(self.http)
        self.predictions = nouns.Predictions(self.http)
        self.outcomes, self.audit = nouns.Outcomes(self.http), nouns.Audit(self.http)
        self.retention, self.notices = nouns.RetentionOfLog(self.http), nouns.Notices(self.http)
        self.secrets = nouns.Secrets(self.http)
        self.streams, self.webhooks = nouns.Streams(self.http), nouns.Webhooks(self.http)
        self.everything, self.lists = nouns.Everything(self.http), nouns.Lists(self.http)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def whoami(self) -> Whoami:
        """Tell who the token acts for, and what it may do."""
        return Whoami.read(self.get("/whoami"))

    def get(self, path: str, **params: Any) -> Json:
        """Read one thing."""
        document: Json = answer(self.request("GET", path, params=given(**params)))
        return document

    def post(self, path: str, body: Any = None) -> Json:
        """Do one thing; an empty answer is ``{}``."""
        response = self.request("POST", path, json={} if body is None else body)
        result: Json = answer(response) if response.content else {}
        return result

    def wait(
        self, path: str, until: Callable[[Json], bool], *, seconds: float = 600, every: float = 0.5
    ) -> Json:
        """Read ``path`` until ``until`` says so. Raises ``TimeoutError`` after ``seconds``."""
        end = time.monotonic() + seconds
        while True:
            document = self.get(path)
            if until(document):
                return document
            if time.monotonic() > end:
                raise TimeoutError(f"{path} is still {document.get('state', 'unfinished')}")
            self.http.wait(every)
