"""The views of identity's routes."""
