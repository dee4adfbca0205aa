"""What governance lets one read."""
