"""Refusals of the app."""

from placet.kernel.problems import Forbidden


class OnlyPeople(Forbidden):
    """A program has no mail: only people watch something and are told of it."""

    code, title = "only_people", "Only people are told by mail"
