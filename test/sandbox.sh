#!/usr/bin/env bash
#
# sandbox.sh demo|run|bench|stop
#
# Runs test/demo.sh, test/run.sh or test/bench.sh in a place of its own and leaves nothing
# behind, however they end: neither a process nor a file.
#
# The tree is copied to a temporary directory, so that what is built there does
# not mix with what is built here, and so that it can belong to another user:
# PostgreSQL refuses root, therefore root hands over to the user postgres.  The
# environment is handed over by name, lest PGHOST, http_proxy and their like
# decide what a test finds.
#
# "stop" ends what "make demo KEEP=1" left running.
set -u

top=$(cd "$(dirname "$0")/.." && pwd) || exit 1
what=${1:?demo, run, bench or stop}
umask 022
unset CDPATH

# ------------------------------------------------------------------ cleaning

# The processes of a sandbox: those at home in it, and those that run a program
# from it.
processes() {
	{
		find /proc -mindepth 2 -maxdepth 2 -name cwd \( -lname "$1" -o -lname "$1/*" \)
		grep -lFf - /proc/[0-9]*/cmdline <<<"$1/tree/"
	} 2>/dev/null | sed -n 's|^/proc/\([0-9]*\)/.*|\1|p' | sort -u
}

# Ends them, and waits until they are gone: 3 s for each way of asking.
end_processes() {
	local signal pids
	for signal in TERM QUIT KILL; do
		for _ in {1..30}; do
			pids=$(processes "$1")
			[ -n "$pids" ] || return 0
			[ -z "$signal" ] || kill -s "$signal" $pids 2>/dev/null
			signal=
			sleep 0.1
		done
	done
	echo "sandbox: still running in $1:" $pids >&2
}

remove() {
	end_processes "$1"
	chmod -R u+rwX "$1"
	rm -rf "$1"
}

prefix=${TMPDIR:-/tmp}/crm_sync-

if [ "$what" = stop ]; then
	found=
	for work in "$prefix"demo.*; do
		[ -O "$work" ] && [ -f "$work/kept" ] || continue
		found=1
		remove "$work"
		echo "Stopped the demo's cluster and simulator, and removed $work."
	done
	[ -n "$found" ] || echo "No demo is running."
	exit 0
fi

bash "$top/test/setup.sh" "$what" || exit 1

# ------------------------------------------------------------------- moving in

work=$(mktemp -d "$prefix$what.XXXXXX") || exit 1
job=
leave() {
	trap '' INT TERM HUP PIPE
	if [ -n "$job" ]; then
		disown "$job"
		kill -TERM -- "-$job" 2>/dev/null
	fi
	[ -z "${RESULTS:-}" ] || [ ! -d "$work/run/results" ] ||
		{ mkdir -p "$RESULTS" && cp -r "$work/run/results/." "$RESULTS"; }
	[ -f "$work/kept" ] || remove "$work"
}
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

fail() {
	echo "sandbox: $*" >&2
	exit 1
}

copy() {
	mkdir "$2" && tar -C "$1" -cf - --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
		--exclude=__pycache__ --exclude=./results --exclude=./output_iso --exclude=./tmp_check . |
		tar -C "$2" -xf - --no-same-owner --no-same-permissions
}

copy "$top" "$work/tree" || fail "$top could not be copied to $work"

captures=${CRM_CAPTURES:-$top/../shared/captures}
if [ "$what" = run ] && [ -d "$captures" ]; then
	copy "$captures" "$work/captures" || fail "$captures could not be copied to $work"
fi
[ "$what" != run ] || bash "$top/test/setup.sh" source "$work/source" || exit 1

chmod -R u+rwX "$work"
as_user=()
if [ "$(id -u)" -eq 0 ]; then
	user=postgres
	id "$user" >/dev/null 2>&1 || user=nobody
	chown -R "$user": "$work/tree" && chmod 755 "$work" || fail "$work can't be handed to $user"
	mkdir "$work/run" && chown "$user": "$work/run"
	as_user=(setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups --)
	"${as_user[@]}" test -x "$work/tree" ||
		fail "$user can't reach $work: set TMPDIR to a directory that everybody may enter"
else
	mkdir "$work/run"
fi

handed=(
	CRM_WORK="$work" PATH="$PATH" HOME="$work/run" TMPDIR="$work/run"
	LANG=C.UTF-8 TZ=UTC TERM="${TERM:-dumb}" PG_COLOR=never PYTHONDONTWRITEBYTECODE=1
)
[ ! -d "$work/captures" ] || handed+=(CRM_CAPTURES="$work/captures")
for name in PG_CONFIG KEEP SUITES WITHOUT CRM_LONG CRM_SEED FUZZ_SECONDS CI NO_COLOR ${!BENCH_*}; do
	[ -z "${!name:-}" ] || handed+=("$name=${!name}")
done

# In a process group of its own, with job control, so that signals reach it
# and this shell, which waits, can act on them.
set -m
(cd "$work/tree" && exec "${as_user[@]}" env -i "${handed[@]}" bash "test/$what.sh" </dev/null) &
job=$!
wait "$job"
status=$?
set +m
if [ "$status" -eq 0 ] && [ -f "$work/run/kept" ]; then
	touch "$work/kept"
fi
job=
exit "$status"
