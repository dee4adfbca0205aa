"""What people write, as it is kept."""

from placet.kernel.problems import FieldError, InvalidInput


def clean_text(field: str, text: str, *, limit: int, empty: bool = False) -> str:
    """Return ``text`` stripped, or refuse it: empty, too long, or with control characters.

    A line ends with one character, however it came: what a form sends and what a script sends of
    the same text must be one text, which a passkey may have signed.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text and not empty:
        raise InvalidInput(errors=[FieldError(f"/{field}", "It must not be empty")])
    if len(text) > limit:
        raise InvalidInput(errors=[FieldError(f"/{field}", f"At most {limit} characters")])
    if any((ord(c) < 32 and c not in "\n\t") or c == "\x7f" for c in text):
        raise InvalidInput(errors=[FieldError(f"/{field}", "It holds a control character")])
    return text
