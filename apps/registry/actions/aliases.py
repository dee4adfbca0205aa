"""Movable names for versions."""

from apps.audit.actions import record
from apps.registry import rules
from apps.registry.actions.locking import lock_model, refuse
from apps.registry.errors import AliasManaged, NotReady
from apps.registry.events import ALIAS_DELETED, ALIAS_SET
from apps.registry.models import Alias, ModelVersion, RegisteredModel, VersionState
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, Forbidden, InvalidInput, NotFound, Stale


def set_alias(
    model: RegisteredModel,
    *,
    name: str,
    version: ModelVersion,
    actor: Actor,
    managed_by: str = "",
    if_version: str | None = None,
) -> Alias:
    """Point the alias ``name`` of ``model`` at ``version``, making it if need be.

    ``managed_by`` (an endpoint's id) hands the alias to releases; only the system gives or moves
    such a one, and names that begin with ``live-``. ``if_version`` is the version id the caller
    saw it point at ('' for no alias).
    """
    with record(actor) as log:
        row = lock_model(model, actor, "alias.set")
        if actor.kind != "system":  # environments may be called what no person calls an alias
            refuse(rules.alias_faults(name))
        target = ModelVersion.objects.filter(pk=version.pk, model=row).first()
        if target is None:
            raise InvalidInput(errors=[FieldError("/version", "Not a version of this model")])
        if target.state != VersionState.FINALISED:
            raise NotReady("An alias names a finalised version: finalise it first")
        if managed_by and actor.kind != "system":
            raise Forbidden("Only a release hands an alias to an endpoint")
        alias = Alias.objects.filter(model=row, name=name).first()
        _check(alias, actor, if_version)
        if actor.kind != "system":
            refuse(rules.reserved_alias_faults(name))
        if alias is None:
            alias = Alias(model=row, project_id=row.project_id, name=name)
        alias.version = target
        alias.managed_by = managed_by or alias.managed_by
        alias.save()
        _touch(row)
        log.add(ALIAS_SET, alias, row, data={"number": target.number})
    return alias


def delete_alias(
    model: RegisteredModel, *, name: str, actor: Actor, if_version: str | None = None
) -> None:
    """Delete the alias ``name`` of ``model``."""
    with record(actor) as log:
        row = lock_model(model, actor, "alias.set")
        alias = Alias.objects.filter(model=row, name=name).first()
        if alias is None:
            raise NotFound
        _check(alias, actor, if_version)
        gone = Alias(**{f.attname: getattr(alias, f.attname) for f in Alias._meta.concrete_fields})
        alias.delete()
        _touch(row)
        data = {"version": gone.version_id}
        log.add(ALIAS_DELETED, row, subject=gone.pk, deleted=(gone,), data=data)


def _check(alias: Alias | None, actor: Actor, if_version: str | None) -> None:
    if alias is not None and alias.managed_by and actor.kind != "system":
        raise AliasManaged
    if if_version is not None and if_version != (alias.version_id if alias else ""):
        raise Stale


def _touch(model: RegisteredModel) -> None:
    model.revision += 1
    model.save(update_fields=["revision"])
