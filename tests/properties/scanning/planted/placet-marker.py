"""Fires when it is imported; its name is no name of Python's, which no importer asks for."""

from placet_marker import fire

fire()
