#!/usr/bin/env bash
#
# Installs what building and testing need, and only what is missing: as root
# with apt-get, as another user through sudo.  Silent when all is there.
# "setup.sh run" also wants the servers that tests of logins and of TLS start, and
# what the suites want that are to be run.  "setup.sh source DIRECTORY" fetches
# PostgreSQL's source package, unless no suite is to be run that builds it.
#
# PG_CONFIG names another PostgreSQL than the one that pg_config in PATH
# belongs to; it is then expected to be complete.
set -u

what=${1:-}
pg_config=${PG_CONFIG:-pg_config}
log=

fail() {
	echo "setup: $*" >&2
	if [ -s "$log" ]; then
		echo "setup: the end of what apt-get said:" >&2
		tail -n 5 "$log" | sed 's/^/    /' >&2
	fi
	exit 1
}

# ------------------------------------------------------------ what is missing

# Debian's server package has pgxs.mk without the headers.
has_pgxs() {
	local pgxs headers
	pgxs=$("$pg_config" --pgxs 2>/dev/null) && [ -f "$pgxs" ] &&
		headers=$("$pg_config" --includedir-server) && [ -f "$headers/postgres.h" ]
}

has_server() {
	local bin
	bin=$("$pg_config" --bindir 2>/dev/null) && [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ]
}

# PostgreSQL's header libpq/libpq-be.h includes it.
has_gssapi() {
	[ -f /usr/include/gssapi/gssapi.h ]
}

# The compiler that PostgreSQL names for bitcode is the second compiler of the
# tests as well.
has_clang() {
	local clang
	clang=$(sed -n 's/^CLANG = *//p' "$(dirname "$("$pg_config" --pgxs)")/../Makefile.global" 2>/dev/null)
	[ -n "$clang" ] && [ -x "$clang" ] || command -v clang >/dev/null
}

# libFuzzer, of any version of clang.
has_fuzzer() {
	ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer_no_main-*.a >/dev/null 2>&1
}

# What reads coverage, of the same version as clang.
has_llvm() {
	[[ $(clang -print-prog-name=llvm-cov 2>/dev/null) == /* ]] || command -v llvm-cov >/dev/null
}

# Is this suite, which only the long tests have, to be run?
wants() {
	[[ " ${SUITES:-} " == *" $1 "* ]] || { [ -n "${CRM_LONG:-}" ] && [ -z "${SUITES:-}" ]; }
}

# The major version of the PostgreSQL to install: the one that is there in
# part, else the distribution's own.
major() {
	local path
	for path in /usr/lib/postgresql/*/bin/pg_config /usr/lib/postgresql/*/bin/postgres; do
		[ -x "$path" ] && echo "$path"
	done | sort -Vr | sed -n '1s|^/usr/lib/postgresql/\([0-9]*\)/.*|\1|p' | grep . ||
		apt-cache depends postgresql 2>/dev/null |
		sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1 | grep .
}

# The packages that are missing; "@" stands for the major version.
missing() {
	has_server || echo "postgresql-@"
	has_pgxs || echo "postgresql-server-dev-@"
	command -v gcc >/dev/null || echo "gcc"
	[ -f /usr/include/stdio.h ] || echo "libc6-dev"
	has_pgxs && { has_clang || echo "clang"; }
	has_fuzzer || echo "libclang-rt-dev"
	[[ " ${SUITES:-} " != *" coverage "* ]] || has_llvm || echo "llvm"
	command -v curl-config >/dev/null || echo "libcurl4-openssl-dev"
	command -v xml2-config >/dev/null || echo "libxml2-dev"
	has_gssapi || echo "libkrb5-dev"
	[ -s /etc/ssl/certs/ca-certificates.crt ] || echo "ca-certificates"
	command -v openssl >/dev/null || echo "openssl"
	[ -x /usr/bin/python3 ] || echo "python3"
	command -v prove >/dev/null || echo "perl"
	perl -MIPC::Run -e 1 2>/dev/null || echo "libipc-run-perl"
	[ "$what" != run ] || missing_servers
}

missing_servers() {
	[ -x /usr/sbin/apache2 ] || echo "apache2-bin"
	[ -f /usr/lib/apache2/modules/mod_auth_gssapi.so ] || echo "libapache2-mod-auth-gssapi"
	[ -x /usr/sbin/nginx ] || echo "nginx"
	[ -x /usr/sbin/krb5kdc ] || echo "krb5-kdc"
	[ -x /usr/sbin/kadmin.local ] || echo "krb5-admin-server"
	command -v kinit >/dev/null || echo "krb5-user"
	wants valgrind || return
	command -v valgrind >/dev/null || echo "valgrind"
	[ -f /usr/include/unicode/ucol.h ] || echo "libicu-dev"
	command -v pkg-config >/dev/null || echo "pkg-config"
	command -v bison >/dev/null || echo "bison"
	command -v flex >/dev/null || echo "flex"
	command -v bzip2 >/dev/null || echo "bzip2"
}

# --------------------------------------------------------------- installing

as_root=
apt() {
	$as_root env DEBIAN_FRONTEND=noninteractive \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		apt-get -q -y -o Dpkg::Use-Pty=0 "$@" </dev/null >>"$log" 2>&1
}

may_install() {
	command -v apt-get >/dev/null ||
		fail "these packages (by their Debian names) are missing, and there is no apt-get here: ${wanted//-@}"
	[ "$(id -u)" -eq 0 ] && return
	command -v sudo >/dev/null ||
		fail "these packages are missing; install them as root, or install sudo: ${wanted//-@}"
	as_root=sudo
	[ -t 0 ] || as_root="sudo -n"
	$as_root true ||
		fail "$(id -un) may not use sudo here, and these packages are missing: ${wanted//-@}"
}

# A cluster of its own is not what somebody who tries this out asked for: the
# package makes none while this file stands.  Existing clusters and settings
# stay as they are.
no_cluster=/etc/postgresql-common/createcluster.d/crm_sync.conf
forbid_cluster() {
	$as_root mkdir -p "${no_cluster%/*}" &&
		echo "create_main_cluster = false" | $as_root tee "$no_cluster" >/dev/null
}
allow_cluster() {
	$as_root rm -f "$no_cluster"
	$as_root rmdir --ignore-fail-on-non-empty "${no_cluster%/*}" 2>/dev/null
}

# Nor is a web server or a KDC that answers on this machine: while this file
# stands packages start nothing, and what they would start at the next boot is
# switched off.
policy=/usr/sbin/policy-rc.d own_policy=
forbid_services() {
	[ ! -e "$policy" ] || return 0
	own_policy=1
	printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null && $as_root chmod 755 "$policy"
}
allow_services() {
	[ -z "$own_policy" ] || $as_root rm -f "$policy"
}
switch_off() {
	local name
	for name in "${names[@]}"; do
		case $name in
			nginx | krb5-kdc | krb5-admin-server) $as_root update-rc.d "$name" disable >>"$log" 2>&1 ;;
		esac
	done
}

install() {
	apt install --no-install-recommends "${names[@]}"
}

name_packages() {
	local version
	version=$(major) || [ "${wanted%@*}" = "$wanted" ] || return 1
	read -r -a names <<<"${wanted//@/$version}"
}

# ------------------------------------------------------------------- a source

# From where the binary package comes, whether or not apt was told of sources, in
# the newest version that is to be had: a mirror's list may name one that is not
# there yet.
fetch_source() {
	local package version options
	package=postgresql-$(major) && mkdir -p "$1/parts" "$1/lists/partial" "$1/cache" && cd "$1" || return
	apt-cache policy "$package" |
		sed -n 's|^ *-\{0,1\}[0-9]* \([a-z+]*:[^ ]*\) \([^ ]*\)/\([^ /]*\) .*|deb-src \1 \2 \3|p' |
		sort -u >parts/source.list
	options=(-q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$PWD/parts"
		-o Dir::State::lists="$PWD/lists" -o Dir::Cache="$PWD/cache" -o APT::Sandbox::User=)
	apt-get "${options[@]}" update >>"$log" 2>&1 || return
	for version in $(apt-cache "${options[@]}" showsrc "$package" | sed -n 's/^Version: //p' | sort -urV); do
		apt-get "${options[@]}" source --download-only "$package=$version" >>"$log" 2>&1 && return
	done
	return 1
}

if [ "$what" = source ]; then
	wants valgrind || exit 0
	log=$(mktemp) || exit 1
	trap 'rm -f "$log"' EXIT
	echo "setup: fetching PostgreSQL's source package"
	fetch_source "$2" || fail "PostgreSQL's source package can't be had"
	exit 0
fi

wanted=$(missing | tr '\n' ' ')
wanted=${wanted% }
[ -n "$wanted" ] || exit 0
[ -z "${PG_CONFIG:-}" ] || has_pgxs ||
	fail "PG_CONFIG=$PG_CONFIG does not lead to PostgreSQL's build files"
may_install

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

give_up() {
	grep -q "Failed to fetch" "$log" && fail "packages can't be fetched: is there a network?"
	fail "$1"
}

updated=
update() {
	[ -z "$updated" ] || return 1
	updated=1
	echo "setup: fetching the list of packages"
	apt update || fail "apt-get update failed: is there a network?"
}

name_packages || { update && name_packages; } ||
	give_up "this distribution has no package postgresql"
echo "setup: installing ${names[*]}"
trap 'allow_cluster; allow_services; rm -f "$log"' EXIT
forbid_cluster || fail "$no_cluster can't be written"
forbid_services || fail "$policy can't be written"
install || { update && : >"$log" && install; } ||
	give_up "apt-get could not install: ${names[*]}"
switch_off

wanted=$(missing | tr '\n' ' ')
[ -z "$wanted" ] || fail "installed, and still missing: $wanted"
