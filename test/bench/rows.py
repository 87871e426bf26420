"""What is measured: a function for each group of rows of the table.

Ours and what it is compared with take turns, and the medians count.  Before anything is compared, the answers are: by checksum in SQL, by
status and number of bytes over HTTP.
"""

import os
import re
import statistics
import threading

from tools import (Clock, Loop, NotPossible, Pgbench, Session, Simulator,
                   SqlError, WrongAnswer, refused, seconds_of)

MILLION = 1000000
ONEIL = "aaaaaaaa-0000-4000-8000-000000000001"
HARD = 30  # organisations with hard values; one of them can't be changed
KEYS_LOOKED_UP = 20
PAIRS_IN_A_ROUND = 5  # of statements that take milliseconds
COMMITS_IN_A_ROUND = {1: 20, 100: 5, 10000: 1}


class Row:
    """One line of the table."""

    def __init__(self, work, ours="", other="", outcome="", reach="", met=None,
                 cpu=""):
        self.work = work
        self.ours = ours
        self.other = other
        self.outcome = outcome  # the ratio or the difference
        self.reach = reach
        self.met = met
        self.cpu = cpu  # the simulator's, while ours ran and while the other


def milliseconds(value):
    return "%.0f ms" % value if value >= 1000 else \
        "%.1f ms" % value if value >= 10 else "%.3f ms" % value


def shares(ours, other):
    return "%s / %s" % (ours.share(), other.share())


def ratio_row(work, ours, other, most, show=milliseconds, cpu=""):
    """A row of which less is better."""
    ratio = ours / other
    return Row(work, show(ours), show(other), "%.2f" % ratio,
               "<= %.2f" % most, ratio <= most, cpu)


def turns(count, sides):
    """(number, side) for all of them: A B B A A B ..., for who comes first
    after a pause has it easier."""
    for number in range(count):
        for side in sides if number % 2 == 0 else reversed(sides):
            yield number, side


class Bench:
    """The cluster, the simulator, and what the sizes are."""

    def __init__(self, sizes):
        self.sizes = sizes
        self.simulator = Simulator("--accounts", str(sizes.accounts),
                                   "--contacts", str(sizes.contacts))
        for entity_set in ("AccountSet", "ContactSet"):
            self.simulator.control("keys", entity_set)  # makes the objects
        self.loaded = False
        self.within = False

    def rounds(self):
        return range(self.sizes.rounds)

    def model(self, session, simulator=None, connections=4):
        """Empty tables; the session has a warm connection afterwards."""
        simulator = simulator or self.simulator
        session.file("model.sql", url=simulator.url, connections=connections)
        session.run("CHECKPOINT")
        session.run("SELECT count(*) FROM bench.country")

    def load(self, session, table):
        """Loads a table whole, the way that is meant for big ones."""
        call = "CALL crm_sync.load('bench.%s')" % table
        if refused(session, call):
            session.run("SELECT crm_sync.pull('bench.%s')" % table)

    def load_all(self):
        """Both tables with indexes, and their plain copies."""
        if self.loaded:
            return
        with Session() as session:
            self.simulator.control("latency", "0")
            self.model(session)
            self.load(session, "organisation")
            self.load(session, "contact")
            session.file("plain.sql")
        self.loaded = True

    def within_max_age(self):
        """From here on nothing is asked; `asking` ends it."""
        self.load_all()
        if self.within:
            return
        with Session() as session:
            if refused(session, "ALTER SERVER bench OPTIONS (ADD max_age '1h')"):
                raise NotPossible("max_age is not in this version")
            # from when everything was asked just now
            session.run("SELECT count(*) FROM bench.organisation")
            session.run("SELECT count(*) FROM bench.contact")
        self.within = True

    def asking(self):
        self.load_all()
        if self.within:
            with Session() as session:
                session.run("ALTER SERVER bench OPTIONS (DROP max_age)")
            self.within = False

    def stop(self):
        self.simulator.stop()


# -- loading ------------------------------------------------------------------

def load(bench):
    """First load: an empty table, to the end of its transactions."""
    bench.loaded = bench.within = False
    for connections, latency, most in ((1, 0, 1.15), (1, 20, 1.15),
                                       (8, 20, 1.2)):
        yield first_load(bench, connections, latency, most)
    bench.simulator.control("latency", "0")


def first_load(bench, connections, latency, most):
    simulator, sums = bench.simulator, set()
    ours, other = Clock(simulator), Clock(simulator)
    simulator.control("latency", str(latency))
    for _ in bench.rounds():
        with Session() as session:
            bench.model(session, connections=connections)
            simulator.control("log", "clear")
            ours.add(lambda: seconds_of(
                lambda: bench.load(session, "organisation")))
            sums.add(session.run(
                "SELECT count(*), sum(hashtextextended(s::text, 0)) "
                "FROM bench.organisation_store s"))
        loop = Loop(simulator, simulator.log(), connections)
        other.add(loop.run)
    found = int(min(sums).split("|")[0])
    if len(sums) != 1 or found != simulator.count("AccountSet"):
        raise WrongAnswer("loads of the same objects differ: %s" % sums)
    return ratio_row(
        "first load, %d connection%s, %d ms: %d objects, %d requests"
        % (connections, "s"[connections == 1:], latency, found, loop.requests),
        ours.median, other.median, most,
        lambda seconds: "%.2f s" % seconds, shares(ours, other))


# -- one request --------------------------------------------------------------

def keys(bench):
    """A SELECT that costs one request, the store's own time apart."""
    bench.asking()
    yield one_request(bench, "SELECT by key",
                      "SELECT * FROM bench.organisation%%s WHERE id = '%s'"
                      % ONEIL)
    yield one_request(bench, "SELECT, nothing changed",
                      "SELECT * FROM bench.organisation%s "
                      "WHERE name = 'O''Neil & Sons'")
    yield one_request(bench, "join, nothing changed in either",
                      "SELECT o.name, c.* FROM bench.organisation%s o "
                      "JOIN bench.contact%s c ON c.organisation = o.id "
                      "WHERE o.name = 'O''Neil & Sons'", requests=2)


def one_request(bench, work, statement, requests=1):
    simulator, count = bench.simulator, bench.sizes.requests
    ours, other, store = Clock(simulator), Clock(simulator), Clock(simulator)
    to_store = statement.replace("%s", "_store")
    to_table = statement.replace("%s", "")
    with Session() as session:
        if session.run(to_table) != session.run(to_store):
            raise WrongAnswer("table and store differ")
    for _ in bench.rounds():
        simulator.control("log", "clear")
        ours.add(lambda: Pgbench([to_table], "simple", count=count).seconds)
        entries = simulator.log()
        if len(entries) != requests * (count + Pgbench.FIRST):
            raise WrongAnswer("%d requests for %d statements" % (
                len(entries), count + Pgbench.FIRST))
        other.add(Loop(simulator, entries, 1).run)
        store.add(lambda: Pgbench([to_store], "simple", count=count).seconds)
    a, b, s = (1000 * clock.median / (count + Pgbench.FIRST)
               for clock in (ours, other, store))
    return Row(work, milliseconds(a),
               "%s + %s" % (milliseconds(b), milliseconds(s)),
               "%+.3f ms" % (a - b - s), "<= +1 ms" if requests == 1 else "",
               a - b - s <= 1, shares(ours, other))


# -- SQL within max_age -------------------------------------------------------

SCANS = (
    ("full scan", "SELECT * FROM {0}.organisation OFFSET 1000000000", 1.3),
    ("count(*)", "SELECT count(*) FROM {0}.contact", 1.1),
    ("GROUP BY", "SELECT town, count(*), sum(turnover), max(modified_on) "
     "FROM {0}.organisation GROUP BY town", 1.1),
    ("join", "SELECT o.town, count(*), max(c.born) FROM {0}.organisation o "
     "JOIN {0}.contact c ON c.organisation = o.id GROUP BY o.town", 1.1),
)


def scan(bench):
    """Statements within max_age against the same on plain copies."""
    bench.within_max_age()
    for workers in (0, 2):
        for work, statement, most in SCANS:
            yield one_scan(bench, work, statement, workers, most)


def checksum(session, statement):
    return session.run("SELECT count(*), sum(hashtextextended(t::text, 0)) "
                       "FROM (%s) t" % statement.partition(" OFFSET")[0])


def one_scan(bench, work, statement, workers, most):
    on_table, on_plain = statement.format("bench"), statement.format("plain")
    ours, other = [], []
    with Session() as session:
        session.run("SET max_parallel_workers_per_gather = %d" % workers)
        if checksum(session, on_table) != checksum(session, on_plain):
            raise WrongAnswer("%s: table and plain copy differ" % work)
        bench.simulator.control("log", "clear")
        session.run(on_plain)
        for _, (statement, times) in turns(
                bench.sizes.rounds * PAIRS_IN_A_ROUND,
                [(on_table, ours), (on_plain, other)]):
            times.append(session.time(statement))
    if bench.simulator.log():
        raise WrongAnswer("%s: CDMS was asked within max_age" % work)
    return ratio_row("%s within max_age, %d workers" % (work, workers),
                     statistics.median(ours), statistics.median(other), most)


def lookups(bench):
    """pgbench: single objects by key, two clients, prepared statements."""
    bench.within_max_age()
    with Session() as session:
        found = session.run("SELECT id FROM plain.organisation ORDER BY "
                            "md5(id::text) LIMIT %d" % KEYS_LOOKED_UP).split()
    variables = [("key%d" % n, key) for n, key in enumerate(found)]
    rates = {"bench": [], "plain": []}
    for _, schema in turns(bench.sizes.rounds, list(rates)):
        rates[schema].append(Pgbench(
            ["SELECT * FROM %s.organisation WHERE id = :%s" % (schema, name)
             for name, _ in variables], "prepared", clients=2,
            seconds=bench.sizes.seconds, variables=variables).rate)
    ours, other = (statistics.median(taken) for taken in rates.values())
    yield Row("key lookup within max_age, 2 clients", "%.0f/s" % ours,
              "%.0f/s" % other, "%.2f" % (ours / other), ">= 0.70",
              ours / other >= 0.7)


# -- memory -------------------------------------------------------------------

class Watch(threading.Thread):
    """How much memory a server process has of its own, while it works.

    `resident` is what the kernel counts (RssAnon: malloc, libcurl and all),
    `contexts` the total of PostgreSQL's memory contexts, which the process
    itself writes to the server's log when another session asks.
    """

    PAUSE = 0.1
    TOTAL = re.compile(r"\[(\d+)\] LOG: .*Grand total: (\d+) bytes")

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.samples = []
        self.ended = threading.Event()
        with open(os.environ["BENCH_SERVER_LOG"], encoding="utf-8") as log:
            log.seek(0, 2)
            self.start_of_log = log.tell()

    def run(self):
        with Session() as session:
            while not self.ended.wait(self.PAUSE):
                self.samples.append(self.resident())
                if len(self.samples) % 10 == 0:
                    session.run("SELECT pg_log_backend_memory_contexts(%d)"
                                % self.pid)

    def resident(self):
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            return int(re.search(r"RssAnon:\s+(\d+)", file.read()).group(1)) \
                * 1024

    def contexts(self):
        with open(os.environ["BENCH_SERVER_LOG"], encoding="utf-8",
                  errors="replace") as log:
            log.seek(self.start_of_log)
            return [int(total) for pid, total in self.TOTAL.findall(log.read())
                    if int(pid) == self.pid]

    def stop(self):
        """The last sample is taken here: a small load ends before the first."""
        self.ended.set()
        self.join()
        self.samples.append(self.resident())


def memory(bench):
    """What a session grows by while it loads."""
    objects = bench.sizes.memory
    simulator = Simulator("--accounts", str(objects), "--contacts", "0")
    bench.loaded = bench.within = False
    try:
        with Session() as session:
            bench.model(session, simulator)
            watch = Watch(int(session.run("SELECT pg_backend_pid()")))
            before = watch.resident()
            watch.start()
            bench.load(session, "organisation")
            watch.stop()
    finally:
        simulator.stop()
    yield memory_row("session's memory while loading %d" % objects, objects,
                     [sample - before for sample in watch.samples])
    totals = watch.contexts()
    if totals:
        yield memory_row("of that, memory contexts", objects,
                         [total - totals[0] for total in totals])


def memory_row(work, objects, growth):
    """What is still growing in the second half goes on to a million."""
    most = max(growth)
    later = most - max(growth[:len(growth) // 2], default=0)
    at_million = most + later / (objects / 2) * max(MILLION - objects, 0)
    return Row(work, "%+.1f MB" % (most / 2**20), "", "%+.1f MB at 1,000,000"
               % (at_million / 2**20), "+32 MB", at_million <= 32 * 2**20)


# -- writing ------------------------------------------------------------------

def commits(bench):
    """COMMIT of changed rows: the same requests, 1 ms and 20 % more."""
    bench.asking()
    for rows in possible(bench):
        yield commit(bench, rows)


def possible(bench):
    return [rows for rows in COMMITS_IN_A_ROUND
            if rows <= bench.sizes.accounts - HARD]


def batch(bench):
    """The same with change sets."""
    bench.asking()
    with Session() as session:
        if refused(session, "ALTER SERVER bench OPTIONS (ADD batch 'on')"):
            raise NotPossible("batch is not in this version")
        bench.simulator.control("switch", "batch", "atomic")
        for rows in possible(bench):
            yield commit(bench, rows, ", batch")
        session.run("ALTER SERVER bench OPTIONS (DROP batch)")
    bench.simulator.control("switch", "batch", "off")


def commit(bench, rows, how=""):
    simulator = bench.simulator
    ours, other = Clock(simulator), Clock(simulator)
    with Session() as session:
        change(session, rows, 0)  # from here on all numbers are as long
        session.run("COMMIT")
        for number in range(bench.sizes.rounds * COMMITS_IN_A_ROUND[rows]):
            change(session, rows, number + 1)
            simulator.control("log", "clear")
            ours.add(lambda: session.time("COMMIT") / 1000)
            entries = simulator.log()
            loop = Loop(simulator, entries)
            other.add(loop.run)
            written = sum(e["body"].count("n%09d" % (number + 1))
                          for e in entries)
            if written != rows:
                raise WrongAnswer("%d rows made %d writes" % (rows, written))
    a, b = 1000 * ours.median, 1000 * other.median
    most = b * 1.2 + 1
    return Row("COMMIT of %d row%s%s: %d requests, %d connection%s"
               % (rows, "s"[rows == 1:], how, loop.requests, loop.connections,
                  "s"[loop.connections == 1:]),
               milliseconds(a), milliseconds(b), "%+.3f ms, %.2f" % (a - b, a / b),
               "<= +1 ms + 20 %", a <= most, shares(ours, other))


def change(session, rows, number):
    session.run("BEGIN")
    session.run("UPDATE bench.organisation SET phone_number = 'n%09d' WHERE "
                "id IN (SELECT id FROM plain.organisation WHERE id::text NOT "
                "LIKE 'aaaaaaaa-%%' ORDER BY id LIMIT %d)" % (number, rows))


def capture(bench):
    """History and outbox against an audit trigger in PL/pgSQL."""
    bench.asking()
    rows = min(10000, bench.sizes.accounts)
    with Session() as session:
        session.file("audit.sql")
        session.run("TRUNCATE crm_sync.history, crm_sync.outbox")
        session.run("SET crm_sync.mode = local")
        for work, statement in CHANGES:
            ours, other = [], []
            for number, (table, times) in turns(
                    bench.sizes.rounds, [("bench.organisation_store", ours),
                                         ("audit.organisation", other)]):
                times.append(session.time(
                    statement.format(table, rows, number)))
            check_history(session)
            yield ratio_row("%s of %d rows: capture and history" % (work, rows),
                            statistics.median(ours), statistics.median(other),
                            0.7)
    bench.loaded = False


CHANGES = (
    ("UPDATE", "UPDATE {0} SET phone_number = 'c {2}' WHERE id IN "
     "(SELECT id FROM plain.organisation ORDER BY id LIMIT {1})"),
    ("INSERT", "INSERT INTO {0} (id, name, phone_number, town, turnover) "
     "SELECT gen_random_uuid(), name, '{2}', town, turnover "
     "FROM plain.organisation ORDER BY id LIMIT {1}"),
)


def check_history(session):
    """Both sides have kept the same; both begin anew."""
    kept = {session.run(
        "SELECT count(*), sum(hashtextextended(concat(operation, before - 'id',"
        " after - 'id'), 0)) FROM (SELECT operation, before, after FROM %s "
        "%s) h" % (table, more))
        for table, more in (("audit.history", ""),
                            ("crm_sync.history", "WHERE origin = 'crm'"))}
    if len(kept) != 1:
        raise WrongAnswer("the histories differ: %s" % kept)
    session.run("TRUNCATE audit.history, crm_sync.history, crm_sync.outbox")


GROUPS = {"load": load, "keys": keys, "scan": scan, "lookups": lookups,
          "commits": commits, "batch": batch, "capture": capture, "memory": memory}

__all__ = ["Bench", "GROUPS", "NotPossible", "Row", "SqlError", "WrongAnswer"]
