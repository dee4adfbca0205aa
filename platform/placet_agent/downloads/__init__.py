"""What a node fetches and installs: Bentos, runtimes and their Pythons, and clearing up."""
