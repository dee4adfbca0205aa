#!/bin/sh
# What the image does, by command; anything else is run as it is.
set -eu

worker() {
  exec celery -A placet.celery worker -Q "$PLACET_PROCESS" -n "$PLACET_PROCESS@%h" -c "$1" -l INFO \
    --without-gossip --without-mingle --without-heartbeat
}

# What the processes share lies in folders of their common group.
umask 0007
case "${1:-}" in
  web)
    export PLACET_PROCESS=web MALLOC_ARENA_MAX=2 # what its threads read forms into, they give back
    exec gunicorn -c /opt/placet/platform/deploy/gunicorn.conf.py
    ;;
  worker)
    export PLACET_PROCESS=control
    worker "${WORKER_CONCURRENCY:-2}"
    ;;
  worker-build)
    export PLACET_PROCESS=build
    worker "${WORKER_CONCURRENCY:-1}"
    ;;
  node)
    umask 0077
    if [ ! -e /var/lib/placet-agent/node.json ]; then
      python3 -m placet_agent join "$PLACET_PUBLIC_URL" --token-file /etc/placet/join/token \
        --listen "$PLACET_ENDPOINT_PORT"
    fi
    # the container ends with the agent, so what serves ends in order too
    exec python3 -m placet_agent run --stop-all
    ;;
  manage)
    shift
    export PLACET_PROCESS=manage
    exec python3 manage.py "$@"
    ;;
  setup)
    export PLACET_PROCESS=manage PLACET_SECRETS_DIR=/etc/placet/secrets/web
    python3 platform/deploy/setup.py
    python3 manage.py keys init
    for process in web:10001 control:10002 build:10003; do
      python3 manage.py keys share "${process%:*}" "${process#*:}"
    done
    ;;
  *)
    exec "$@"
    ;;
esac
