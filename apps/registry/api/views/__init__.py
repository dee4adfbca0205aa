"""The views of the registry's routes."""
