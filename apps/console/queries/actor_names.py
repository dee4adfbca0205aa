"""The names of who did something: people, services, the system, and nodes by their target."""

import re
from collections.abc import Iterable

from apps.identity.queries import people_names
from apps.serving.models import Node
from placet.kernel.durations import spell

WORDS = {"sbom": "SBOM"}
_ID = re.compile(r"\b([a-z]{3}_[0-9a-f]{4})[0-9a-f]{24}([0-9a-f]{4})\b")
_LAST_WORD = re.compile(r"(?<=: )[a-z]+(?:_[a-z]+)*$")
_ONE = re.compile(r"\b(1 (?:open )?(?:file|wheel|token|release|decision|replica|event))s\b()")
_WEIGHT = re.compile(r"\bweight (\d+)\b")
_SECONDS = re.compile(r"(?<=^Waits )(\d+) s\b")
_BYTES = re.compile(r"\b(\d{4,}) bytes\b")


def actor_names(ids: Iterable[str]) -> dict[str, str]:
    """Return a name for each actor id; a node is called after the target that it serves."""
    wanted = {i for i in ids if i}
    names = people_names(wanted)
    if nodes := [i for i in wanted if i.startswith("nod_")]:
        found = Node.objects.filter(pk__in=nodes).values_list("pk", "target__name")
        names.update({pk: f"node {target}" for pk, target in found})
    return names


def by_machine(actor_id: str) -> bool:
    """Tell whether the platform or a node did it, and no person or service account."""
    return not actor_id.startswith(("per_", "svc_"))


def in_words(text: str) -> str:
    """Return an event's sentence as people read it.

    Ids are cut to their ends, an enumerated word at the end loses its underscores, one of a thing
    is singular, and weights, sizes and times get their units.
    """
    text = _ID.sub(r"\1…\2", text)
    text = _LAST_WORD.sub(lambda found: WORDS.get(found[0], found[0].replace("_", " ")), text)
    text = _ONE.sub(r"\1\2", text)
    text = _WEIGHT.sub(lambda found: f"{int(found[1]) / 100:g} % of the traffic", text)
    text = _SECONDS.sub(lambda found: spell(int(found[1])), text)
    return _BYTES.sub(lambda found: f"{int(found[1]) / 1000:,.0f} kB".replace(",", "\u202f"), text)
