"""Secrets of environments: setting a value, which never comes back, revoking it, and writing down
which node was given it."""

from collections.abc import Iterable

from django.db.models import Max

from apps.audit.actions import Recorder, record
from apps.identity.models import Project
from apps.identity.queries import authorize
from apps.identity.sign_in.freshness import demand_fresh
from apps.jobs.handlers import LeasedJob
from apps.serving import desired, hooks
from apps.serving.errors import SecretGone, SecretInUse
from apps.serving.events import SECRET_CREATED, SECRET_GIVEN, SECRET_REVOKED, SECRET_SET
from apps.serving.models import Node, SealedSecret, Secret, SecretVersion
from apps.serving.queries.secrets import uses_of_secret
from apps.serving.secret_values import place_of, sealed_value
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet_protocol.fields import is_name
from placet_protocol.report import Report
from placet_protocol.secret_box import OpeningKeys, SecretUnreadable
from placet_verify.permit.named_secrets import MAX_SECRET_BYTES, NAME_FORM

NAMED = 10  # endpoints in a refusal


def set_secret(
    project: Project, *, environment: str, name: str, value: str, actor: Actor
) -> SecretVersion:
    """Give a secret of an environment a value: its first, or the next version.

    Needs ``secret.set`` there, of somebody who has just shown who they are. The value before it is
    forgotten. Replicas that use it are started anew with this one, without a release.
    """
    faults = [] if is_name(name) else [FieldError("/name", f"It has {NAME_FORM}")]
    faults += [FieldError("/value", fault) for fault in _value_faults(value)]
    with record(actor) as log:
        wanted = Secret(project=project, environment=environment, name=name, created_by=actor.id)
        authorize(actor, "secret.set", wanted, view="endpoint.view")
        if not any(hooks.has_environment(project.pk, environment)):
            raise NotFound
        if faults:
            raise InvalidInput(errors=faults)
        demand_fresh(actor)
        secret = _locked(wanted, log)
        last = secret.versions.aggregate(last=Max("number"))["last"] or 0
        version = SecretVersion(
            secret=secret, project=project, number=last + 1, created_by=actor.id
        )
        version.sealed = sealed_value(secret, version.pk, value)
        version.save(force_insert=True)
        _forget(secret, keep=version.pk)
        log.add(SECRET_SET, version, subject=secret.pk, data={"number": version.number})
        _publish(secret)
    return version


def _value_faults(value: str) -> list[str]:
    """Say what is wrong with a value, and nothing of what is in it."""
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        return ["It must be text"]
    if not 0 < length <= MAX_SECRET_BYTES:
        return [f"It has {length:,} bytes, and must have 1 to {MAX_SECRET_BYTES:,}"]
    return []


def _locked(wanted: Secret, log: Recorder) -> Secret:
    """Return the secret, made if there is none of its name, and held until the transaction ends."""
    named = {
        "project": wanted.project,
        "environment": wanted.environment,
        "name": wanted.name,
    }
    row, created = Secret.objects.get_or_create(
        **named, defaults={"id": wanted.pk, "created_by": wanted.created_by}
    )
    if created:
        log.add(SECRET_CREATED, row)
    return Secret.objects.select_for_update(of=("self",), no_key=True).get(pk=row.pk)


def _forget(secret: Secret, *, keep: str = "") -> None:
    """Forget the values of a secret, those that are sealed for nodes too, but for one."""
    former = SecretVersion.objects.filter(secret=secret).exclude(pk=keep)
    SealedSecret.objects.filter(version__in=former).exclude(sealed="").update(sealed="")
    former.exclude(sealed="").update(sealed="")


def _publish(secret: Secret) -> None:
    for target in sorted({row.endpoint.target_id for row in uses_of_secret(secret)}):
        desired.publish(target)


def revoke_secret(secret: Secret, *, actor: Actor) -> SecretVersion:
    """End the value of a secret: it is forgotten here, and nodes forget it with their next state.

    Needs ``secret.set``. Refused with :class:`SecretInUse` while an endpoint that is not stopped
    has it: what leaked is answered by setting another value, and ending it where it opens doors.
    """
    with record(actor) as log:
        authorize(actor, "secret.set", secret, view="endpoint.view")
        row = Secret.objects.select_for_update(of=("self",), no_key=True).get(pk=secret.pk)
        version = row.versions.order_by("-number").first()
        if version is None or version.revoked_at is not None:
            raise SecretGone
        _refuse_in_use(row)
        version.revoked_at, version.revoked_by = now(), actor.id
        version.save(update_fields=["revoked_at", "revoked_by"])
        _forget(row)
        log.add(SECRET_REVOKED, version, subject=row.pk, data={"number": version.number})
        _publish(row)
    return version


def _refuse_in_use(secret: Secret) -> None:
    uses = uses_of_secret(secret, active=True)
    names = sorted({row.endpoint.name for row in uses})
    if not names:
        return
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    raise SecretInUse(
        f"Used by {', '.join(names[:NAMED] + more)}. Set another value, or stop what uses it first"
    )


def note_given(log: Recorder, node: Node, report: Report) -> None:
    """Write down which values a node says that its replicas were given: once for each of them.

    Only what was sealed for this node counts, so that none can fill the log.
    """
    values = {value for row in report["revisions"] for value in row.get("secrets", [])}
    if not values:
        return
    copies = SealedSecret.objects.filter(node=node, version__in=values, given_at=None)
    for copy in copies.select_related("version__secret").order_by("version"):
        if SealedSecret.objects.filter(pk=copy.pk, given_at=None).update(given_at=now()):
            version = copy.version
            log.add(
                SECRET_GIVEN,
                subject=version.secret_id,
                project=version.project_id,
                environment=version.secret.environment,
                data={"number": version.number, "node": node.pk, "value": version.pk},
            )


def reseal_secrets(versions: Iterable[str], keys: OpeningKeys, *, job: LeasedJob) -> int:
    """Encrypt values for the secret key in use; return how many. What does not open stays as it
    is: the page of its target says so."""
    return sum(_reseal(version, keys, job) for version in versions)


def _reseal(version_id: str, keys: OpeningKeys, job: LeasedJob) -> bool:
    with record(SYSTEM):
        job.fence()
        rows = SecretVersion.objects.select_for_update(of=("self",), no_key=True)
        row = rows.select_related("secret").filter(pk=version_id).first()
        if row is None or not row.sealed:
            return False
        place = place_of(row.secret, row.pk).at_rest
        try:
            value = keys.open(row.sealed, place=place)
        except SecretUnreadable:
            return False
        sealed = keys.public.seal(value, place=place)
        return bool(SecretVersion.objects.filter(pk=row.pk).update(sealed=sealed))
