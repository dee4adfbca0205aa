"""What a format is: its record, what it reads from, and what it finds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from apps.registry.errors import FormatUnknown
from apps.registry.rules import pinned_version
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


@dataclass(frozen=True, slots=True)
class Conversion:
    """How models become ONNX, which a build tries where it is asked to accelerate.

    ``by`` names what converts, ``workers/builder/templates/converting/of_BY.py``; ``packages`` are
    what that, and answering with ONNX, need beside the format's own.
    """

    by: str
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """All that is particular to a format; whoever asks something of one reads it here.

    A model is a file with one of the ``endings``, or the folder around a file called ``root``;
    ``find`` tells its paths where neither says enough. The service of the format NAME predicts
    with ``workers/builder/templates/model_NAME.py``.
    """

    name: str  # published, and frozen with every version
    title: str  # of the library, or of the folder with its article: it stands in sentences
    endings: tuple[str, ...] = ()
    root: str = ""
    find: Callable[[Files], list[str]] | None = None
    text: bool = False  # the scan takes its files for texts, and reads nothing else in them
    derive: Callable[[Files], Derived]
    project: bool = False  # it has a service and APIs of its own; Placet generates none
    lacking: Callable[[list[str]], str] = lambda requirements: ""  # what they lack, in words
    packages: tuple[str, ...] = ()  # what its service needs, unless the version names it
    instead: Mapping[str, str] = field(default_factory=dict)  # by package: what does as well
    # The oldest versions of its libraries with which files that the scan calls safe were tried, by
    # the module that loads the files; of a module that must not be there, none.
    safe_from: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    shared: tuple[str, ...] = ()  # templates beside its own
    trusts_types: bool = False  # it loads those types alone that the scan read
    wipe_memory: bool = False  # it may run ONNX Runtime, whose answers hold memory of others
    onnx: Conversion | None = None
    family: str = ""  # of models, in their bill of materials, where the format alone says it

    def candidates(self, files: Files) -> list[str]:
        """Return the sorted paths of what could be a model of this format."""
        if self.find is not None:
            return self.find(files)
        if self.root:
            return [self.root] if self.root in files.sizes else []
        return files.ending(*self.endings)

    @property
    def upload(self) -> str:
        """Return what to upload, in words."""
        if self.root:
            return f"{self.title} with its {self.root}"
        *others, last = self.endings
        return f"one {', '.join(others)}{' or ' if others else ''}{last} file of {self.title}"


def pinned(example: str) -> Callable[[list[str]], str]:
    """Return what demands one version of a library, ``example`` being one.

    What was pickled, or written by its types, loads in the version that wrote it.
    """
    library = example.partition("==")[0]

    def lacking(requirements: list[str]) -> str:
        if pinned_version(requirements, library):
            return ""
        return f"Pin {library} to the version that you trained with, for example {example}"

    return lacking


def unsaid(name: str, detail: str) -> Derived:
    """Return that files of the format ``name`` tell no signature, and why."""
    fault = FieldError("/signature", f"{detail}: give the signature yourself")
    return Derived(name, faults=[fault])


def short_text(text: Any) -> str:
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
