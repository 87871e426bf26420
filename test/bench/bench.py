#!/usr/bin/python3
"""Measures crm_sync against what it is compared with, and prints a table.

    bench.py [--tap] [GROUP ...]

The environment says where the cluster is (PGHOST ...; it has the extension's
files), where the C loop is (BENCH_FETCH), where the server logs
(BENCH_SERVER_LOG), and how much is to be done: BENCH_ACCOUNTS, BENCH_CONTACTS,
BENCH_MEMORY, BENCH_ROUNDS, BENCH_REQUESTS, BENCH_SECONDS.

With --tap there is a test for each group, which fails where the two sides'
answers differ, and asks for no times.
"""

import os
import sys

sys.dont_write_bytecode = True

from rows import (Bench, GROUPS, NotPossible, Row, SqlError,  # noqa: E402
                  WrongAnswer)
from tools import Session  # noqa: E402

HEADINGS = Row("work", "ours", "compared with", "ratio or more", "reach",
               cpu="CDMS's CPU")


class Sizes:
    def __init__(self):
        self.accounts = size("ACCOUNTS", 100000)
        self.contacts = size("CONTACTS", 150000)
        self.memory = size("MEMORY", 300000)
        self.rounds = size("ROUNDS", 3)
        self.requests = size("REQUESTS", 500)  # of a row about one request
        self.seconds = size("SECONDS", 5)  # of a pgbench run


def size(name, default):
    return int(os.environ.get("BENCH_" + name) or default)


def met(row):
    return "" if row.met is None or not row.reach else \
        "yes" if row.met else "no"


def cells(row):
    return [row.work, row.ours, row.other, row.outcome, row.reach,
            "met" if row is HEADINGS else met(row), row.cpu]


def print_table(rows):
    lines = [cells(row) for row in [HEADINGS] + rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    lines.insert(1, ["-" * width for width in widths])
    for line in lines:
        print("| %s |" % " | ".join(
            cell.ljust(width) for cell, width in zip(line, widths)))


def measure(bench, name, rows):
    """Adds the group's rows; returns its line of TAP, without the number."""
    print("# %s" % name, file=sys.stderr, flush=True)
    try:
        for row in GROUPS[name](bench):
            rows.append(row)
            print("#   " + " | ".join(cells(row)), file=sys.stderr, flush=True)
    except NotPossible as why:
        rows.append(Row("%s: can't be run: %s" % (name, why)))
        return "ok", "%s # skip %s" % (name, why)
    except (SqlError, WrongAnswer) as why:
        rows.append(Row("%s: FAILED, %s" % (name, why)))
        return "not ok", "%s: %s" % (name, why)
    return "ok", name


def describe(sizes):
    with Session() as session:
        print("PostgreSQL %s, fsync %s, shared_buffers %s; %d processors (%s), "
              "%d GB; %d organisations, %d contacts; medians of %d rounds" % (
                  session.run("SHOW server_version"), session.run("SHOW fsync"),
                  session.run("SHOW shared_buffers"), os.cpu_count(),
                  processor(), gigabytes(), sizes.accounts, sizes.contacts,
                  sizes.rounds))


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return os.uname().machine


def gigabytes():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30


def main():
    tap = sys.argv[1:2] == ["--tap"]
    names = sys.argv[1 + tap:] or list(GROUPS)
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        sys.exit("bench: no rows named %s; there are %s"
                 % (", ".join(unknown), ", ".join(GROUPS)))
    sizes, rows = Sizes(), []
    with Session() as session:
        session.run("CREATE EXTENSION IF NOT EXISTS crm_sync")
    bench = Bench(sizes)
    try:
        results = [measure(bench, name, rows) for name in names]
    finally:
        bench.stop()
    if tap:
        print("1..%d" % len(names))
        for number, (result, text) in enumerate(results, 1):
            print("%s %d - %s" % (result, number, text))
    else:
        describe(sizes)
        print_table(rows)
    sys.exit(any(result != "ok" for result, _ in results))


if __name__ == "__main__":
    main()
