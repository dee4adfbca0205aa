"""Creating versions, editing drafts, and what stays editable: tags and card."""

from typing import Any, TypedDict, Unpack

from django.db.models import Max

from apps.audit.actions import record
from apps.identity.queries import authorize
from apps.registry import cards, rules
from apps.registry.actions.evidence import take_down_card
from apps.registry.actions.locking import (
    lock_draft,
    lock_models,
    lock_version,
    lock_versions,
    refuse,
    touch,
)
from apps.registry.errors import ChangedMeanwhile
from apps.registry.events import (
    VERSION_CARD_CHANGED,
    VERSION_CREATED,
    VERSION_EDITED,
    VERSION_TAGGED,
)
from apps.registry.formats import FORMATS
from apps.registry.models import ModelVersion, RegisteredModel, VersionState
from apps.registry.readiness import WEIGHED
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, NotFound

Json = dict[str, Any]
COPIED = ("python_version", "requirements", "variables", "signature", "example", "card")


class DraftFields(TypedDict, total=False):
    """What is frozen when a version is finalised."""

    format: str
    python_version: str
    requirements: list[str]
    variables: list[str]
    parameters: Json
    lineage: Json
    signature: Json | None
    example: list[Json] | None
    expected: list[Any] | None


class VersionFields(DraftFields, total=False):
    """What a new version may be given: the frozen fields and the editable ones."""

    tags: dict[str, str]
    card: str


def create_version(
    model: RegisteredModel, *, actor: Actor, **fields: Unpack[VersionFields]
) -> ModelVersion:
    """Create the next version of ``model`` as a draft. Its author is the accountable person."""
    with record(actor) as log:
        authorize(actor, "version.create", model, view="model.view")
        held = lock_models([model.pk])[model.pk]
        _hold_parent(model.project_id, fields)
        highest = held.versions.aggregate(highest=Max("number"))["highest"] or 0
        version = ModelVersion(
            model=model,
            number=max(highest, held.highest_discarded) + 1,
            project=model.project,
            author=actor.accountable,
            created_by=actor.id,
            **fields,
        )
        refuse(
            draft_faults(version) + rules.tag_faults(version.tags) + cards.card_faults(version.card)
        )
        version.save(force_insert=True)
        log.add(VERSION_CREATED, version, data={"number": version.number})
    return version


def _hold_parent(project: str, fields: DraftFields, *others: str) -> None:
    """Hold the version of the project that ``fields`` say this one was made from, beside
    ``others``: a draft that is discarded meanwhile is no parent, or is not discarded."""
    lineage = fields.get("lineage")
    parent = lineage.get("parent") if isinstance(lineage, dict) else None
    if isinstance(parent, str):
        own = ModelVersion.objects.filter(pk=parent, project=project)
        lock_versions([*others, *own.values_list("pk", flat=True)])


def edit_draft(
    version: ModelVersion,
    *,
    actor: Actor,
    if_generation: int | None = None,
    **fields: Unpack[DraftFields],
) -> ModelVersion:
    """Change fields of a draft; what is not named stays."""
    with record(actor) as log:
        _hold_parent(version.project_id, fields, version.pk)
        row = lock_draft(version, actor, if_generation)
        for name, value in fields.items():
            setattr(row, name, value)
        refuse(draft_faults(row))
        touch(row, *fields)
        log.add(VERSION_EDITED, row)
    return row


def copy_facts(version: ModelVersion, *, source: ModelVersion, actor: Actor) -> ModelVersion:
    """Give an empty draft the packages, signature and card of another version of its model.

    Expected outputs stay behind: they are what the other one predicts.
    """
    with record(actor) as log:
        row = lock_draft(version, actor)
        if source.model_id != row.model_id:
            raise NotFound
        if any(getattr(row, name) for name in COPIED):
            raise ChangedMeanwhile("The draft has packages, a signature or a card of its own")
        for name in COPIED:
            setattr(row, name, getattr(source, name))
        refuse(draft_faults(row) + cards.card_faults(row.card))
        touch(row, *COPIED)
        log.add(VERSION_EDITED, row)
        log.add(VERSION_CARD_CHANGED, row)
    return row


def set_tags(
    version: ModelVersion, *, tags: dict[str, str], actor: Actor, if_generation: int | None = None
) -> ModelVersion:
    """Replace a version's tags, finalised or not."""
    with record(actor) as log:
        row = lock_version(version, actor, "version.edit", if_generation)
        refuse(rules.tag_faults(tags))
        row.tags = tags
        touch(row, "tags")
        log.add(VERSION_TAGGED, row)
    return row


def set_card(
    version: ModelVersion, *, card: str, actor: Actor, if_generation: int | None = None
) -> ModelVersion:
    """Replace a version's model card, finalised or not."""
    with record(actor) as log:
        row = lock_version(version, actor, "version.edit", if_generation)
        refuse(cards.card_faults(card))
        row.card = card
        touch(row, "card")
        log.add(VERSION_CARD_CHANGED, row)
        if row.state == VersionState.FINALISED:
            take_down_card(row)
    return row


def draft_faults(version: ModelVersion) -> list[FieldError]:
    """Return what is wrong with the fields that the author gave so far.

    Whether an example without a signature fits waits: the signature may come from the files.
    """
    if faults := rules.size_faults({name: getattr(version, name) for name in WEIGHED}):
        return faults  # whatever else is wrong with it, nobody waits for it to be looked through
    faults = (
        rules.python_version_faults(version.python_version)
        + rules.requirement_faults(version.requirements)
        + rules.variable_faults(version.variables)
        + rules.parameter_faults(version.parameters)
        + rules.lineage_faults(version.lineage)
    )
    if version.format and version.format not in FORMATS:
        faults.append(FieldError("/format", f"One of {', '.join(FORMATS)}"))
    if not faults:
        faults += _parent_faults(version)
    if version.signature is not None:
        signature_faults = rules.signature_faults(version.signature)
        faults += signature_faults
        if version.example is not None and not signature_faults:
            faults += rules.example_faults(version.example, version.signature)
    elif version.example is not None:
        faults += rules.rows_faults(version.example, "/example")
    if version.expected is not None and version.example is not None:
        expected = rules.expected_faults(version.expected, version.example)
        if not expected and not faults and version.signature and _answers_by_signature(version):
            expected = rules.output_faults(version.expected, version.signature["outputs"])
        faults += expected
    elif version.expected is not None:
        faults += rules.rows_faults(version.expected, "/expected")
    return faults


def _answers_by_signature(version: ModelVersion) -> bool:
    """Tell whether a service answers with the outputs of the signature: one from a folder, such as
    MLflow's, has a form of its own, and of no files nothing is known yet."""
    if version.format:
        return not FORMATS[version.format].root
    paths = set(version.files.values_list("path", flat=True))
    return bool(paths) and paths.isdisjoint(kind.root for kind in FORMATS.values())


def _parent_faults(version: ModelVersion) -> list[FieldError]:
    parent = version.lineage.get("parent")
    if not parent:
        return []
    if ModelVersion.objects.filter(pk=parent, project_id=version.project_id).exists():
        return []
    return [FieldError("/lineage/parent", "There is no such version in this project")]
