"""What the platform says of a request, and what a node says of the same, both by their own code.

Of the platform: the API's parser and serializer, the documents' readers, the names' readers, the
plan's steps as a rollout reads them, the composing and signing of a state (of rows that no database
holds). Of the node: trust with its pinned keys on a disk of its own, the reader of a state, the
permit, the declared names of a Bento, and the table of HAProxy.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from rest_framework.exceptions import ValidationError

from apps.builds.models import Bento, Runtime
from apps.governance.api.releases import NewReleaseSerializer
from apps.governance.plan import DocumentFault, Plan, Serving, SetHeaderRoute, SetMirror, SetWeight
from apps.identity.actions.projects import slug_or_refuse
from apps.identity.models import Project
from apps.registry.rules.names import variable_faults
from apps.serving import desired, readable
from apps.serving.models import Endpoint, Revision
from placet.kernel.api.parsers import strict_loads
from placet.kernel.clock import rfc3339
from placet.kernel.problems import FieldError, InvalidInput
from placet_agent.downloads.bentos import BentoFolder, BentoRefused
from placet_agent.haproxy import config
from placet_agent.haproxy.sockets import socket_of
from placet_agent.haproxy.table import EndpointRoute, RoutingTable
from placet_agent.routing import RoutedRevision, route
from placet_agent.state.data_dir import Home
from placet_agent.state.trust import PermitVerdict, StateRefused, Trust
from placet_protocol.fields import MAX_ENVIRONMENT, is_name
from placet_protocol.state import DesiredEndpoint, StateDocument, write_state
from placet_verify.errors import Refused
from placet_verify.permit.variables import undeclared
from placet_verify.signing import dsse
from placet_verify.signing.keys import KeyRing, PrivateKey
from placet_verify.units import WHOLE
from tests.properties.acceptance.drawn import Asked
from tests.support.permits import Case, approvals, digest_of, valid_case

BENTO = digest_of("bento")
LIVE, TRIED = "rev_live", "rev_tried"


@dataclass(frozen=True)
class Wish:
    """What was accepted, as it is stored."""

    names: dict[str, str]
    declared: list[str]
    serving: Any
    header: Any
    mirror: Any  # out of WHOLE
    guard: Any
    weight: int
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What one side says: nothing against it, or sentences that name what is wrong."""

    faults: tuple[str, ...] = ()
    wish: Wish | None = None

    @property
    def accepted(self) -> bool:
        """Whether there is nothing against it."""
        return not self.faults


def platform_says(asked: Asked) -> Answer:
    """Ask the platform as whoever requests a release does; anything it raises else is a fault of
    its own and goes through."""
    body = {"model": "m", "version": 1, "endpoint": "e", "plan": asked.plan}
    text = json.dumps(
        body | {"serving": asked.serving, "declared": asked.declared} | {"names": asked.names}
    )
    try:
        given = strict_loads(text.encode())
        serializer = NewReleaseSerializer(
            data={name: given[name] for name in body} | {"serving": given["serving"]}
        )
        serializer.is_valid(raise_exception=True)
        names = _names(given["names"])
        if faults := variable_faults(given["declared"]):
            raise InvalidInput(errors=faults)
        plan = Plan.read(serializer.validated_data["plan"])
        serving = Serving.read(serializer.validated_data["serving"])
        if undeclared_faults := serving.undeclared_faults(given["declared"]):
            raise DocumentFault(undeclared_faults)
    except InvalidInput as problem:
        told = (f"{error.pointer} {error.detail}" for error in problem.errors)
        return Answer(tuple(told) or (f"/ {problem.detail}",))  # of the body as a whole
    except DocumentFault as fault:
        return Answer(tuple(f"{pointer} {detail}" for pointer, detail in fault.faults))
    except ValidationError as error:
        return Answer((f"/ {error.detail}",))
    return Answer(wish=_stored(asked, names, given["declared"], plan.document, serving.document))


def _names(given: Mapping[str, str]) -> dict[str, str]:
    """The actions ask the same of an environment and an endpoint, behind what needs a database."""
    slug_or_refuse("project", given["project"])
    for name, most in (("environment", MAX_ENVIRONMENT), ("endpoint", 60)):
        if not is_name(given[name], most):
            raise InvalidInput(errors=[FieldError(f"/{name}", "is no name of an address")])
    return dict(given)


def _stored(
    asked: Asked, names: dict[str, str], declared: list[str], plan: Any, serving: Any
) -> Wish:
    """Return what a rollout puts into a revision at the step at which all of a plan is in force."""
    read = Plan.stored(plan).steps
    header = next((step for step in read if isinstance(step, SetHeaderRoute)), None)
    mirror = next((step for step in read if isinstance(step, SetMirror)), None)
    weight = next(step for step in read if isinstance(step, SetWeight))
    return Wish(
        names,
        declared,
        serving,
        header and {"header": header.header, "value": header.value},
        mirror.copies if mirror else 0,
        plan.get("guard"),
        weight.weight,
        asked.keys,
    )


def signed_anyway(asked: Asked) -> Wish:
    """Return what a row would hold if nobody had looked at it: the whole of what was drawn."""
    mirror = 0 if asked.mirror is None else asked.mirror
    if isinstance(mirror, int | float) and not isinstance(mirror, bool):
        mirror = round(mirror * WHOLE / 100) if abs(mirror) < WHOLE else mirror
    guard = asked.guard
    if isinstance(guard, dict):
        window = {"window_seconds": 60, "minimum_requests": 50}
        guard = {n: window | rule if isinstance(rule, dict) else rule for n, rule in guard.items()}
    serving = {"egress": []} | asked.serving
    return Wish(asked.names, asked.declared, serving, asked.header, mirror, guard, 500, asked.keys)


@dataclass
class Place:
    """One platform's keys, and a node that joined it, under ``folder``."""

    folder: Path
    keys: dict[str, PrivateKey] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        root, since = PrivateKey.generate(), datetime.now(UTC) - timedelta(days=1)
        self.ring = KeyRing(0, (), root.public)
        for purpose in ("decision", "build", "state", "log"):
            self.keys[purpose] = PrivateKey.generate()
            self.ring = self.ring.add(cast(Any, purpose), self.keys[purpose].public, since)
        self.ring_text, self.root = self.ring.seal(root), root.public

    def envelope(self, wish: Wish) -> str:
        """Compose and sign a state; raises ``Refused`` for what has no canonical form."""
        entry = desired.endpoint_entry(self._rows(wish))
        now = datetime.now(UTC)
        document = StateDocument(
            v=1,
            target="tgt_1",
            on_expired="serve",
            recalled=[],
            recalls=[],
            endpoints=[entry],
            prefetch=[],
            epoch=1,
            number=2,
            issued_at=rfc3339(now),
            checkpoint=None,
            valid_until=rfc3339(now + timedelta(days=1)),
        )
        return dsse.sign(dsse.STATE, write_state(document), self.keys["state"]).to_json()

    def left_out(self, wish: Wish) -> list[readable.LeftOutPart]:
        """Return what the platform itself would leave out of the state."""
        entry = desired.endpoint_entry(self._rows(wish))
        _, left_out = readable.split(
            {
                "v": 1,
                "target": "tgt_1",
                "on_expired": "serve",
                "recalled": [],
                "recalls": [],
                "endpoints": [entry],
                "prefetch": [],
            }
        )
        return left_out

    def _rows(self, wish: Wish) -> Any:
        runtime = Runtime(pk=digest_of("runtime"), python_version="3.13")
        bento = Bento(pk=BENTO, size=1, runtime=runtime)
        project = Project(pk="prj_1", slug=wish.names["project"])
        endpoint: Any = Endpoint(
            pk="end_1",
            project=project,
            environment=wish.names["environment"],
            name=wish.names["endpoint"],
            api_key_required=bool(wish.keys),
        )
        given = wish.serving if isinstance(wish.serving, dict) else {}
        shown = {
            "replicas": given.get("replicas", 1),
            "memory_mb": given.get("memory_mb", 1024),
            "variables": given.get("variables", {}),
            "serving": wish.serving,
            "bento": bento,
        }
        endpoint.present_revisions = [
            Revision(
                pk=LIVE,
                endpoint=endpoint,
                number=1,
                release="rel_1",
                state="live",
                permit=self._permit(wish, "rel_1"),
                weight=WHOLE - wish.weight,
                salt="5a17",
                **shown,
            ),
            Revision(
                pk=TRIED,
                endpoint=endpoint,
                number=2,
                release="rel_2",
                state="shifting",
                permit=self._permit(wish, "rel_2"),
                weight=wish.weight,
                salt="5a18",
                header_route=wish.header,
                mirror=wish.mirror,
                guard=wish.guard,
                **shown,
            ),
        ]
        endpoint.valid_keys = [_Key(digits) for digits in wish.keys]
        return endpoint

    def _permit(self, wish: Wish, release: str) -> str:
        """Return a permit that the quorum signed a moment ago."""
        now, old = datetime.now(UTC), valid_case()
        environment = wish.names["environment"]
        policy = replace(old.policy, at=now - timedelta(hours=2), environment=environment)
        request = replace(
            old.request,
            release=release,
            environment=environment,
            serving=wish.serving,
            bento_digest=BENTO,
            at=now - timedelta(hours=1),
            not_after=now + timedelta(days=7),
            policy_digest=policy.document_digest,
            nonce=f"{release}-nonce-of-request",
        )
        decisions = [
            replace(d, at=now - timedelta(minutes=1), nonce=f"{release}-{d.nonce}")
            for d in approvals(request)
        ]
        return Case(policy, request, decisions).document(self.keys["decision"])

    @contextmanager
    def node(self) -> Iterator[Trust]:
        """A node that has taken a state before: what it sees now is to be started."""
        self.count += 1
        home = Home(self.folder / f"node-{self.count}")
        home.folder.mkdir()
        home.remember(epoch=1, number=1)
        home.write_text("keys.json", self.ring_text)
        try:
            yield Trust(home, "tgt_1", self.root, dict)
        finally:
            shutil.rmtree(home.folder)

    def ask_node(self, wish: Wish) -> "Seen":
        """Return what a node says of a state that was signed with this in it."""
        try:
            envelope = self.envelope(wish)
        except Refused as refusal:  # there are no bytes that could be signed
            return Seen(Answer((refusal.sentence,)))
        with self.node() as trust:
            try:
                state = trust.open_state(envelope)
            except StateRefused as refusal:
                return Seen(Answer((str(refusal),)))
            verdicts = trust.judge(state, fetch=False)
            faults = [error["detail"] for error in state.errors]
            faults += [one.reason for one in state.refused]
            faults += [verdict.reason for verdict in verdicts.values() if not verdict.allowed]
            faults += self._undeclared(wish, trust.home.folder)
            return Seen(Answer(tuple(faults)), state.endpoints, verdicts)

    def _undeclared(self, wish: Wish, folder: Path) -> list[str]:
        """What the starter asks: the names that the Bento says its version reads."""
        bentos = BentoFolder(folder, cast(Any, None))
        facts = bentos.path(BENTO) / "src/placet.json"
        facts.parent.mkdir(parents=True)
        facts.write_text(json.dumps({"variables": wish.declared}))
        variables = wish.serving.get("variables", {})
        names = variables if isinstance(variables, dict) else {}
        try:
            wrong = undeclared(names, bentos.facts(BENTO).declared())
        except BentoRefused as refused:
            return [str(refused)]
        return [f"the version does not declare the variable {wrong[0]}"] if wrong else []


@dataclass(frozen=True)
class _Key:
    secret_hash: str


@dataclass(frozen=True)
class Seen:
    """What a node says, and what it read."""

    answer: Answer
    endpoints: tuple[DesiredEndpoint, ...] = ()
    verdicts: Mapping[str, PermitVerdict] = field(default_factory=dict)


def put(table: RoutingTable, number: int, seen: Seen) -> EndpointRoute:
    """Route requests to what a node let in, as its reconciler does, and write it for HAProxy."""
    (endpoint,) = seen.endpoints
    entry = table.ensure_endpoint(f"end_{number}", endpoint.path)
    entry.locked, entry.keys = endpoint.api_key_required, endpoint.keys
    for revision in endpoint.revisions:
        replica = f"rep-{number}-{revision.id}"
        table.ensure_server(entry, revision.id, replica, socket_of(replica))
    route(
        entry,
        endpoint,
        {
            pk: RoutedRevision(v.allowed, ready=True, unit=v.unit, limits=v.limits)
            for pk, v in seen.verdicts.items()
        },
    )
    config.try_writing(entry)
    return entry


__all__ = ["Answer", "Place", "Seen", "Wish", "platform_says", "put", "signed_anyway"]
