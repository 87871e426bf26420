#!/usr/bin/env bash
#
# Runs the fuzz targets, as many at once as there are processors, each in a
# single-user backend of its own, for so many seconds (10).  Further arguments: only
# these.  Prints TAP; what made a target fail is left in $FUZZ_KEEP, or in the
# output where that is not set.
#
# What is found goes where $FUZZ_CORPUS says, to begin there next time; without it
# each run begins with the corpora here.
set -u
cd "$(dirname "$0")"

seconds=${1:-10}
[ $# -gt 0 ] && shift
targets=${*:-$(ls corpus)}
library=$PWD/crm_sync_fuzz.so
bindir=$("${PG_CONFIG:-pg_config}" --bindir)
jobs=$(nproc 2>/dev/null || echo 2)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$bindir/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$work/initdb.log" 2>&1 || {
	cat "$work/initdb.log"
	exit 1
}
# Nothing of a run is kept; the functions under test write no tables.
cat >>"$work/data/postgresql.conf" <<CONF
fsync = off
autovacuum = off
shared_buffers = 16MB
CONF

quoted() {
	local word separator=
	for word in "$@"; do
		printf "%s'%s'" "$separator" "${word//\'/\'\'}"
		separator=,
	done
}

# fuzz TARGET: its exit code is libFuzzer's.
fuzz() {
	local target=$1 home=$work/$1
	local found=${FUZZ_CORPUS:-$home/found}/$1
	mkdir -p "$home/bad" "$found" && cp -r "$work/data" "$home/data"
	{
		echo "CREATE FUNCTION crm_fuzz(text[]) RETURNS void LANGUAGE c AS '$library';"
		echo "SELECT crm_fuzz(ARRAY[$(quoted "$target" "-max_total_time=$seconds" ${FUZZ_RUNS:+-runs=$FUZZ_RUNS} -timeout=20 -rss_limit_mb=1500 \
			-max_len=4096 -use_value_profile=1 -print_final_stats=1 -verbosity=1 -artifact_prefix="$home/bad/" "$found" "$PWD/corpus/$target")]);"
	} | timeout -k 10 $((seconds + 120)) "$bindir/postgres" --single -j -D "$home/data" postgres >"$home/out" 2>&1
	echo $? >"$home/status"
	rm -rf "$home/data"
}

# What libFuzzer says at its end.
last_number() {
	sed -n "s/.*$2 *\([0-9][0-9]*\).*/\1/p" "$work/$1/out" | tail -n 1
}

report() {
	local number=$1 target=$2 file
	local runs coverage
	runs=$(last_number "$target" 'stat::number_of_executed_units:')
	coverage=$(last_number "$target" 'cov:')
	if [ "$(cat "$work/$target/status")" = 0 ] && [ "${runs:-0}" -gt 0 ] && ! ls "$work/$target"/bad/* >/dev/null 2>&1; then
		echo "ok $number - $target: $runs inputs, $coverage edges"
		return
	fi
	echo "not ok $number - $target"
	sed 's/^/# /' "$work/$target/out" | grep -v 'Uses: \|REDUCE\|NEW ' | tail -n 40
	for file in "$work/$target"/bad/*; do
		[ -f "$file" ] || continue
		echo "# $(basename "$file"): $(base64 -w 0 "$file" | head -c 8000)"
		[ -z "${FUZZ_KEEP:-}" ] || { mkdir -p "$FUZZ_KEEP" && cp "$file" "$FUZZ_KEEP/$target-$(basename "$file")"; }
	done
}

for target in $targets; do
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
		wait -n
	done
	fuzz "$target" &
done
wait

number=0 status=0
for target in $targets; do
	report $((++number)) "$target" >"$work/report"
	cat "$work/report"
	! grep -q '^not ok' "$work/report" || status=1
done
echo "1..$number"
exit $status
