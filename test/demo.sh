#!/usr/bin/env bash
#
# Plays the main job: builds the extension, starts a throw-away cluster and the
# CDMS simulator, and runs demo.sql in psql.  Called by "make demo" through
# sandbox.sh, which ends both again; with KEEP=1 they are left running.
. test/lib.sh

step() {
	printf '%s ...\n' "$1"
}

# fail WHAT [LOG]
fail() {
	echo "demo: $1" >&2
	[ -z "${2:-}" ] || sed 's/^/    /' "$2" >&2
	exit 1
}

# Statements and results stand apart (psql leaves empty lines out), and the
# comments, which tell the story, in colour where there is any.
paint() {
	local bold='' red='' plain=''
	if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "$TERM" != dumb ]; then
		bold=$'\e[1;36m' red=$'\e[1;31m' plain=$'\e[0m'
	fi
	awk -v bold="$bold" -v red="$red" -v plain="$plain" '
		BEGIN { empty = 1 }
		{ comment = /^--( |$)/ }
		(comment != was || tag) && !empty { print "" }
		comment { $0 = bold $0 plain }
		/^psql:/ { $0 = red $0 plain }
		{ print; fflush(); was = comment; empty = /^$/; tag = /^[A-Z][A-Z0-9 ]*$/ }'
}

step "Building the extension"
build "$run/build.log" with_llvm=no || fail "it does not build:" "$run/build.log"
install_extension with_llvm=no || fail "it does not install:" "$run/install.log"

step "Starting a throw-away PostgreSQL cluster"
start_cluster || fail "the cluster does not start"

step "Starting the CDMS simulator"
start_simulator || fail "the simulator does not start:" "$run/simulator.out"

createdb demo || fail "the database can't be made"
psql -X -q -d demo -v ON_ERROR_STOP=1 -c "SET cdms.srcdir = '$PWD'" \
	-f test/cdms.sql -c "SELECT cdms.attach($simulator_port)" >"$run/prepare.log" 2>&1 ||
	fail "the database can't be prepared:" "$run/prepare.log"

sed "s|@url@|http://127.0.0.1:$simulator_port/UKTI|" test/demo.sql >"$run/demo.sql"
echo
psql -X -a -v ON_ERROR_STOP=1 -P pager=off -P format=wrapped -P columns=110 -d demo \
	-f "$run/demo.sql" 2>&1 | paint
[ "${PIPESTATUS[0]}" -eq 0 ] || fail "the story above did not go as it should"

if [ -n "${KEEP:-}" ]; then
	touch "$run/kept"
	cat <<END
Left running, until "make demo-stop":

  psql "host=$PGHOST dbname=demo user=postgres"

The simulator listens on http://127.0.0.1:$simulator_port/UKTI; its log is $run/simulator.log.
In psql, "SELECT cdms.edit(...)" edits there and "SELECT * FROM cdms.log()" tells what it was asked.
END
else
	echo "That was it; cluster and simulator are gone.  \"make demo KEEP=1\" leaves them running."
fi
