"""What pages show, read in a fixed number of queries however many rows there are."""
