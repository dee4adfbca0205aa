"""The scanner's inside: reads files that may be hostile and never imports or loads them."""
