"""What a token may do, as people choose it: by what they need it for."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from apps.identity.rules.roles import SCOPES, VIEW

CUSTOM = "custom"  # the person names each permission


@dataclass(frozen=True, slots=True)
class Preset:
    """The permissions that one use needs; a token gets those of them that its holder has.

    ``needs_all`` says that the use is not what the holder may do, but all that is named.
    """

    name: str
    title: str
    help: str
    permissions: frozenset[str]
    needs_all: bool = False

    def lacking(self, held: Collection[str]) -> frozenset[str]:
        """Return what its use needs and ``held`` has not."""
        return self.permissions - frozenset(held) if self.needs_all else frozenset()


PRESETS: tuple[Preset, ...] = (
    Preset(
        "cli",
        "Command line",
        "All that you may do and a token may: no decisions, policies in force or access.",
        SCOPES,
    ),
    Preset(
        "ci",
        "CI: register and build",
        "Registers models and versions with evidence, builds them, and reads what came of it.",
        VIEW
        | {
            *("model.create", "model.edit", "version.create", "version.edit", "evidence.add"),
            *("alias.set", "build.start", "build.cancel"),
        },
        needs_all=True,
    ),
    Preset(
        "read",
        "Read only",
        "Sees what you see, and changes nothing.",
        frozenset(name for name in SCOPES if name.endswith(".view")),
    ),
)
DEFAULT = PRESETS[0].name
NAMES = (*(preset.name for preset in PRESETS), CUSTOM)


def preset_scopes(name: str, held: Collection[str]) -> list[str] | None:
    """Return which of ``held`` the preset ``name`` gives a token; ``None`` when it is none."""
    found = next((p for p in PRESETS if p.name == name), None)
    return None if found is None else sorted(found.permissions & frozenset(held))


def preset_for(permissions: Iterable[str]) -> str:
    """Return the narrowest preset that has all of ``permissions``; the first has all there are."""
    wanted = frozenset(permissions) & SCOPES
    fitting = [p for p in PRESETS if wanted <= p.permissions]
    return min(fitting, key=lambda p: len(p.permissions)).name
