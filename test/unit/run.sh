#!/usr/bin/env bash
#
# Runs the unit tests in the cluster that PGHOST, PGPORT ... lead to, in a
# database of their own, with peer.py beside them.  Prints TAP; the exit code
# is 0 when all passed.  Argument: the one suite to run.
set -u
cd "$(dirname "$0")"

suite=${1:-}
python=/usr/bin/python3
database=crm_unit_$$
work=$(mktemp -d)
chmod 755 "$work"
export PGDATABASE=${PGDATABASE:-postgres} PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning"

finish() {
	kill "$peer" 2>/dev/null
	psql -qXc "DROP DATABASE IF EXISTS $database" >/dev/null
	rm -rf "$work"
}
peer=
trap finish EXIT

"$python" peer.py "$work" >"$work/peer.out" 2>&1 &
peer=$!
for _ in $(seq 100); do
	[ -s "$work/port" ] && break
	sleep 0.05
done
port=$(cat "$work/port") || {
	cat "$work/peer.out"
	exit 1
}

psql -qXc "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'" &&
	PGDATABASE=$database psql -qXAt -v ON_ERROR_STOP=1 -v suite="$suite" -v port="$port" \
		-v long="${CRM_LONG:-0}" >"$work/tap" <<'SQL'
CREATE FUNCTION crm_unit_run(suite text DEFAULT NULL, peer int DEFAULT NULL, long bool DEFAULT false)
RETURNS SETOF text LANGUAGE c AS 'crm_sync_unit';
SELECT * FROM crm_unit_run(nullif(:'suite', ''), :port, :'long');
SQL
status=$?
cat "$work/tap"
[ "$status" -eq 0 ] && grep -q '^1\.\.[1-9]' "$work/tap" && ! grep -q '^not ok' "$work/tap"
