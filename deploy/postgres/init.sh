#!/bin/bash
# One database and one login per service; nobody sees another's. Passwords come from the environment.
set -euo pipefail

for service in ingest loyalty scoring notifications; do
  variable="${service^^}_DB_PASSWORD"
  : "${!variable:?a password for the ${service} database is needed}"
  psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres -v name="$service" -v password="${!variable}" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
