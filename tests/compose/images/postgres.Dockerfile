# Stands in for the official postgres image where none can be pulled: Debian's packages behind an
# entrypoint that keeps the part of its interface which docker-compose.yml uses.
FROM placet-base/postgres
RUN usermod -u 999 postgres && groupmod -g 999 postgres \
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data \
    && install -d /docker-entrypoint-initdb.d
ENV PATH=/usr/lib/postgresql/17/bin:$PATH PGDATA=/var/lib/postgresql/data
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["/bin/sh", "/usr/local/bin/docker-entrypoint.sh"]
STOPSIGNAL SIGINT
CMD ["postgres"]
