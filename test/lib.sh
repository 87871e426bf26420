# What demo.sh, run.sh and bench.sh share: building, a throw-away cluster, the simulator.
#
# They run as an unprivileged user in a copy of the tree; $CRM_WORK is removed,
# and what still runs in it is ended, by sandbox.sh.
#
#   $run        where logs, sockets and data go
#   $installed  where the extension is installed, apart from the system's files;
#               empty: among PostgreSQL's own, which are in $CRM_WORK, too
#
# Programs in $CRM_PROGRAMS come before PostgreSQL's.

set -u
run=$CRM_WORK/run
pg_config=${PG_CONFIG:-pg_config}
bindir=$("$pg_config" --bindir)
pgxs=$("$pg_config" --pgxs)
makefiles=${pgxs%/makefiles/pgxs.mk}
export PATH=${CRM_PROGRAMS:+$CRM_PROGRAMS:}$bindir:$PATH
jobs=$(nproc 2>/dev/null || echo 2)
python=/usr/bin/python3
installed=$run/installed
[[ $bindir != "$CRM_WORK"/* ]] || installed=

# build LOG [make arguments]: says nothing; what make said is in LOG.
build() {
	local log=$1
	shift
	make -j"$jobs" PG_CONFIG="$pg_config" "$@" >"$log" 2>&1
}

install_extension() {
	make install DESTDIR="$installed" PG_CONFIG="$pg_config" "$@" >"$run/install.log" 2>&1
}

# The settings that let a server find the extension under $installed.  Control
# and SQL files: Debian's own setting up to 17, PostgreSQL's from 18.  Debian's
# does not reach a library named without $libdir, as preloading names it.
extension_settings() {
	local share lib
	[ -n "$installed" ] || return 0
	share=$("$pg_config" --sharedir)
	lib=$("$pg_config" --pkglibdir)
	if [ "$("$pg_config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')" -ge 18 ]; then
		echo "extension_control_path = '$installed$share:\$system'"
	else
		echo "extension_destdir = '$installed'"
	fi
	echo "dynamic_library_path = '$installed$lib:\$libdir'"
}

# The C loop of the bench, for bench.py.
build_loop() {
	export BENCH_FETCH=$run/fetch
	gcc -std=gnu99 -O2 -Wall -Wextra -Werror -Wno-unused-parameter $(curl-config --cflags) \
		-o "$BENCH_FETCH" test/bench/fetch.c $(curl-config --libs) >"$run/loop.log" 2>&1
}

# A cluster reached through a socket that only this user (and root) can open.
# Arguments are further settings.
start_cluster() {
	local data=$run/data
	export PGHOST=$run/socket PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	mkdir -m 700 "$PGHOST"
	initdb -D "$data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$run/initdb.log" 2>&1 || {
		cat "$run/initdb.log" >&2
		return 1
	}
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$PGHOST'"
		echo "unix_socket_permissions = 0700"
		echo "fsync = off"
		echo "shared_buffers = 64MB"
		echo "max_prepared_transactions = 4"
		extension_settings
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >>"$data/postgresql.conf"
	pg_ctl -D "$data" -l "$run/server.log" -w -s start </dev/null || {
		cat "$run/server.log" >&2
		return 1
	}
}

stop_cluster() {
	pg_ctl -D "$run/data" -w -s -m fast stop
}

# The CDMS simulator, on a free port of 127.0.0.1: $simulator_port.  What it
# logs is in $run/simulator.log.
start_simulator() {
	"$python" "$PWD/test/cdms/simulator.py" --daemon --port 0 --port-file "$run/simulator.port" \
		--log-file "$run/simulator.log" >"$run/simulator.out" 2>&1 </dev/null || return 1
	simulator_port=$(cat "$run/simulator.port")
}
