#!/usr/bin/env bash
#
# Runs every suite and counts every test.  Called by "make test" through
# sandbox.sh; SUITES="unit regress" runs only these, RESULTS=directory gets
# what the SQL tests printed, which is what expected/ is made from, and WITHOUT=name
# takes out what mutants.sh calls so.
#
# A suite is a function that prints what its tools print and leaves its results
# in $passed, $failed and $skipped.  Its output is shown when something failed.
# A suite that ran nothing has failed.
. test/lib.sh
. test/memory/suites.sh

# ------------------------------------------------------------------ counting

passed=0 failed=0 skipped=0

count() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0}))
}

# TAP: the tests of the outermost level.  A program that ended early or with
# an error and has nothing failed to show counts as one failure.
count_tap() {
	local ok bad skip planned
	skip=$(grep -ciE '^ok\b.*# *skip' "$1")
	ok=$(($(grep -cE '^ok\b' "$1") - skip))
	bad=$(grep -E '^not ok\b' "$1" | grep -cviE '# *todo')
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$1" | head -n 1)
	if [ "$bad" -eq 0 ] && { [ "$2" -ne 0 ] || [ "${planned:-x}" != "$(grep -cE '^(not )?ok\b' "$1")" ]; }; then
		bad=1
		echo "(ended with status $2, after $((ok + skip)) of ${planned:-?} tests)"
	fi
	count "$ok" "$bad" "$skip"
}

# Python's unittest: "Ran 17 tests", "FAILED (failures=1, errors=2, skipped=3)".
# A test that fails in several of its cases is counted once for each.
count_unittest() {
	local ran bad=0 skip=0 word
	ran=$(sed -n 's/^Ran \([0-9]*\) tests\? in .*/\1/p' "$1")
	for word in $(sed -n 's/^\(OK\|FAILED\) (\(.*\))$/\2/p' "$1" | tr -d ','); do
		case $word in
			skipped=*) skip=${word#*=} ;;
			*) bad=$((bad + ${word#*=})) ;;
		esac
	done
	[ "$2" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	local ok=$((${ran:-0} - bad - skip))
	count $((ok > 0 ? ok : 0)) "$bad" "$skip"
}

# pg_regress and pg_isolation_regress say "test name ... ok", from 16 on TAP.
count_regress() {
	local ok bad
	ok=$(grep -cE '^(test .* \.\.\. ok\b|ok [0-9])' "$1")
	bad=$(grep -cE '^(test .* \.\.\. FAILED\b|not ok [0-9])' "$1")
	[ "$2" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	count "$ok" "$bad"
}

# -------------------------------------------------------------------- suites

# With bitcode where PostgreSQL has it, as "make install" does.
suite_gcc() {
	if build "$run/gcc.log" CC=gcc && install_extension CC=gcc; then
		count 1 0
	else
		cat "$run/gcc.log" "$run/install.log" 2>/dev/null
		count 0 1
	fi
}

suite_clang() {
	local clang
	clang=$(sed -n 's/^CLANG = *//p' "$makefiles/Makefile.global")
	command -v "$clang" >/dev/null || clang=clang
	mkdir "$run/clang" && cp -r Makefile crm_sync* src "$run/clang"
	if (
		cd "$run/clang" && make -s clean PG_CONFIG="$pg_config" &&
			build "$run/clang.log" CC="$clang" with_llvm=no
	); then
		count 1 0
	else
		cat "$run/clang.log"
		count 0 1
	fi
}

suite_simulator() {
	"$python" test/cdms/selftest.py -v >"$run/selftest.out" 2>&1
	local status=$?
	cat "$run/selftest.out"
	count_unittest "$run/selftest.out" "$status"
}

suite_unit() {
	make -s -j"$jobs" -C test/unit install DESTDIR="$installed" PG_CONFIG="$pg_config" || {
		count 0 1
		return
	}
	PGOPTIONS="${CRM_CAPTURES:+-c crm_unit.captures=$CRM_CAPTURES} ${CRM_REPORTS:+-c crm_unit.watched=on}" \
		make -s -C test/unit check PG_CONFIG="$pg_config" >"$run/unit.tap" 2>&1
	local status=$?
	cat "$run/unit.tap"
	count_tap "$run/unit.tap" "$status"
}

# Each target for $FUZZ_SECONDS; what made one fail is in the output.
# Sets FUZZ_CLANG.
build_fuzz() {
	FUZZ_CLANG=$(sed -n 's/^CLANG = *//p' "$makefiles/Makefile.global")
	command -v "$FUZZ_CLANG" >/dev/null || FUZZ_CLANG=clang
	make -s -j"$jobs" -C test/fuzz FUZZ_CLANG="$FUZZ_CLANG" PG_CONFIG="$pg_config" "$@"
}

suite_fuzz() {
	local seconds=${FUZZ_SECONDS:-10}
	[ -z "${CRM_LONG:-}" ] || seconds=${FUZZ_SECONDS:-60}
	build_fuzz || {
		count 0 1
		return
	}
	PG_CONFIG=$pg_config bash test/fuzz/run.sh "$seconds" >"$run/fuzz.tap" 2>&1
	local status=$?
	cat "$run/fuzz.tap"
	count_tap "$run/fuzz.tap" "$status"
}

# keep_results NAME DIRECTORY
keep_results() {
	mkdir -p "$run/results/$1" && cp "$2"/*.out "$run/results/$1"
}

# regress FORMAT
regress() {
	PGOPTIONS=${CRM_REPORTS:+-c cdms.slower=60} CRM_FORMAT=$1 \
		make -s installcheck PG_CONFIG="$pg_config" ISOLATION= >"$run/regress.out" 2>&1
	local status=$?
	cat "$run/regress.out"
	[ "$status" -eq 0 ] || cat regression.diffs
	keep_results "regress-$1" results
	count_regress "$run/regress.out" "$status"
}

suite_regress_json() {
	regress json
}

suite_regress_atom() {
	regress atom
}

suite_isolation() {
	make -s installcheck PG_CONFIG="$pg_config" REGRESS= >"$run/isolation.out" 2>&1
	local status=$?
	cat "$run/isolation.out"
	[ "$status" -eq 0 ] || cat output_iso/regression.diffs
	keep_results isolation output_iso/results
	count_regress "$run/isolation.out" "$status"
}

# tap_program NAME: runs it; what it prints is in $run/tap/NAME.tap.  Each makes
# clusters of its own with PostgreSQL::Test::Cluster, which adds the settings in
# TEMP_CONFIG to each.
tap_program() {
	local work=$run/tap/$1
	extension_settings >"$run/tap.conf"
	rm -rf "$work" && mkdir -p "$work"
	env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE \
		PERL5LIB="$makefiles/test/perl:$PWD/test/tap" PG_REGRESS="$makefiles/test/regress/pg_regress" \
		TEMP_CONFIG="$run/tap.conf" TESTDIR="$work" TESTDATADIR="$work" TESTLOGDIR="$work/log" \
		perl "test/tap/$1.pl" >"$work.tap" 2>&1
}

suite_tap() {
	local file name
	for file in test/tap/*.pl; do
		[ -f "$file" ] || continue
		name=$(basename "$file" .pl)
		echo "# $name"
		tap_program "$name"
		local status=$?
		cat "$run/tap/$name.tap"
		[ "$status" -eq 0 ] || tail -n 20 "$run/tap/$name"/tmp_check/log/* "$run/tap/$name"/log/* 2>/dev/null
		count_tap "$run/tap/$name.tap" "$status"
	done
}

# The bench, small: whether it runs and the answers agree.  It asks for no times.
suite_bench() {
	if ! build_loop; then
		cat "$run/loop.log"
		count 0 1
		return
	fi
	createdb bench
	PGDATABASE=bench BENCH_SERVER_LOG=$run/server.log BENCH_ACCOUNTS=300 BENCH_CONTACTS=400 \
		BENCH_MEMORY=1000 BENCH_ROUNDS=1 BENCH_REQUESTS=20 BENCH_SECONDS=1 \
		"$python" test/bench/bench.py --tap >"$run/bench.tap" 2>"$run/bench.log"
	local status=$?
	cat "$run/bench.tap" "$run/bench.log"
	count_tap "$run/bench.tap" "$status"
	dropdb bench
}

# ------------------------------------------------------------------- mutants

# change_line FILE SED: there is exactly one line that it changes.
change_line() {
	sed "$2" "$1" >"$run/changed" &&
		[ "$(diff "$1" "$run/changed" | grep -c '^>')" -eq 1 ] && cp "$run/changed" "$1"
}

# What nobody calls any more is no error.
let_warnings_pass() {
	sed -i 's/-Werror//' Makefile
}

# Takes out what mutants.sh calls so.
take_out() {
	local found= wanted=$1
	mutant() {
		[ "$1" != "$wanted" ] || { change_line "$2" "$3" && found=1; }
	}
	. test/mutants.sh
	let_warnings_pass
	[ -n "$found" ]
}

# Does the test, "regress/name", pass?  A session that waits where none should is
# given up.
test_passes() {
	local kind=${1%/*} name=${1#*/}
	local -x PGISOLATIONTIMEOUT=30 CRM_LONG=
	case $kind in
		regress) make -s installcheck PG_CONFIG="$pg_config" ISOLATION= REGRESS="setup $name teardown" ;;
		isolation) make -s installcheck PG_CONFIG="$pg_config" REGRESS= ISOLATION="setup $name teardown" ;;
		tap) tap_program "$name" ;;
	esac >"$run/mutant.out" 2>&1
}

# A test that fails, and not for want of a server: it has lines that differ.
fails_by_itself() {
	case ${1%/*} in
		regress) grep -q '^[-+]' regression.diffs ;;
		isolation) grep -q '^[-+]' output_iso/regression.diffs ;;
		tap) grep -q '^not ok' "$run/tap/${1#*/}.tap" ;;
	esac
}

rebuild() {
	build "$run/mutant.log" CC=gcc with_llvm=no && install_extension CC=gcc with_llvm=no
}

# Each test of mutants.sh fails without what it is about, and passes with it.
try_mutant() {
	local name=$1 file=$2 command=$3 test
	shift 3
	cp -p "$file" "$run/original"
	if ! change_line "$file" "$command" || ! rebuild; then
		echo "$name: it could not be taken out of $file"
		count 0 1
		shift $#
	fi
	for test in "$@"; do
		if ! test_passes "$test" && fails_by_itself "$test"; then
			echo "without $name: $test fails"
			count 1 0
		else
			echo "without $name: $test passes"
			count 0 1
		fi
	done
	cp "$run/original" "$file" && rebuild
}

# In short: there is still a line to take out.
check_mutant() {
	cp "$2" "$run/checked"
	if change_line "$run/checked" "$3"; then
		count 1 0
	else
		echo "$1: it can't be taken out of $2"
		count 0 1
	fi
}

suite_mutants() {
	local tests=() test
	if [ -z "${CRM_LONG:-}${SUITES:-}" ]; then
		mutant() { check_mutant "$@"; }
		. test/mutants.sh
		return
	fi
	mkdir "$run/mutants" && cp -pr Makefile crm_sync* src sql expected test "$run/mutants" && cd "$run/mutants" || return
	let_warnings_pass
	mutant() { tests+=("${@:4}"); }
	. test/mutants.sh
	for test in $(printf '%s\n' "${tests[@]}" | sort -u); do
		test_passes "$test" || {
			echo "$test fails with nothing taken out"
			count 0 1
		}
	done
	mutant() { try_mutant "$@"; }
	. test/mutants.sh
	cd "$OLDPWD" && install_extension CC=gcc
}

# A defect that fuzz/planted.sh plants is found by its target: seconds, input.
try_defect() {
	local name=$1 file=$2 command=$3 target=$4 start
	cp -p "$file" "$run/original"
	if ! change_line "$file" "$command" || ! build_fuzz >"$run/defect.log" 2>&1; then
		echo "$name: it could not be planted in $file"
		count 0 1
	else
		start=$SECONDS
		if ! PG_CONFIG=$pg_config bash test/fuzz/run.sh 60 "$target" >"$run/defect.log" 2>&1 &&
			grep -q '^# \(crash\|timeout\|oom\)-' "$run/defect.log"; then
			echo "$name: $target found it after $((SECONDS - start)) s"
			count 1 0
		else
			echo "$name: $target did not find it in a minute"
			count 0 1
		fi
	fi
	cp "$run/original" "$file" && touch "$file"
}

suite_defects() {
	if [ -z "${CRM_LONG:-}${SUITES:-}" ]; then
		defect() { check_mutant "$@"; }
		. test/fuzz/planted.sh
		return
	fi
	mkdir "$run/defects" && cp -pr crm_sync.control src test "$run/defects" && cd "$run/defects" || return
	sed -i 's/-Werror//' test/fuzz/Makefile
	defect() { try_defect "$@"; }
	. test/fuzz/planted.sh
	cd "$OLDPWD"
}

# Which branches of the parsers fuzzing begins with: a table, and nothing that fails.
suite_coverage() {
	mkdir "$run/coverage" && cp -pr crm_sync.control src test "$run/coverage" && cd "$run/coverage" &&
		build_fuzz coverage=1 &&
		FUZZ_CLANG=$FUZZ_CLANG PG_CONFIG=$pg_config bash test/fuzz/coverage.sh >"$run/coverage.tap" 2>&1
	local status=$?
	cd "$OLDPWD"
	cat "$run/coverage.tap"
	count_tap "$run/coverage.tap" "$status"
}

# ------------------------------------------------------------------- running

all_passed=0 all_failed=0

# Why tests were skipped, each reason once.
reasons() {
	{
		sed -n 's/^ok\b.*# *skip */    skipped: /Ip' "$1"
		sed -n "s/.* \.\.\. skipped ['\"]\(.*\)['\"]$/    skipped: \1/p" "$1"
	} | sort -u
}

# run_suite NAME TITLE
run_suite() {
	local log=$run/$1.suite start=$SECONDS
	passed=0 failed=0 skipped=0
	printf '%-28s ' "$2"
	"suite_$1" >"$log" 2>&1
	if [ $((passed + failed + skipped)) -eq 0 ]; then
		echo "This suite ran nothing." >>"$log"
		failed=1
	fi
	printf '%4d passed, %d failed' "$passed" "$failed"
	[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
	printf '  (%d s)\n' $((SECONDS - start))
	if [ "$skipped" -gt 0 ]; then
		reasons "$log"
	fi
	sed -n 's/^|/    |/p' "$log"
	if [ "$failed" -gt 0 ]; then
		grep -vE '^ok |\.\.\. (ok|skipped .*)$|^test_[a-z_]* \(.*\)$' "$log" | sed 's/^/    /'
	fi
	all_passed=$((all_passed + passed)) all_failed=$((all_failed + failed))
}

# A suite that has clusters of its own goes on beside the others.
# start_beside NAME TITLE, later end_beside NAME
start_beside() {
	(
		all_passed=0 all_failed=0
		run_suite "$1" "$2"
		echo "$all_passed $all_failed" >"$run/$1.tally"
	) >"$run/$1.report" 2>&1 &
	beside=$!
}

end_beside() {
	local tally=(0 1)
	wait "$beside"
	cat "$run/$1.report"
	[ ! -f "$run/$1.tally" ] || read -ra tally <"$run/$1.tally"
	all_passed=$((all_passed + tally[0])) all_failed=$((all_failed + tally[1]))
}

wanted() {
	[ -z "${SUITES:-}" ] || [[ " $SUITES " == *" $1 "* ]]
}

# What only the long tests have.
wanted_long() {
	[ -n "${CRM_LONG:-}" ] && wanted "$1"
}

finish() {
	echo "$all_passed passed, $all_failed failed"
	[ "$all_failed" -eq 0 ]
	exit
}

echo "PostgreSQL $("$pg_config" --version | sed 's/^PostgreSQL //'), as $(id -un), in $CRM_WORK"

[ -z "${WITHOUT:-}" ] || take_out "$WITHOUT" || {
	echo "test/mutants.sh: there is no '$WITHOUT' to take out"
	exit 1
}
run_suite gcc "build with gcc"
[ "$all_failed" -eq 0 ] || finish
wanted clang && run_suite clang "build with clang"
wanted simulator && run_suite simulator "simulator's own tests"

start_cluster || {
	all_failed=$((all_failed + 1))
	finish
}
[[ " ${SUITES:-} " != *" canary "* ]] || run_suite canary "what must be reported"
wanted tap && start_beside tap "TAP"
wanted unit && run_suite unit "unit tests in C"
wanted fuzz && run_suite fuzz "fuzzing"
wanted regress && run_suite regress_json "regress, JSON"
wanted regress && run_suite regress_atom "regress, Atom"
wanted isolation && run_suite isolation "isolation"
wanted tap && end_beside tap
wanted bench && run_suite bench "bench, small"
wanted_long valgrind && start_beside valgrind "all, under valgrind"
wanted mutants && run_suite mutants "tests that can fail"
wanted defects && run_suite defects "defects that fuzzing finds"
[[ " ${SUITES:-} " != *" coverage "* ]] || run_suite coverage "coverage of the parsers"
wanted_long sanitizers && run_suite sanitizers "all, with sanitizers"
wanted_long valgrind && end_beside valgrind
stop_cluster
finish
