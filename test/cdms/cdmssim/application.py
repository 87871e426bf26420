"""One request on its way: control, login, faults, the service, the log."""

import gzip
import json
import re
import time
import traceback

from .clock import Clock
from .commands import CommandError, Commands, system_user
from .errors import PlainError
from .faults import Faults
from .http_server import SERVER, Response
from .logins import Instead, Logins
from .request_log import RequestLog
from .seed import Dataset
from .service import Operation, Service, plain_response
from .store import Store
from .switches import Switches
from .writer import Writer

CONTROL = "/_control/"
BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
GZIP_FROM = 256  # bytes; IIS leaves small answers alone


class Application:
    """Everything behind the sockets."""

    def __init__(self, dataset=None, switches=(), latency=0, credentials=None,
                 log_file=None):
        self.store = Store(dataset or Dataset())
        self.switches = Switches(switches)
        self.clock = Clock()
        self.writer = Writer(self.store, self.switches, self.clock)
        self.service = Service(self.store, self.switches, self.clock,
                               self.writer)
        self.log = RequestLog(log_file)
        self.faults = Faults()
        self.logins = Logins(self)
        self.commands = Commands(self)
        self.start = (latency, dict([credentials] if credentials else ()))
        self._restart()
        self.server = None
        self.control_connections = set()
        self.control_count = 0

    def reset(self):
        """Back to how it all began, the open connections excepted."""
        self.faults.clear()
        self.switches.reset()
        self.clock.reset()
        self.store.reset()
        self._restart()
        self.log.clear()

    def _restart(self):
        self.latency, passwords = self.start
        self.logins.reset()
        self.passwords = dict(passwords)  # none: nobody is asked
        self.users = {name: system_user(self, name) for name in passwords}

    def __call__(self, request):
        if request.target.startswith(CONTROL):
            return self._control(request)
        entry = self.log.begin(request, self.logins.is_page(request))
        rule = self.faults.take(entry)
        try:
            response, note = self._answer(request, rule)
        except Exception:  # a mistake in here must not pass for CDMS's answer
            self.log.note(traceback.format_exc())
            traceback.print_exc()
            response, note = Response(500, b"simulator error"), "ERROR"
        entry.user = request.user
        self.log.end(entry, note, len(response.body))
        return response

    def _answer(self, request, rule):
        """(response, what the log says of it)."""
        if rule is not None:
            return self.faults.run(rule, request,
                                   lambda: self._serve(request),
                                   self._command)
        response = self._serve(request)
        return response, response.status

    def _command(self, line):
        """A fault's command; what is wrong with it shows in the log file."""
        try:
            with self.store.lock:
                self.commands.run_line(line)
        except CommandError as why:
            self.log.note("command failed: %s: %s" % (line, why))

    # -- the service ----------------------------------------------------------

    def _serve(self, request):
        if self.latency:
            time.sleep(self.latency)
        if self.logins.is_page(request):
            return self.logins.answer_page(request)
        try:
            who = self.logins.check(request)
            self._check_url(request)
        except PlainError as error:
            response = plain_response(error)
        except Instead as page:
            response = page.response
        else:
            operation = Operation(request.verb, request.target,
                                  request.headers, request.body)
            response = self.service.answer(operation, who)
        if self.switches["gzip"] == "on":
            compress(request, response)
        response.headers.append(("Server", SERVER))
        response.headers.append(("X-Powered-By", "ASP.NET"))
        if self.switches["date-header"] != "off":
            response.headers.append(("Date", self._date()))
        return response

    def _date(self):
        if self.switches["date-header"] == "300000":
            return "Sat, 01 Jan 300000 00:00:00 GMT"
        return self.clock.http_date()

    def _check_url(self, request):
        """IIS refuses long URLs as not found (protocol notes 1.5)."""
        limit = self.switches["url-limit"]
        url = "http://%s%s" % (request.headers.get("host", ""), request.target)
        if not request.target.isascii() or BAD_ESCAPE.search(request.target):
            raise PlainError(400, "Bad Request - Invalid URL")
        if limit and len(url) > limit:
            raise PlainError(404, "404 - File or directory not found.")

    # -- control --------------------------------------------------------------

    def _control(self, request):
        """POST {"words": [...]}; the answer is {"lines": [...]}."""
        self._note_control(request.connection)
        name = request.target[len(CONTROL):].partition("?")[0]
        try:
            words = json.loads(request.body)["words"] if request.body else []
            lines = self._run([name, *words] if name else words)
            status, body = 200, {"lines": lines}
        except (CommandError, ValueError, KeyError, TypeError) as why:
            status, body = 400, {"error": str(why)}
        return Response(status, json.dumps(body).encode(), "application/json")

    def _run(self, words):
        if words[:1] == ["log"]:
            return self.commands.run(words)
        with self.store.lock:
            return self.commands.run(words)

    def _note_control(self, connection):
        """Control's own connections are not counted as clients'."""
        if not hasattr(connection, "control"):
            connection.control = True
            self.control_connections.add(connection.number)
            self.control_count += 1


def compress(request, response):
    if "gzip" not in request.headers.get("accept-encoding", "") \
            or len(response.body) < GZIP_FROM:
        return
    response.body = gzip.compress(response.body, 1)
    response.replace_header("Content-Encoding", "gzip")
    response.headers.append(("Vary", "Accept-Encoding"))

