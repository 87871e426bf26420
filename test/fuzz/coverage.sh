#!/usr/bin/env bash
#
# Which branches of the parsers the corpora reach: a table of files, after
# "make -C test/fuzz coverage=1".  What else $FUZZ_CORPUS holds is run, too.
# With "lines" as argument: what was not reached, line by line.
set -u
cd "$(dirname "$0")"

clang=${FUZZ_CLANG:-clang}
library=$PWD/crm_sync_fuzz.so
parsers=$(cd ../../src && ls "$PWD"/cdms/{atom,builder,error,filter,json,metadata,odata_batch,timestamp,type,value,words}.c \
	"$PWD"/net/{html,url,xml}.c "$PWD"/fdw/definition.c)
profiles=$(mktemp -d)
trap 'rm -rf "$profiles"' EXIT

FUZZ_RUNS=0 LLVM_PROFILE_FILE=$profiles/%p.raw bash run.sh 60 || exit 1
"$("$clang" -print-prog-name=llvm-profdata)" merge -o "$profiles/all" "$profiles"/*.raw || exit 1

# cov COMMAND OPTION...
cov() {
	local command=$1
	shift
	"$("$clang" -print-prog-name=llvm-cov)" "$command" "$library" -instr-profile="$profiles/all" "$@"
}
if [ "${1:-}" = lines ]; then
	cov show -show-branches=count -ignore-filename-regex=/usr/
else
	cov export -summary-only | python3 -c '
import json, os, sys
wanted = set(map(os.path.realpath, sys.argv[1:]))
row = "| %-16s | %9s | %5s |"
print(row % ("file", "branches", "lines"), "|---|---|---|", sep="\n")
def show(name, n):
    print(row % (name, "%d/%d" % (n[0], n[1]), "%d %%" % (100 * n[2] // n[3])))
total = [0] * 4
for file in json.load(sys.stdin)["data"][0]["files"]:
    if os.path.realpath(file["filename"]) in wanted:
        s = file["summary"]
        n = [s[kind][what] for kind in ("branches", "lines") for what in ("covered", "count")]
        show(os.path.basename(file["filename"]), n)
        total = [a + b for a, b in zip(total, n)]
show("all", total)' $parsers
fi
