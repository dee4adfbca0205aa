"""A drawn file or folder: which family it is of, how it is drawn again, and who loads it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Files = dict[str, bytes]
Made = tuple[Files, tuple[str, ...]]


class Chance(Random):
    """What a sample is drawn by. ``plain``: its pickle is a text, as a file of texts may be."""

    plain = False


Family = Callable[[Chance], Made]

# Who unpickles: neither looks at a file's name (workers/builder/scanning/loaders.py).
PICKLES = ("pickle", "python's pickle", "joblib")
EVERY = (*PICKLES, "numpy", "torch")


@dataclass(frozen=True, slots=True)
class Drawn:
    """Files under their names, and the ways in which they are loaded."""

    family: str
    seed: str
    files: Files
    ways: tuple[str, ...]


def draw(family: str, maker: Family, seed: int, number: int) -> Drawn:
    """Draw one of a family; the same seed and number draw the same."""
    key = f"{seed}/{family}/{number}"
    random = Chance(key)
    random.plain = random.random() < 0.4
    with warnings.catch_warnings():  # of a name that stands twice, of a fit that is poor
        warnings.simplefilter("ignore")
        files, ways = maker(random)
    return Drawn(family, key, files, ways)


def named(family: Callable[[Chance], object]) -> str:
    """Return the name of a family: its function's, as words."""
    return family.__name__.replace("_", " ")
