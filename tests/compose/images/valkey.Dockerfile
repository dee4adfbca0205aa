# Stands in for valkey/valkey where none can be pulled.
FROM placet-base/valkey
USER 999:999
CMD ["valkey-server"]
