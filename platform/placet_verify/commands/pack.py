"""The verifier as one file that needs nothing but Python and ``cryptography``.

A zip application (PEP 441) of this package and of ``rfc8785``, which it is built on. The same code
gives the same bytes, so that anybody can make it again and compare.
"""

import io
import zipfile
from functools import cache
from importlib import metadata
from pathlib import Path

import placet_verify

SHEBANG = b"#!/usr/bin/env python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAIN = "from placet_verify.__main__ import main\nraise SystemExit(main())\n"


@cache
def packed() -> bytes:
    """Return the bytes of ``placet-verify.pyz``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(_files().items()):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return SHEBANG + buffer.getvalue()


def _files() -> dict[str, bytes]:
    files = {"__main__.py": _MAIN.encode()}
    folder = Path(placet_verify.__file__).parent
    for path in folder.rglob("*.py"):
        files[f"placet_verify/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    for part in metadata.files("rfc8785") or []:
        if part.suffix == ".py" or "LICENSE" in part.name:
            files[part.as_posix()] = part.read_binary()
    return files
