"""Faults: a queue of rules, each matching requests and spoiling the answer.

A rule acts on a request it matches after letting `skip` of them through, for
`times` requests.  Rules are tried in the order they were added; the first
that acts wins.  What a fault does to a write: `hang`, `status`, `login`,
`raw`, `echo` and `reset-before` come instead of it; the others after it was
applied.
"""

import gzip
import html
import json
import os
import re
import threading
import time
from urllib.parse import quote, unquote_plus

from .http_server import Response

LOGIN_PAGE = """<!DOCTYPE html>
<html><head><title>Sign In</title></head><body>
<form method="post" action="/adfs/ls/" id="aspnetForm">
<input type="hidden" name="__VIEWSTATE" value="" />
<input type="text" name="ctl00$ContentPlaceHolder1$UsernameTextBox" />
<input type="password" name="ctl00$ContentPlaceHolder1$PasswordTextBox" />
<input type="submit" name="ctl00$ContentPlaceHolder1$SubmitButton"
 value="Sign In" /></form></body></html>"""

# What an echo is written in: the media type, and the document with its words.
ECHOES = {
    "json": ("application/json", lambda words: json.dumps(
        {"error": {"code": "", "message": {"lang": "en-US", "value": words}}})),
    "token": ("application/json", lambda words: '{"d": %s}' % words),
    "xml": ("application/xml", lambda words: (
        "<m:error xmlns:m=\"http://schemas.microsoft.com/ado/2007/08/"
        "dataservices/metadata\"><m:code/><m:message>%s</m:message></m:error>"
        % html.escape(words))),
    "tag": ("application/atom+xml", lambda words: "<feed><%s></feed>" % words),
    "wide": ("application/atom+xml", lambda words: "<feed><%s></feed>" % words),
    "link": ("application/json", lambda words: json.dumps(
        {"d": {"results": [], "__next": "/UKTI/XRMServices/2011/OrganizationData.svc"
               "/AccountSet/%s?$skiptoken=%s" % (quote(words), quote(words))}})),
    "html": ("text/html", lambda words: "<html><body><pre>%s</pre></body></html>"
             % html.escape(words)),
    "careless": ("text/html", lambda words: "<html><body>%s</body></html>"
                 % words),
    "text": ("text/plain", lambda words: words),
}
SECRET_HEADERS = ("Authorization", "Cookie")

BEFORE = ("hang", "status", "login", "raw", "echo", "reset-before",
          "close-before")
AFTER = ("hang-after", "drip", "cut", "reset-after", "close-after", "length",
         "gzip-garbage", "huge", "delay", "do-before", "do-after")
ACTIONS = BEFORE + AFTER


class Rule:
    def __init__(self, action, verb=None, path=None, regex=None, skip=0,
                 times=1, **options):
        if action not in ACTIONS:
            raise ValueError("no fault named %s; there are %s"
                             % (action, ", ".join(ACTIONS)))
        self.action = action
        self.verb = verb
        self.path = path
        self.regex = re.compile(regex) if regex else None
        self.skip = skip
        self.times = times  # None: for ever
        self.options = options

    def matches(self, entry):
        if self.verb not in (None, entry.verb):
            return False
        if self.path is not None and self.path not in entry.decoded:
            return False
        return self.regex is None or self.regex.search(entry.decoded)

    def spend(self):
        """One match used up; says whether this one is to be acted on."""
        if self.skip:
            self.skip -= 1
            return False
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0

    @property
    def spent(self):
        return self.times is not None and self.times <= 0

    def line(self):
        words = [self.action]
        for name in ("verb", "path"):
            if getattr(self, name) is not None:
                words.append("--%s %s" % (name, getattr(self, name)))
        if self.regex:
            words.append("--regex " + self.regex.pattern)
        if self.skip:
            words.append("--skip %d" % self.skip)
        words.append("--forever" if self.times is None
                     else "--times %d" % self.times)
        words += ["--%s %s" % item for item in self.options.items()]
        return " ".join(words)


class Faults:
    def __init__(self):
        self.rules = []
        self.guard = threading.Lock()
        self.cleared = threading.Event()

    def add(self, rule):
        with self.guard:
            self.rules.append(rule)

    def clear(self):
        """Drops the rules and lets go of every request that hangs."""
        with self.guard:
            self.rules = []
            self.cleared.set()
            self.cleared = threading.Event()

    def take(self, entry):
        with self.guard:
            for rule in self.rules:
                if rule.matches(entry) and rule.spend():
                    self.rules = [r for r in self.rules if not r.spent]
                    return rule
        return None

    def run(self, rule, request, handle, commands):
        """(response, what the log calls it) under a rule."""
        action = rule.action.replace("-", "_")
        if rule.action == "echo":
            return self._echo(rule, request)
        if rule.action in BEFORE:
            return getattr(self, "_" + action)(rule, Response(200))
        if rule.action == "delay":
            time.sleep(float(rule.options.get("ms", 1000)) / 1000)
            response = handle()
            return response, response.status
        if rule.action == "do-before":
            commands(rule.options["command"])
        response = handle()
        if rule.action.startswith("do-"):
            if rule.action == "do-after":
                commands(rule.options["command"])
            return response, response.status
        return getattr(self, "_" + action)(rule, response)

    # -- instead of the request -----------------------------------------------

    def _hang(self, rule, response):
        cleared = self.cleared

        def wait(connection, _):
            while not cleared.is_set() and not connection.client_left(0.05):
                # bytes that wait unread make select return at once
                cleared.wait(0.02)
            connection.close()
        response.transmit = wait
        return response, "hang"

    def _status(self, rule, _):
        options = rule.options
        body = data_of(options)
        response = Response(int(options.get("status", 503)), body,
                            options.get("content-type", "text/html"))
        if "retry-after" in options:
            response.headers.append(("Retry-After", options["retry-after"]))
        for field in options.get("header", ()):
            name, _, value = field.partition(":")
            response.headers.append((name.strip(), value.strip()))
        return response, response.status

    def _login(self, rule, _):
        return Response(200, LOGIN_PAGE.encode(),
                        "text/html; charset=utf-8"), 200

    def _echo(self, rule, request):
        """The request itself, or that part of it, in an answer of that kind."""
        options = rule.options
        kind = options.get("as", "html")
        media, write = ECHOES[kind]
        part = options.get("part")
        words = "\n".join(text for name, text in parts_of(request)
                          if part in (None, name))
        response = Response(int(options.get("status", 500)),
                            write(words).encode("utf-16" if kind == "wide" else "utf-8"), media)
        return response, response.status

    def _raw(self, rule, response):
        data = data_of(rule.options)

        def send(connection, _):
            connection.send(data)
            connection.close()
        response.transmit = send
        return response, "raw"

    def _reset_before(self, rule, response):
        response.transmit = lambda connection, _: connection.reset()
        return response, "reset"

    def _close_before(self, rule, response):
        response.transmit = lambda connection, _: connection.close()
        return response, "close"

    # -- to its answer --------------------------------------------------------

    def _hang_after(self, rule, response):
        self._hang(rule, response)
        return response, "%d, hang" % response.status

    def _reset_after(self, rule, response):
        response.transmit = lambda connection, _: connection.reset()
        return response, "%d, reset" % response.status

    def _close_after(self, rule, response):
        response.transmit = lambda connection, _: connection.close()
        return response, "%d, close" % response.status

    def _drip(self, rule, response):
        pause = float(rule.options.get("ms", 50)) / 1000

        def drip(connection, response):
            data = response.head(len(response.body)) + response.body
            for at in range(len(data)):
                connection.send(data[at:at + 1])
                if connection.client_left(pause):
                    return connection.close()
        response.transmit = drip
        return response, "%d, drip" % response.status

    def _cut(self, rule, response):
        size = int(rule.options.get("bytes", 0))

        def cut(connection, response):
            connection.send(response.head(len(response.body))
                            + response.body[:size])
            connection.close()
        response.transmit = cut
        return response, "%d, cut" % response.status

    def _length(self, rule, response):
        """Content-Length off by `delta`; the connection stays as it is."""
        delta = int(rule.options.get("delta", 100))

        def lie(connection, response):
            length = max(0, len(response.body) + delta)
            connection.send(response.head(length) + response.body)
            if delta > 0:
                connection.close()
        response.transmit = lie
        return response, "%d, length" % response.status

    def _gzip_garbage(self, rule, response):
        packed = gzip.compress(response.body)
        response.body = packed[:20] + os.urandom(max(1, len(packed) - 20))
        response.replace_header("Content-Encoding", "gzip")
        return response, "%d, gzip-garbage" % response.status

    def _huge(self, rule, response):
        """A well-framed answer of so many megabytes, streamed."""
        megabytes = int(rule.options.get("mb", 100))
        block = b" " * 65536

        def stream(connection, response):
            size = megabytes << 20
            connection.send(response.head(size + len(response.body)))
            for _ in range(size // len(block)):
                connection.send(block)
            connection.send(response.body)
        response.transmit = stream
        return response, "%d, huge" % response.status


def parts_of(request):
    """What was sent, piece by piece, those with secrets first."""
    body = request.body.decode("utf-8", "replace")
    secrets = [value.rpartition(" ")[2].rpartition("MSISAuth=")[2] for name, value
               in request.header_list if name in SECRET_HEADERS]
    headers = sorted(request.header_list,
                     key=lambda pair: pair[0] not in SECRET_HEADERS)
    yield "secrets", " ".join(secrets)
    yield "line", "%s %s HTTP/1.1" % (request.verb, request.target)
    yield "headers", "\n".join("%s: %s" % pair for pair in headers)
    yield "body", body
    yield "fields", "\n".join(map(unquote_plus, body.split("&")))


def data_of(options):
    """The bytes of --body; \\r \\n \\t \\xNN and \\\\ are understood."""
    text = options.get("body", "")
    escapes = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
    parts = re.split(r"\\(x[0-9a-fA-F]{2}|[rnt\\])", text)
    out = [parts[0].encode("utf-8")]
    for escape, plain in zip(parts[1::2], parts[2::2]):
        out.append(bytes([int(escape[1:], 16)]) if escape[0] == "x"
                   else escapes[escape])
        out.append(plain.encode("utf-8"))
    return b"".join(out)
