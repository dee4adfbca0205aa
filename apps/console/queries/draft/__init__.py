"""The page of a draft: what is there, what is missing, and a form for each part of it."""
