"""Scans files: what any loader could do with each, by :mod:`loaders`, and whether it is whole.

``safe`` is said only by a reader that knows the kind of a file and found it whole. Whatever its
name and first bytes, a file is walked as a pickle too, since a loader that unpickles asks for
neither.
"""

import posixpath
import stat
import tarfile
import tempfile
import zipfile
from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

from workers.builder.scanning import kinds, readers, skops_arrays, texts
from workers.builder.scanning.archives import (
    MAX_DIRECTORY,
    MAX_EXPANDED,
    Disagreement,
    Headers,
    ShortReads,
    check_tar_end,
    check_zip,
    has_end,
    refuse_crowded,
)
from workers.builder.scanning.compressed import (
    OPENERS,
    STREAMS,
    TooMany,
    begins,
    in_pieces,
    unzipped,
)
from workers.builder.scanning.known import harmless, leads_nowhere, shown
from workers.builder.scanning.loaders import compression, endings, imports, takes
from workers.builder.scanning.pickled import Walk
from workers.builder.scanning.report import Report, is_of_the_machine
from workers.builder.scanning.walker import walk_pickle

MAX_DEPTH = 6
MAX_TOLD = 300  # letters of a finding: a name, and what to do instead
MAX_MEMBERS = 20_000
HEAD = 512
LIKE_A_PICKLE = "begins like a pickle: begin it with a comment or a header"
LINK = "holds a link or a device"
# A zip that tells no type has plain files, and folders by their names.
PLAIN_TYPES = frozenset({0, stat.S_IFREG, stat.S_IFDIR})
# Systems whose programs keep other things where Unix has the type; some unzip a link all the same.
DOS = frozenset({0, 10, 11, 14})  # FAT, NTFS, as Info-ZIP says it, and VFAT (APPNOTE 4.4.2)
TAR = "is a tar, which versions of Python read differently: pack it as a zip"
# By its name pandas decompresses a pickle (pandas/io/common.py, infer_compression).
COMPRESSED = {
    ".gz": {"joblib gzip"},
    ".bz2": {"joblib bz2"},
    ".xz": {"joblib xz", "joblib lzma"},
    ".lzma": {"joblib xz", "joblib lzma"},
    ".zst": set[str](),
}


class Scanner:
    """Scans files one after the other into one report."""

    def __init__(self, root: Path, most: int = 0) -> None:
        self.root, self.report = root, Report()
        self.most = most or MAX_EXPANDED  # bytes that archives may unpack to
        self.pickles: set[str] = set()  # what an unpickler follows: whole, or to what it asks for
        self.in_order: list[str] = []  # the same, as far as somebody asked
        self.unfollowed: set[str] = set()  # of them those that no walk came to the end of
        self.longest: dict[str, int] = {}  # opcodes of the longest pickle in a file
        self.words: set[str] = set()  # texts that may be looked up, and call nothing
        self.weights: set[str] = set()  # files that an ONNX model reads its weights from
        # what may be such weights, before all models are read, and whether it is an archive
        self.waiting: dict[Path, bool] | None = {}
        self.crowded: set[str] = set()  # zips of which no directory is read
        self.packed: dict[str, set[str]] = {}  # what is in each zip
        self.beside: set[str] = set()  # what modules could be called that lie in the artifact

    def scan_files(self) -> None:
        """Scan everything under the root, the small files first: of them something may be told
        before a large one takes all the time. What ONNX models may call their weights is named at
        last, for they say so."""
        every = [p for p in self.root.rglob("*") if p.is_symlink() or not p.is_dir()]
        folders = {part for path in every for part in path.relative_to(self.root).parts[:-1]}
        modules = {path.name for path in every if imports(path.name)}
        self.beside = {name.partition(".")[0] for name in folders | modules}
        for path in sorted(every, key=lambda path: (path.lstat().st_size, path)):
            self._tried(path, self.scan_file)
        waiting, self.waiting = self.waiting or {}, None
        for path in waiting:
            self._tried(path, partial(self._named, archive=waiting[path]))

    def _tried(self, path: Path, scan: Callable[[Path], None]) -> None:
        try:
            scan(path)
        except Exception as error:  # whatever goes wrong, the file is not called safe
            self.report.failed(self._name(path), error, "scanned")

    def _named(self, path: Path, *, archive: bool) -> None:
        """Read a file that may be the weights of an ONNX model, now that all of these are known."""
        with path.open("rb") as stream:
            head = stream.read(HEAD)
            name = path.relative_to(self.root).as_posix()
            self._plain(name, path.name, stream, head, archive=archive)

    def _name(self, path: Path) -> str:
        return shown(path.relative_to(self.root).as_posix())

    def scan_file(self, path: Path) -> None:
        """Scan one file of the artifact."""
        if path.is_symlink() or not path.is_file():
            self.report.note(self._name(path), "malicious", "is not a plain file")
            return
        with path.open("rb") as stream:
            self.scan(path.relative_to(self.root).as_posix(), path.name, stream, 0)

    def scan(
        self, name: str, own: str, stream: IO[bytes], depth: int, *, whole: bool = True
    ) -> None:
        """Scan one stream that can seek: ``name`` leads to it, ``own`` is its own. Of one that is
        not ``whole`` the rest could not be read, and that has been told."""
        self.report.members += 1
        label = shown(name)
        if depth > MAX_DEPTH or self.report.members > MAX_MEMBERS:
            self.report.note(label, "unknown", "is nested too deeply or holds too many members")
            return
        head = stream.read(HEAD)
        if not head:  # there is nothing in it to load
            self.report.note(label, "safe", "")
            return
        stream.seek(0)
        # Whoever takes a persistent id takes this for a zip; all others end at its first byte.
        warn = partial(self.report.once, label, "malicious")
        walk = Walk() if takes("torch zip", head) else walk_pickle(stream, warn)
        if walk.is_a_value and kinds.is_called_text(PurePosixPath(own)) and texts.is_plain(stream):
            walk = Walk()
        elif walk.asks_alone and self._is_words(stream, walk):
            self.report.note(label, "code-carrying", LIKE_A_PICKLE)
            walk = Walk()
        elif walk.asks_alone and harmless(walk.asked) and texts.is_plain(stream):
            self.report.note(label, "unknown", LIKE_A_PICKLE)
            self.words.add(label)
            walk.soften()
        self.report.cut |= walk.cut
        self._pickle(label, walk)
        stream.seek(0)
        archive = self._archive(name, own, stream, head, depth)
        if walk.whole or walk.effects:
            return
        # whatever else it is: a tar may begin so
        for verdict, what in (*readers.forests(stream), *readers.behind(stream)):
            self.report.note(label, verdict, what[:MAX_TOLD])
        self._plain(name, own, stream, head, archive=archive, whole=whole)

    def _is_words(self, stream: IO[bytes], walk: Walk) -> bool:
        """Tell whether a text that begins like a pickle is one by chance.

        A line of one word that begins with "c" or "i" asks for a module, and for a name in it.
        Whoever unpickled it would look for that, and fail: it is nowhere.
        """
        return texts.is_plain(stream) and all(
            leads_nowhere(*one) and one[0].partition(".")[0] not in self.beside
            for one in walk.asked
        )

    def _pickle(self, label: str, walk: Walk) -> None:
        """Count what unpickling would do. A pickle that is cut off has done it until there."""
        if not walk.whole and not walk.effects:
            return
        self.pickles.add(label)
        self.in_order = []
        file = label.partition("!")[0]
        self.longest[file] = max(self.longest.get(file, 0), walk.longest)
        self.report.note(label, "code-carrying", "is a pickle")
        for verdict, what in walk.findings:
            self.report.once(label, verdict, what)
        self.report.note(label, walk.verdict, "")
        if not walk.complete:
            self.unfollowed.add(label)
            self.report.note(label, "unknown", f"is a pickle that is not whole: {walk.error}")

    def _archive(self, name: str, own: str, stream: IO[bytes], head: bytes, depth: int) -> bool:
        """Go into what holds files, in every way that some reader would; tell whether one did."""
        ways = []
        if takes("numpy zip", head) or has_end(stream):
            ways.append(self._zip)
        opener = compression(head)
        opener = opener if opener and begins(opener, stream) else ""
        if opener:
            ways.append(lambda *arguments: self._compressed(opener, *arguments))
        if opener not in COMPRESSED.get(readers.suffix_of(PurePosixPath(own)), {opener}):
            what = "is not compressed as its name says, or in a way that is not read here"
            self.report.note(shown(name), "unknown", what)
        if _is_tar(head):
            ways.append(self._tar)
        for go_in in ways:
            stream.seek(0)
            try:
                go_in(name, stream, depth)
            except Disagreement as fault:
                self._odd(name, fault)
            except Exception as error:
                self._broken(name, error)
        return bool(ways)

    def _broken(self, name: str, error: Exception) -> None:
        self.report.cut |= is_of_the_machine(error)
        broken = f"is a broken archive ({type(error).__name__})"
        what = STREAMS if isinstance(error, TooMany) else broken
        self.report.once(shown(name), "unknown", what)

    def _odd(self, name: str, fault: Disagreement) -> None:
        what = f"is an archive that two readers could read differently: {fault}. Pack it anew"
        self.report.note(shown(name), "unknown", what)

    def _plain(
        self,
        name: str,
        own: str,
        stream: IO[bytes],
        head: bytes,
        *,
        archive: bool,
        whole: bool = True,
    ) -> None:
        """Read a file as what its name and first bytes say, for that is what its loader goes by,
        though it is an archive too: a text can be a whole zlib stream, and a model a tar."""
        label = shown(name)
        # A member of an archive may have the path of another file.
        if "!" not in name and kinds.is_weights(PurePosixPath(own), head, stream):
            if self.waiting is not None:
                self.waiting[self.root / name] = archive
                return
            if name in self.weights:  # read by nobody but onnxruntime, as numbers
                self.report.note(label, "safe", "")
                return
        reader = kinds.reader(PurePosixPath(own), head, name, stream)
        if reader is None:
            if not archive:
                self.report.note(label, "unknown", "is of no known format")
            return
        beside = self.packed.get(name.rpartition("!")[0], ())
        place = readers.Place(self.root, name, self.report, self.weights, whole, beside)
        for verdict, what in reader(stream, place):
            self.report.note(label, verdict, what[:MAX_TOLD])

    def followed(self, told: str) -> bool:
        """Tell whether a file is pickles, or holds some, and each was followed to its end."""
        inside, begin = {told} & self.pickles, f"{told}!"
        self.in_order = self.in_order or sorted(self.pickles)
        place = bisect_left(self.in_order, begin)
        while place < len(self.in_order) and self.in_order[place].startswith(begin):
            inside.add(self.in_order[place])
            place += 1
        return bool(inside) and inside.isdisjoint(self.unfollowed)

    # archives
    def _zip(self, name: str, stream: IO[bytes], depth: int) -> None:
        try:
            refuse_crowded(stream, MAX_MEMBERS)
        except Disagreement:
            self.crowded.add(name)
            raise
        try:
            check_zip(stream, self.most)
        except Disagreement as fault:  # what zipfile finds in it counts as well
            self._odd(name, fault)
        stream.seek(0)
        bounded = cast(IO[bytes], ShortReads(stream, MAX_DIRECTORY, "directory"))
        with zipfile.ZipFile(bounded) as archive:
            self.packed[name] = {posixpath.normpath(one) for one in archive.namelist()}
            for entry in archive.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                foreign = entry.create_system in DOS and not stat.S_ISLNK(kind)
                if kind not in PLAIN_TYPES and not foreign:
                    self.report.note(shown(name), "malicious", LINK)
                if entry.is_dir() and not entry.file_size:  # NumPy reads what it is called
                    continue
                own = entry.filename
                self._member(name, own, own, unzipped(archive, entry), depth)
            called_so = name.lower().endswith(tuple(endings("skops")))
            for verdict, what in skops_arrays.told(archive, called_so=called_so):
                self.report.note(shown(name), verdict, what[:MAX_TOLD])

    def _tar(self, name: str, stream: IO[bytes], depth: int) -> None:
        label = shown(name)
        # Pythons differ over long names, sizes in two places and what else it could be.
        self.report.note(label, "code-carrying", TAR)
        headers = Headers(stream)
        with tarfile.open(fileobj=cast(IO[bytes], headers), mode="r:") as archive:
            seen: set[str] = set()
            for entry in headers.members(archive):
                plain = entry.type in tarfile.REGULAR_TYPES and not entry.issparse()
                self.report.members += not plain
                if self.report.members > MAX_MEMBERS:
                    raise Disagreement("it holds too many members")
                if entry.isdir():
                    continue
                member = archive.extractfile(entry) if plain else None
                if member is None:
                    self.report.note(label, "malicious", LINK)
                    continue
                if entry.name in seen:
                    self._odd(name, Disagreement("two members have one name"))
                seen.add(entry.name)
                self._member(name, entry.name, entry.name, in_pieces(member), depth)
            check_tar_end(stream, archive.offset)  # where tarfile met the first block of zeros

    def _compressed(self, opener: str, name: str, stream: IO[bytes], depth: int) -> None:
        if opener not in OPENERS:
            self.report.note(
                shown(name), "unknown", f"is compressed for {opener}, which is not read here"
            )
            return
        with OPENERS[opener](stream) as plain:
            own = PurePosixPath(name.rpartition("!")[2]).stem
            whole = self._member(name, "", own, in_pieces(plain), depth)
            if whole and getattr(plain, "trailing", False):
                raise Disagreement("something stands behind its end")

    def _member(
        self, archive: str, inside: str, own: str, pieces: Iterable[bytes], depth: int
    ) -> bool:
        """Copy a member out, so that it can be read to and fro, and scan it: as far as it could be
        read, for a loader would have come as far. Tell whether that was all of it."""
        name, whole = f"{archive}!{inside}", True
        with tempfile.SpooledTemporaryFile(64 << 20) as copy:
            try:
                for piece in pieces:
                    copy.write(piece)
                    self.report.expanded += len(piece)
                    if self.report.expanded > self.most:
                        whole = False
                        what = "expands to more than a scan may read"
                        self.report.note(shown(name), "unknown", what)
                        break
            except Exception as error:
                whole = False
                self._broken(archive, error)
            copy.seek(0)
            try:
                self.scan(name, own, copy, depth + 1, whole=whole)
            except Exception as error:  # others read on
                self.report.failed(shown(name), error, "scanned")
        return whole


def _is_tar(head: bytes) -> bool:
    """A tar needs no magic bytes: Unix V7 wrote none, and tarfile goes by the checksum."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
