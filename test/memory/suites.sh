# The suites again, with servers that are watched.  Sourced by run.sh.
#
# Each runs run.sh once more, in a copy of the tree, where $CRM_PROGRAMS comes
# first in PATH: a directory with a program "postgres" that starts the real one
# with the tool round it, and the pg_ctl that finds it there.  So every cluster of
# the tests is watched, whoever starts it ("pg_ctl restart" starts the real one).
# What the tools have to say is in $CRM_REPORTS, a file for each process, or in the
# servers' logs; one report fails the suite.

sanitizers_say="runtime error:|ERROR: AddressSanitizer|==[0-9]+==ASan"

# make_programs NAME BINDIR COMMAND: the lines of a shell script, the last of which
# runs the server there with "$@".  Sets $programs and $reports.
make_programs() {
	programs=$run/$1/programs reports=$run/$1/reports
	mkdir -p "$programs" "$reports" "$run/$1/run" && cp "$2/pg_ctl" "$programs" &&
		printf '#!/bin/sh\n%s\n' "$3" >"$programs/postgres" && chmod 755 "$programs/postgres"
}

# watched NAME SUITES [NAME=VALUE]...
watched() {
	local work=$run/$1 suites=$2 tally
	shift 2
	mkdir "$work/tree" && cp -pr Makefile crm_sync* src sql expected test "$work/tree" || return
	(
		cd "$work/tree" || exit
		make -s clean PG_CONFIG="$pg_config"
		make -s -C test/unit clean PG_CONFIG="$pg_config"
		env -u CRM_LONG -u WITHOUT CRM_WORK="$work" CRM_PROGRAMS="$programs" CRM_REPORTS="$reports" \
			PGCTLTIMEOUT=300 PG_TEST_TIMEOUT_DEFAULT=3600 \
			SUITES="canary $suites" "$@" bash test/run.sh
	) >"$work/out" 2>&1
	cat "$work/out"
	tally=$(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$work/out")
	count ${tally:-0 1}
	if [ -n "$(find "$reports" -type f -size +0)" ] ||
		grep -rqE "$sanitizers_say" "$work/run" --include='*.log'; then
		echo "Reports:"
		cat "$reports"/*
		grep -rhE -A 30 "$sanitizers_say" "$work/run" --include='*.log'
		count 0 1
	else
		count 1 0
	fi
}

# What AddressSanitizer reports ends the session, and with it everybody's.
wait_for_server() {
	local _
	for _ in {1..300}; do
		! psql -qXAtc 'SELECT 1' >/dev/null 2>&1 || return 0
		sleep 0.1
	done
}

# In a watched server, before anything else: what canary.c does wrong is reported, as
# $CRM_CANARY says, "function=words" for each.
suite_canary() {
	local library=$run/canary.so expected function words reported
	gcc -shared -fPIC -O0 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
		-Wno-missing-field-initializers -Wno-uninitialized ${COPT:-} -I"$("$pg_config" --includedir-server)" \
		-o "$library" test/memory/canary.c || return
	for expected in $CRM_CANARY; do
		function=${expected%%=*} words=${expected#*=}
		wait_for_server
		psql -qX -c "CREATE FUNCTION pg_temp.$function() RETURNS void LANGUAGE c AS '$library', '$function'" \
			-c "SELECT pg_temp.$function()"
		reported=$(grep -ls -- "${words//_/ }" "$CRM_REPORTS"/* "$run/server.log")
		if [ -n "$reported" ]; then
			truncate -s 0 $reported
			count 1 0
		else
			echo "$function was not reported"
			count 0 1
		fi
	done
	wait_for_server
}

# AddressSanitizer and UndefinedBehaviorSanitizer, in the installed server: the
# first one's report ends the session, the other's do not.
suite_sanitizers() {
	local libraries
	gcc -shared -fPIC -Wall -Wextra -Werror -Wno-unused-parameter -o "$run/preload.so" test/memory/preload.c || {
		count 0 1
		return
	}
	libraries="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $run/preload.so"
	make_programs sanitizers "$bindir" "
		export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:handle_segv=0:halt_on_error=1:abort_on_error=1:disable_coredump=1
		export UBSAN_OPTIONS=print_stacktrace=1
		export LD_PRELOAD='$libraries'
		exec '$bindir/postgres' \"\$@\""
	watched sanitizers "unit regress isolation tap" \
		COPT="-fsanitize=address,undefined -fno-omit-frame-pointer -g -O1" \
		CRM_CANARY="beyond_malloc=heap-buffer-overflow int_overflow=signed_integer_overflow"
}

# A PostgreSQL that tells valgrind of each palloc and pfree, and can discard what was
# looked up (tap/discarded_caches.pl), from the source of the distribution's package,
# which setup.sh has fetched.
build_postgres() {
	local source=$run/valgrind/source
	mkdir -p "$source" && tar -C "$source" --strip-components=1 -xf "$CRM_WORK"/source/*.orig.tar.* || return
	(
		cd "$source" &&
			./configure --prefix="$run/valgrind/postgres" --without-readline --without-zlib --with-icu --with-libxml \
				--enable-tap-tests CPPFLAGS="-DUSE_VALGRIND -DDISCARD_CACHES_ENABLED" CFLAGS="-O1 -g -fno-omit-frame-pointer" &&
			make -s -j"$jobs" && make -s install && make -s -C contrib/postgres_fdw install
	) >"$run/valgrind/log" 2>&1 || {
		tail -n 30 "$run/valgrind/log"
		return 1
	}
}

# valgrind's memcheck.  What is PostgreSQL's own is in its list of suppressions,
# what is a library's in ours.
suite_valgrind() {
	build_postgres || {
		count 0 1
		return
	}
	local built=$run/valgrind/postgres/bin
	local pg_config=$built/pg_config
	make_programs valgrind "$built" "
		exec valgrind --quiet --leak-check=no --trace-children=no --num-callers=24 --error-limit=no \
			--suppressions='$run/valgrind/source/src/tools/valgrind.supp' \
			--suppressions='$PWD/test/memory/valgrind.supp' \
			--log-file='$run/valgrind/reports/%p' '$built/postgres' \"\$@\""
	watched valgrind "unit regress isolation tap" PG_CONFIG="$pg_config" CRM_SLOWER=20 \
		CRM_CANARY="beyond_palloc=Invalid_read after_pfree=Invalid_read never_set=uninitialised"
}
