"""What people write, as it is kept."""

import unicodedata

from placet.kernel.problems import FieldError, InvalidInput

# Embeddings, overrides and isolates: what stands behind one is drawn in another order, also of the
# page around it.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
TURNS = "It holds a character that turns the order of letters: take it out"
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters by their kind that show nothing


def clean_text(field: str, text: str, *, limit: int, empty: bool = False) -> str:
    """Return ``text`` stripped, or refuse it: empty, too long, or with control characters
    or those that turn text around.

    A line ends with one character, however it came: what a form sends and what a script sends of
    the same text must be one text, which a passkey may have signed.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not empty and all(unicodedata.category(c)[0] in "CZ" or c in BLANK for c in text):
        raise InvalidInput(errors=[FieldError(f"/{field}", "It must not be empty")])
    if len(text) > limit:
        raise InvalidInput(errors=[FieldError(f"/{field}", f"At most {limit} characters")])
    if any((ord(c) < 32 and c not in "\n\t") or c == "\x7f" for c in text):
        raise InvalidInput(errors=[FieldError(f"/{field}", "It holds a control character")])
    if TURNING & set(text):
        raise InvalidInput(errors=[FieldError(f"/{field}", TURNS)])
    return text
