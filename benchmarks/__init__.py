"""Speed, measured on the real parts."""
