"""What a format reads from, and what it finds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from apps.registry.errors import FormatUnknown
from placet.kernel import yaml_text
from placet.kernel.problems import FieldError, TooLarge

MAX_FEATURES = 10_000  # columns that a file may tell; a service can be made for no more


@dataclass(frozen=True, slots=True)
class Files:
    """A version's files: their sizes by path, and two readers.

    ``reader(path, limit)`` gives a whole file and refuses a larger one; ``opener(path)`` gives its
    bytes from the first on, as a stream that may not be able to seek.
    """

    sizes: Mapping[str, int]
    reader: Callable[[str, int], bytes]
    opener: Callable[[str], IO[bytes]]

    def ending(self, *endings: str) -> list[str]:
        """Return the sorted paths with one of these endings, whatever their case."""
        return sorted(path for path in self.sizes if path.lower().endswith(endings))

    def header(self, path: str, size: int) -> bytes:
        """Return a file's first bytes, which is enough to tell what it is."""
        with self.opener(path) as stream:
            return stream.read(size)

    def read(self, path: str, limit: int) -> bytes:
        """Return a file's bytes; one larger than ``limit`` is refused by name."""
        try:
            return self.reader(path, limit)
        except TooLarge:
            raise refusal(path, f"larger than {limit // 1024} kB, which it should not be") from None


@dataclass(slots=True)
class Derived:
    """What the files told. ``None`` is "they do not say"; ``faults`` say why, by field, and
    matter only where the author left that field out."""

    format: str
    python_version: str = ""
    requirements: list[str] | None = None
    variables: tuple[str, ...] = ()  # the names of variables that it reads
    signature: dict[str, Any] | None = None
    example: list[dict[str, Any]] | None = None
    faults: list[FieldError] = field(default_factory=list)


def unsaid(name: str, detail: str) -> Derived:
    """Return that files of the format ``name`` tell no signature, and why."""
    fault = FieldError("/signature", f"{detail}: give the signature yourself")
    return Derived(name, faults=[fault])


def shown(text: Any) -> str:
    """Return what a file calls something as a message can hold it: short, and escaped."""
    whole = str(text)
    return repr(whole if len(whole) <= 60 else f"{whole[:60]}…")


def outputs_of_trees(classes: int, targets: int = 1) -> list[dict[str, Any]]:
    """Return the output columns of boosted trees: ``classes`` is 0 for a regression."""
    if classes == 0:
        value: dict[str, Any] = {"name": "prediction", "type": "double"}
        return [{**value, "shape": [targets]} if targets > 1 else value]
    label = {"name": "prediction", "type": "long"}
    if classes == 2:
        return [label, {"name": "probability", "type": "double"}]
    return [label, {"name": "probabilities", "type": "double", "shape": [classes]}]


def refusal(path: str, detail: str) -> FormatUnknown:
    """Return the error that names a file and what is wrong with it."""
    text = f"{path}: {detail}"
    return FormatUnknown(text, errors=[FieldError(f"/files/{path}", detail)])


def yaml_of(files: Files, path: str, limit: int) -> Any:
    """Return what a YAML file says. Raises the error that names the file, line and fault."""
    try:
        return yaml_text.read(files.read(path, limit).decode("utf-8")).value
    except yaml_text.YamlFault as fault:
        name = f"{fault.path[-1]} " if fault.path else ""
        raise refusal(path, f"not valid YAML at line {fault.line}: {name}{fault.detail}") from None
    except UnicodeDecodeError:
        raise refusal(path, "not valid YAML: it is not UTF-8 text") from None
