"""Seeks a secret in whatever was written: as it is, and in the forms that others write it in."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus


def forms(secret: str) -> set[bytes]:
    """Return a secret as it is, in base64 at each of its three places, hex, URLs and JSON."""
    raw = secret.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    found |= {quote(secret).encode(), quote(secret, safe="").encode(), quote_plus(secret).encode()}
    found |= {json.dumps(secret)[1:-1].encode(), json.dumps(secret, ensure_ascii=False).encode()}
    for shift in range(3):  # what stands before it moves it by so many bytes
        whole = base64.b64encode(b"\0" * shift + raw)
        kept = whole[4 if shift else 0 :].rstrip(b"=")[:-1]
        found |= {kept, kept.replace(b"+", b"-").replace(b"/", b"_")}
    return {form for form in found if len(form) >= 6}


def leaks(text: bytes, *secrets: str) -> list[bytes]:
    """Return the forms of secrets that stand in ``text``."""
    return sorted(form for secret in secrets for form in forms(secret) if form in text)


def found_in(folder: Path, *secrets: str, but: Iterable[str] = ()) -> list[str]:
    """Return the files below ``folder`` in which a secret stands, in any form."""
    left_out = set(but)
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and path.name not in left_out
        and leaks(path.read_bytes(), *secrets)
    )
