"""Refusals of the app."""

from placet.kernel.problems import Forbidden


class NarrowToken(Forbidden):
    """A token that only reads stops nobody's mail, and one of a project no mail of another."""

    code, title = "narrow_token", "With this token nothing is chosen here"


class OnlyPeople(Forbidden):
    """A program has no mail: only people watch something and are told of it."""

    code, title = "only_people", "Only people are told by mail"
