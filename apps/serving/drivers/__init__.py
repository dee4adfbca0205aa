"""How Bentos run on targets: one folder for each kind of them."""
