"""A runtime is installed before anybody approved what is in it: nothing of it runs then."""

import base64
import hashlib
import io
import zipfile

from placet_verify import canonical
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform

WHEEL = "sly-1.0-py3-none-any.whl"
FILES = {
    "sly.pth": "import os; open('/runtime/ran-' + str(os.getpid()), 'w').close()\n",
    "sitecustomize.py": "open('/runtime/ran-too', 'w').close()\n",
    "sly.py": "COLOR = 'green'\n",
    "sly-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: sly\nVersion: 1.0\n",
    "sly-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


def wheel() -> bytes:
    """Return a wheel whose code asks to be started with every Python."""
    rows = []
    for name, text in FILES.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        rows.append(f"{name},sha256={digest.decode()},{len(text)}\n")
    record = "".join([*rows, "sly-1.0.dist-info/RECORD,,\n"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in {**FILES, "sly-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    return packed.getvalue()


def test_nothing_of_a_runtime_runs_as_it_is_installed(
    platform: Platform, node: NodeUnderTest
) -> None:
    content = wheel()
    digest = hashlib.sha256(content).hexdigest()
    platform.blobs[digest] = content
    named = {"python_version": platform.python_version, "lock": f"sly==1.0 --hash=sha256:{digest}"}
    wheels = [{"name": WHEEL, "sha256": digest, "size": len(content)}]
    platform.manifest, platform.runtime = {**named, "wheels": wheels}, canonical.digest(named)
    bento = platform.build("one", lock=named["lock"])

    platform.prefetch = [{"bento_digest": bento, "runtime_digest": platform.runtime}]
    platform.publish()
    platform.wait(lambda: platform.reports and bento in platform.reports[-1]["prefetched"], 60)

    home = node.home.folder / "runtimes" / platform.runtime.removeprefix("sha256:") / "home"
    assert list(home.glob("ran-*")) == []
    assert list(home.rglob("site-packages/__pycache__/sly.*.pyc"))
