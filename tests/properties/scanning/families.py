"""All families, by name; each is drawn again from its seed."""

from tests.properties.scanning import (
    archives,
    both,
    folders,
    forests,
    forged,
    outside,
    pickles,
    polyglots,
    wrappers,
)
from tests.properties.scanning.drawn import Drawn, Family, draw, named

FAMILIES: dict[str, Family] = {
    named(family): family
    for module in (pickles, polyglots, archives, wrappers, folders, forests, forged, both, outside)
    for family in module.FAMILIES
}


def drawn(seed: int, each: int, start: int = 0) -> list[Drawn]:
    """Return ``each`` samples of every family."""
    return [
        draw(name, maker, seed, number)
        for name, maker in FAMILIES.items()
        for number in range(start, start + each)
    ]
