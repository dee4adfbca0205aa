"""The views of the log's routes."""
