"""psql, pgbench, the simulator and the C loop, each as rows.py wants them."""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SIMULATOR = os.path.join(HERE, "..", "cdms", "simulator.py")
PATIENCE = 3600  # seconds for a control command
TICKS = os.sysconf("SC_CLK_TCK")


class SqlError(Exception):
    """What psql said; `state` is the SQLSTATE."""

    def __init__(self, state, message):
        super().__init__(message)
        self.state = state


class NotPossible(Exception):
    """A row can't be run, and why."""


class WrongAnswer(Exception):
    """The two sides differ: there is nothing to compare."""


# -- psql ---------------------------------------------------------------------

class Session:
    """A psql that goes on; it tells how long each statement took."""

    END = "@end@"
    ERROR = re.compile(r"^(?:ERROR|FATAL|PANIC):  ([0-9A-Z]{5}): (.*)", re.M)
    TIME = re.compile(r"^Time: ([0-9.]+) ms.*$", re.M)

    def __init__(self):
        self.psql = subprocess.Popen(
            ["psql", "-XAtq", "-v", "VERBOSITY=verbose"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8")
        self.milliseconds = 0.0
        self.run("\\timing on")

    def run(self, sql):
        """What the statements print; `milliseconds` is how long they took."""
        end = "" if sql.startswith("\\") else ";"
        self.psql.stdin.write("%s%s\n\\echo %s\n" % (sql, end, self.END))
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line == self.END + "\n":
                break
            lines.append(line)
        else:
            raise SqlError("08006", "psql has ended: " + "".join(lines))
        text = "".join(lines)
        error = self.ERROR.search(text)
        if error:
            raise SqlError(*error.groups())
        self.milliseconds = sum(map(float, self.TIME.findall(text)))
        return self.TIME.sub("", text).strip()

    def time(self, sql):
        """Milliseconds."""
        self.run(sql)
        return self.milliseconds

    def file(self, name, **variables):
        for item in variables.items():
            self.run("\\set %s %s" % item)
        return self.run("\\i " + os.path.join(HERE, name))

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def refused(session, sql):
    """Whether this version answers that it can't do that, or not yet."""
    try:
        session.run(sql)
    except SqlError as error:
        if error.state in ("0A000", "HV00D"):
            return True
        raise
    return False


# -- pgbench ------------------------------------------------------------------

class Pgbench:
    """One pgbench run; `scripts` are SQL texts, chosen at random.

    `seconds` is what all transactions would have taken, if the first of each
    client had been like the others: they load the library and connect to CDMS.
    """

    FIRST = 10  # transactions of each client

    def __init__(self, scripts, mode, clients=1, count=None, seconds=None,
                 variables=()):
        with tempfile.TemporaryDirectory() as directory:
            command = ["pgbench", "-n", "-M", mode, "-c", str(clients), "-j",
                       str(clients), "-l", "--log-prefix", directory + "/log"]
            command += ["-t", str(count + self.FIRST)] if count else \
                ["-T", str(seconds)]
            for name, value in variables:
                command += ["-D", "%s=%s" % (name, value)]
            for number, script in enumerate(scripts):
                path = "%s/%d.sql" % (directory, number)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(script + ";\n")
                command += ["-f", path]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SqlError("XX000", done.stderr.strip())
            self._read(directory, done.stdout)

    def _read(self, directory, output):
        """Log lines are: client transaction microseconds script ..."""
        times = []
        for name in os.listdir(directory):
            if name.startswith("log."):
                with open(directory + "/" + name, encoding="ascii") as file:
                    times += [int(words[2]) for words in map(str.split, file)
                              if int(words[1]) >= self.FIRST]
        self.seconds = sum(times) / 1e6 / len(times) * (len(times) + self.FIRST)
        self.rate = float(re.search(r"tps = ([0-9.]+)", output).group(1))


# -- CDMS ---------------------------------------------------------------------

class Simulator:
    """One of our own, with `options` as on its command line."""

    def __init__(self, *options):
        self.directory = tempfile.TemporaryDirectory()
        port, pid = (os.path.join(self.directory.name, name)
                     for name in ("port", "pid"))
        subprocess.run(
            [sys.executable, SIMULATOR, "--daemon", "--port-file", port,
             "--pid-file", pid, "--idle-exit", str(PATIENCE), *options],
            check=True, stdin=subprocess.DEVNULL)
        self.port, self.pid = (int(open(path, encoding="ascii").read())
                               for path in (port, pid))
        self.url = "http://127.0.0.1:%d/UKTI" % self.port

    def control(self, *words):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=PATIENCE)
        connection.request("POST", "/_control/", json.dumps({"words": words}))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["lines"]

    def count(self, entity_set):
        return int(self.control("count", entity_set)[0])

    def log(self):
        """What was asked since `log clear`; all of it, or an error."""
        entries = list(map(json.loads, self.control("log", "--json")))
        if entries and entries[0]["number"] != 1:
            raise NotPossible("the simulator's log is too short for so much")
        return entries

    def cpu(self):
        """Seconds that it has computed."""
        with open("/proc/%d/stat" % self.pid, encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self):
        os.kill(self.pid, 15)
        self.directory.cleanup()


class Clock:
    """The times of one side, and how long the simulator computed in them."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.times = []
        self.computed = 0.0

    def add(self, run):
        """`run` returns seconds."""
        start = self.simulator.cpu()
        self.times.append(run())
        self.computed += self.simulator.cpu() - start

    @property
    def median(self):
        return statistics.median(self.times)

    def share(self):
        return "%d %%" % (100 * self.computed / sum(self.times))


def seconds_of(act):
    start = time.monotonic()
    act()
    return time.monotonic() - start


class Loop:
    """The C loop over what the simulator's log holds.

    The same requests: verbs, URLs, headers, bodies, in the same order, over
    as many connections as they had come by, or so many as are given.
    """

    def __init__(self, simulator, entries, connections=None):
        self.simulator = simulator
        self.requests = len(entries)
        self.bytes = sum(entry["bytes"] for entry in entries)
        self.connections = connections or \
            len({entry["connection"] for entry in entries})
        self.file = tempfile.NamedTemporaryFile("wb", suffix=".requests")
        for entry in entries:
            self._write(entry)
        self.file.flush()

    def _write(self, entry):
        body = entry["body"].encode()
        host = "http://127.0.0.1:%d" % self.simulator.port
        lines = ["%s %s%s %d %d" % (entry["raw_verb"], host, entry["target"],
                                    entry["status"], len(body))]
        lines += ["%s: %s" % tuple(header) for header in entry["headers"]]
        self.file.write("\n".join(lines + ["", ""]).encode() + body + b"\n")

    def run(self):
        """Seconds."""
        warm = self.simulator.url + "/XRMServices/2011/OrganizationData.svc"
        done = subprocess.run(
            [os.environ["BENCH_FETCH"], str(self.connections), warm,
             self.file.name], capture_output=True, text=True)
        if done.returncode:
            raise WrongAnswer(done.stderr.strip())
        requests, received, seconds = done.stdout.split()
        if int(requests) != self.requests or int(received) != self.bytes:
            raise WrongAnswer("the C loop got %s bytes for %s requests, and "
                              "crm_sync %d for %d" % (received, requests,
                                                      self.bytes,
                                                      self.requests))
        return float(seconds)
