"""File names that mean the same thing on every system, or are refused."""

import re
import unicodedata
from collections.abc import Iterable

from placet_verify.errors import Malformed

MAX_COMPONENT_BYTES = 255
MAX_NAME_BYTES = 400
_SHOWN = 80
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(?:[. ].*)?", re.IGNORECASE | re.DOTALL
)
# control, format (right-to-left marks and other invisible letters), surrogate, line, paragraph
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class ArchiveRefused(Malformed):
    """The archive or a name in it is not accepted. Nothing of it was kept."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence, code)


def check_name(name: str) -> None:
    """Accept a relative file name with ``/`` between its parts; raise ``ArchiveRefused`` if odd."""
    if not name:
        raise ArchiveRefused("name_empty", "a file has no name")
    if any(unicodedata.category(letter) in _INVISIBLE for letter in name):
        raise ArchiveRefused(
            "name_invisible", f"{shown(name)} holds control or invisible characters"
        )
    if "\\" in name:
        raise ArchiveRefused("name_backslash", f"{shown(name)} holds a backslash")
    if name.startswith("/") or _DRIVE.match(name):
        raise ArchiveRefused("name_absolute", f"{shown(name)} is an absolute path")
    if len(name.encode("utf-8")) > MAX_NAME_BYTES:
        raise ArchiveRefused("name_long", f"{shown(name)} is longer than {MAX_NAME_BYTES} bytes")
    for part in name.split("/"):
        _check_part(name, part)


def _check_part(name: str, part: str) -> None:
    if part in {"", ".", ".."}:
        raise ArchiveRefused("name_traversal", f"{shown(name)} has a part that is empty, . or ..")
    if len(part.encode("utf-8")) > MAX_COMPONENT_BYTES:
        raise ArchiveRefused(
            "name_long", f"{shown(name)} has a part of more than {MAX_COMPONENT_BYTES} bytes"
        )
    if part[-1] in " ." or part[0] == " ":
        raise ArchiveRefused(
            "name_spaces", f"{shown(name)} has a part with a space or dot at its end"
        )
    if _DEVICE.fullmatch(part):
        raise ArchiveRefused("name_device", f"{shown(name)} is the name of a device on Windows")


def shown(name: str) -> str:
    """Return ``name`` as a message may show it: quoted, escaped and short."""
    text = ascii(name)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 2] + "…'"


class ArchiveNames:
    """The names seen so far: none twice, not even in other letters' case, no file inside a file,
    and a folder in one spelling."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        self._files: dict[str, str] = {}
        self._folders: dict[str, tuple[str, str]] = {}  # its spelling, and a name in it
        for name in files:
            self._keep_file(name)

    def conflict(self, name: str) -> str:
        """Return the earlier name that the file ``name`` cannot lie beside on every disk, or ''."""
        key = folded(name)
        if key in self._files:
            return self._files[key]
        return self._folders[key][1] if key in self._folders else self._above(_parents(name))

    def _above(self, folders: list[str]) -> str:
        for folder in folders:
            key = folded(folder)
            if key in self._files:
                return self._files[key]
            spelling, inside = self._folders.get(key, (folder, ""))
            if spelling != folder:
                return inside
        return ""

    def add_file(self, name: str) -> None:
        """Take a file's name; raise ``ArchiveRefused`` when it collides with an earlier one."""
        check_name(name)
        _refuse(name, self.conflict(name))
        self._keep_file(name)

    def add_folder(self, name: str) -> None:
        """Take a folder's name; the same folder may be named again in the same spelling."""
        check_name(name)
        folders = [*_parents(name), name]
        _refuse(name, self._above(folders))
        self._keep_folders(folders, name)

    def _keep_file(self, name: str) -> None:
        self._keep_folders(_parents(name), name)
        self._files[folded(name)] = name

    def _keep_folders(self, folders: list[str], name: str) -> None:
        for folder in folders:
            self._folders.setdefault(folded(folder), (folder, name))


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _refuse(name: str, other: str) -> None:
    if other:
        detail = (
            f"{shown(name)} and {shown(other)} are one name on some system, or a file and a folder"
        )
        raise ArchiveRefused("duplicate", detail)


def folded(name: str) -> str:
    """Return what is equal for names that are one on some system: other case, other marks."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", name).casefold())
