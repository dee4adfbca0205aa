"""The processes of a node: replicas, their sandboxes, limits, networks and sockets."""
