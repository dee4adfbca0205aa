"""The second verifier: one HTML file that checks a release's bundle in a browser, offline.

Written from the specifications and the docs, in JavaScript, so that the two verifiers share no
code and no author's habit: what one overlooks the other may see. The sources are modules in
``source/``; :func:`page` puts them into one file that needs nothing and asks nobody for anything.
The same sources give the same bytes, so that anybody can make it again and compare.
"""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path

from placet_verify.bundle.bundle import READMES

NAME = "placet-verify.html"
_SOURCE = Path(__file__).parent / "source"
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


@cache
def page() -> bytes:
    """Return the bytes of ``placet-verify.html``."""
    style = (_SOURCE / "page.css").read_text("utf-8")
    script = _bundled("page")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)};"
        " connect-src 'none'; base-uri 'none'; form-action 'none'"
    )
    text = (_SOURCE / "page.html").read_text("utf-8")
    for name, content in (("policy", policy), ("style", style), ("script", script)):
        text = text.replace("{{" + name + "}}", content)
    return text.encode("utf-8")


def _bundled(entry: str) -> str:
    """Return ``entry`` and every module that it needs as one script, each in a scope of its own."""
    scopes: dict[str, str] = {}
    _add(entry, scopes)
    return "\n" + "\n".join(scopes.values())


def _add(name: str, scopes: dict[str, str]) -> None:
    text = _module(name)
    for _, needed in _IMPORT.findall(text):
        if needed not in scopes:
            _add(needed, scopes)
    body = _EXPORT.sub("", _IMPORT.sub(r"const \1 = $\2;", text))
    offered = ", ".join(_EXPORT.findall(text))
    scopes[name] = f"const ${name} = (() => {{\n{body}\nreturn {{ {offered} }};\n}})();\n"


def _module(name: str) -> str:
    if name == "readme":  # the texts that bundles hold, by format: they have one place
        return f"export const READMES = {json.dumps(list(READMES.items()))};\n"
    return (_SOURCE / f"{name}.js").read_text("utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
