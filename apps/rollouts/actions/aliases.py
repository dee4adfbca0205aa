"""The alias ``live-<environment>`` of a model: which of its versions is live there."""

from collections.abc import Collection

from apps.governance.models import Release
from apps.governance.rules import ReleaseState
from apps.registry import actions as registry
from apps.registry.actions.locking import lock_models
from apps.registry.models import Alias, RegisteredModel
from placet.kernel.actor import SYSTEM


def follow_live(endpoints: Collection[str]) -> None:
    """Have the aliases of all models that ``endpoints`` served say what is live by now.

    Called where a release became live there, or ceased to be. The models are held before it is
    read what is live, so that of two who move two endpoints of a model the second sees both.
    """
    served = Release.objects.filter(endpoint__in=endpoints, live_at__isnull=False)
    models = lock_models(served.values("version__model"))
    environments = set(served.values_list("environment__name", flat=True))
    live: dict[tuple[str, str], list[Release]] = {}
    rows = Release.objects.filter(
        version__model__in=models, environment__name__in=environments, state=ReleaseState.LIVE
    ).select_related("version", "environment")
    for row in rows.order_by("endpoint"):
        live.setdefault((row.version.model_id, f"live-{row.environment.name}"), []).append(row)
    names = {f"live-{environment}" for environment in environments}
    aliases = Alias.objects.filter(model__in=models, name__in=names)
    known = {(alias.model_id, alias.name): alias for alias in aliases}
    for pk, name in sorted(live.keys() | known.keys()):
        _point(models[pk], name, live.get((pk, name), []), known.get((pk, name)))


def _point(model: RegisteredModel, name: str, live: list[Release], alias: Alias | None) -> None:
    """Point an alias at the first of ``live``, or at that of the endpoint which has it; delete it
    where nothing is live. One that people set before the name was kept for releases is taken over.
    """
    has = alias.managed_by if alias is not None else ""
    if not live:
        if has:
            registry.delete_alias(model, name=name, actor=SYSTEM)
        return
    chosen = next((row for row in live if row.endpoint_id == has), live[0])
    if alias is None or (alias.version_id, has) != (chosen.version_id, chosen.endpoint_id):
        registry.set_alias(
            model, name=name, version=chosen.version, managed_by=chosen.endpoint_id, actor=SYSTEM
        )
