#!/bin/sh
# Makes the two roles and the database at the first start: the owner of the tables, which only
# migrations use, and the application, which owns nothing.
set -eu
passwords=/etc/placet/secrets/postgres
psql -v ON_ERROR_STOP=1 -X -q -U postgres -d postgres \
  -v owner="$(cat $passwords/owner)" -v app="$(cat $passwords/app)" <<'SQL'
CREATE ROLE placet_owner LOGIN PASSWORD :'owner';
CREATE ROLE placet_app LOGIN PASSWORD :'app';
CREATE DATABASE placet OWNER placet_owner;
SQL
