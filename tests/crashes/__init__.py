"""One platform, taken through the governed path again and again while its processes die."""
