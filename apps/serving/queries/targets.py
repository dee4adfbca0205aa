"""Where models run, and who may use it."""

from django.db.models import Case, CharField, Exists, OuterRef, Q, QuerySet, Value, When

from apps.identity.models import Project
from apps.identity.queries import visible
from apps.serving.models import Target, TargetUse
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound

MISSING = "no such environment yet"


def visible_targets(actor: Actor) -> QuerySet[Target]:
    """Return every target for who may view targets everywhere, else those that list a project
    where ``actor`` may view them."""
    rows = Target.objects.select_related("node")
    projects = actor.projects_with("target.view")
    if projects is None:
        return rows
    listing = TargetUse.objects.filter(target=OuterRef("pk"), project__in=projects)
    return rows.filter(Exists(listing))


def get_target(name: str, actor: Actor) -> Target:
    """Return the target of this name, or raise :class:`NotFound`."""
    target = visible_targets(actor).filter(name=name).first()
    if target is None:
        raise NotFound
    return target


def uses_of(target: Target, actor: Actor) -> QuerySet[TargetUse]:
    """Return who may use ``target``: the entries about projects that ``actor`` may see, each with
    a ``note`` where its environment is not there."""
    there = Project.objects.filter(
        pk=OuterRef("project"), environments__name=OuterRef("environment")
    )
    missing = When(~Q(environment="") & ~Exists(there), then=Value(MISSING))
    note = Case(missing, default=Value(""), output_field=CharField())
    return visible(target.uses.select_related("project").annotate(note=note), actor)
