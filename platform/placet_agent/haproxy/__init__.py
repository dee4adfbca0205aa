"""HAProxy in front of the replicas: one stable port, an exact split, and no failed request.

``config`` renders its file, ``table`` says which of its names belongs to whom, ``sockets`` leads
them to the replicas, ``admin`` speaks to its socket, ``process`` starts, adopts and reloads it,
``proxy`` puts them together.
"""
