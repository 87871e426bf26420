#!/usr/bin/env bash
#
# Measures: builds the extension and the C loop, starts a cluster with ordinary
# settings, and runs bench/bench.py.  Called by "make bench" through sandbox.sh.
#
# BENCH_ONLY="load keys" measures only these; test/README.md has the sizes.
. test/lib.sh

fail() {
	echo "bench: $1" >&2
	[ -z "${2:-}" ] || sed 's/^/    /' "$2" >&2
	exit 1
}

build "$run/build.log" || fail "it does not build:" "$run/build.log"
install_extension || fail "it does not install:" "$run/install.log"
build_loop || fail "the C loop does not build:" "$run/loop.log"

# What people have: a commit is on the disk when it is said to be.  The tables
# fit into the shared buffers, so that no row is about the disk.
start_cluster "fsync = on" "shared_buffers = 1GB" "max_wal_size = 4GB" \
	"shared_preload_libraries = 'crm_sync'" || fail "the cluster does not start"

BENCH_SERVER_LOG=$run/server.log "$python" test/bench/bench.py ${BENCH_ONLY:-}
status=$?
stop_cluster
exit "$status"
