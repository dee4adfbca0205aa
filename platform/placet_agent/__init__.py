"""The node agent: makes a host serve what a signed state says, and nothing else. No Django."""

__version__ = "0.2.0"
