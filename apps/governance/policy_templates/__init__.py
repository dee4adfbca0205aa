"""What a new project's environments start with: one policy for each, in files beside this one."""

from dataclasses import dataclass
from pathlib import Path

from placet.kernel.problems import FieldError, InvalidInput

ENVIRONMENTS = ("development", "staging", "production")  # in their order


@dataclass(frozen=True, slots=True)
class PolicyTemplate:
    """The policies of one kind of project, and what they ask, in a sentence."""

    name: str
    title: str
    says: str
    sources: dict[str, str]  # by environment, as people would write them


def _template(name: str, title: str, says: str) -> PolicyTemplate:
    folder = Path(__file__).with_name(name)
    sources = {place: (folder / f"{place}.yaml").read_text("utf-8") for place in ENVIRONMENTS}
    return PolicyTemplate(name, title, says, sources)


DEFAULT = "customer-facing"
TEMPLATES = {
    template.name: template
    for template in (
        _template(
            "internal",
            "Internal",
            "For models that only colleagues use. One approver lets a release into production.",
        ),
        _template(
            "customer-facing",
            "Customer-facing",
            "A reviewer for staging; an hour there, a reviewer and an approver for production.",
        ),
        _template(
            "regulated",
            "Regulated",
            "Evidence of fairness and explainability, a model card, a day in staging, an analysed "
            "rollout; a security reviewer for staging, a product reviewer and an approver for "
            "production, none of whom touched the files.",
        ),
    )
}


def template_named(name: str) -> PolicyTemplate:
    """Return the template called ``name``, the default one for ''; refuse a name that is none."""
    template = TEMPLATES.get(name or DEFAULT)
    if template is None:
        detail = f"One of {', '.join(TEMPLATES)}"
        raise InvalidInput(errors=[FieldError("/template", detail)])
    return template
