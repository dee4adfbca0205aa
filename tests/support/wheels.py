"""A wheel that wants to be run as it is installed, in every way that a wheel might."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping

NAME = "sly-1.0-py3-none-any.whl"
# what it is called → where in the wheel's ``.data`` it lies: each would be taken for a Python's
PYTHONS = {
    "the_configuration": "data/pyvenv.cfg",
    "a_configuration_beside_the_program": "scripts/pyvenv.cfg",
    "the_same_by_data": "data/bin/pyvenv.cfg",
    "the_program": "scripts/python",
    "another_name_of_the_program": "data/bin/python3",
    "the_place_of_the_library": "data/bin/python._pth",
    "the_library": "data/lib/python3.13/encodings/__init__.py",
    "a_way_out": "data/../../../runtime/pyvenv.cfg",
}
_FOLDERS = ("python3.11", "python3.12", "python3.13", "python3.14")


def config(home: str) -> str:
    """Return a configuration that has a runtime at ``home`` start with what ``fake`` gives."""
    return f"home = {home}/fake/bin\ninclude-system-site-packages = false\nversion = 3.13.5\n"


def fake(home: str) -> dict[str, str]:
    """Return a library whose first module leaves a file ``ran-…`` in ``home`` when it runs."""
    ran = f"import posix\nposix.open('{home}/ran-' + str(posix.getpid()), posix.O_CREAT, 0o644)\n"
    modules = {"encodings/__init__.py": ran, "os.py": ""}
    return {
        f"sly-1.0.data/data/fake/lib/{folder}/{name}": text
        for folder in _FOLDERS
        for name, text in modules.items()
    }


def wheel(more: Mapping[str, str], home: str) -> bytes:
    """Return a wheel whose code asks to be started with every Python, with ``more`` files."""
    files, rows = {**_files(home), **more}, []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        rows.append(f"{name},sha256={digest.decode()},{len(text)}\n")
    record = "".join([*rows, "sly-1.0.dist-info/RECORD,,\n"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in {**files, "sly-1.0.dist-info/RECORD": record}.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = 0o100755 << 16
            archive.writestr(member, text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _files(home: str) -> dict[str, str]:
    tags = "Root-Is-Purelib: true\nTag: py3-none-any\n"
    return {
        "sly.pth": f"import os; open('{home}/ran-' + str(os.getpid()), 'w').close()\n",
        "sitecustomize.py": f"open('{home}/ran-too', 'w').close()\n",
        "sly.py": "COLOR = 'green'\n",
        "sly-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: sly\nVersion: 1.0\n",
        "sly-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\n{tags}",
    }
