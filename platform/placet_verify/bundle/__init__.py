"""What travels with a release or a recall, so that an outsider can check it."""
