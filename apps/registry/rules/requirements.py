"""Requirements are names and versions only: nothing that fetches from elsewhere or runs code."""

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from placet.kernel.problems import FieldError

MAX_LINES, MAX_LENGTH = 300, 300


def requirement_faults(lines: list[str], pointer: str = "/requirements") -> list[FieldError]:
    """Return what is wrong with each line. Extras and markers are allowed."""
    if len(lines) > MAX_LINES:
        return [FieldError(pointer, f"At most {MAX_LINES} requirements")]
    faults: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for position, line in enumerate(lines):
        here = f"{pointer}/{position}"
        problem = _line_problem(line)
        if problem:
            faults.append(FieldError(here, problem))
            continue
        parsed = Requirement(line)
        key = (canonicalize_name(parsed.name), str(parsed.marker or ""))
        if key in seen:
            faults.append(FieldError(here, f"{parsed.name} is required twice: keep one line"))
        seen.add(key)
    return faults


def _line_problem(line: str) -> str:
    if not line.strip() or len(line) > MAX_LENGTH:
        return f"A requirement has 1 to {MAX_LENGTH} characters"
    if not line.isprintable() or "{{" in line:
        return "A requirement may not hold control characters, line breaks or '{{'"
    text = line.strip()
    if text.startswith("-"):
        return "Options such as -r, -e, -c, --index-url are refused: names and versions only"
    try:
        parsed = Requirement(text)
    except InvalidRequirement:
        if "://" in text or "/" in text or text.startswith(".") or text.endswith((".whl", ".gz")):
            return _NO_ADDRESS
        return f"Not a requirement: {text[:80]!r}; write for example scikit-learn==1.7.2"
    if parsed.url is not None:
        return _NO_ADDRESS
    if any(s.operator == "===" for s in parsed.specifier):
        return "Use == for an exact version"
    return ""


_NO_ADDRESS = "URLs, paths and repositories are refused: name a package and its version"


def pinned_version(lines: list[str], name: str) -> str:
    """Return the exact version that ``lines`` pin ``name`` to, or ''."""
    wanted = canonicalize_name(name)
    for line in lines:
        try:
            parsed = Requirement(line)
        except InvalidRequirement:
            continue
        if canonicalize_name(parsed.name) != wanted:
            continue
        for specifier in parsed.specifier:
            if specifier.operator == "==" and not specifier.version.endswith(".*"):
                return specifier.version
    return ""
