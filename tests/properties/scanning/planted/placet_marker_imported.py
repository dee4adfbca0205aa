"""Fires when it is imported."""

from placet_marker import fire

fire()
