"""What clients asked: one entry for each request to the service."""

import json
import re
import threading
import time
from collections import deque
from urllib.parse import unquote

from .service import ROOT

KEPT = 20000  # entries; the numbering goes on beyond it


class Entry:
    def __init__(self, number, request, login):
        self.number = number
        self.login = login  # a page of a login: neither query nor values kept
        self.user = None
        self.raw_verb = request.verb
        self.verb = effective_verb(request)
        self.target = request.target
        self.decoded = readable(request.target)
        self.headers = request.header_list
        self.body = request.body
        if login:
            self.decoded = self.decoded.partition("?")[0]
            self.body = b" ".join(each.partition(b"=")[0] for each
                                  in request.body.split(b"&"))
        self.connection = request.connection.number
        self.by_door = request.connection.by_door
        self.time = time.time()
        self.status = None  # a number, or what a fault did instead
        self.bytes = 0

    def line(self):
        """The stable one-line form tests compare."""
        parts = [self.verb, self.decoded]
        if self.body:
            parts.append(one_line(self.body))
        return "%s -> %s" % (" ".join(parts), self.status)

    def record(self):
        return {
            "number": self.number, "verb": self.verb,
            "raw_verb": self.raw_verb, "path": self.decoded,
            "target": self.target, "headers": self.headers,
            "body": self.body.decode("utf-8", "replace"),
            "status": self.status, "time": round(self.time, 6),
            "connection": self.connection, "bytes": self.bytes,
            "user": self.user,
        }


def effective_verb(request):
    method = request.headers.get("x-http-method")
    return method.upper() if method and request.verb == "POST" \
        else request.verb


def readable(target):
    """Relative to the service's root, escapes taken out."""
    path, mark, query = target.partition("?")
    path = unquote(path)
    if path[:len(ROOT)].lower() == ROOT.lower():
        path = path[len(ROOT):].lstrip("/") or "/"
    return path + mark + unquote(query.replace("+", " "))


def one_line(body):
    """JSON compactly, as sent otherwise; line ends made visible."""
    text = body.decode("utf-8", "replace")
    try:
        text = json.dumps(json.loads(text), ensure_ascii=False,
                          separators=(",", ":"))
    except ValueError:
        pass
    return re.sub(r"[\r\n]", lambda m: {"\r": "\\r", "\n": "\\n"}[m.group()],
                  text)


class RequestLog:
    def __init__(self, path=None):
        self.entries = deque(maxlen=KEPT)
        self.guard = threading.Lock()
        self.number = 0
        self.file = open(path, "a", encoding="utf-8", buffering=1) \
            if path else None

    def begin(self, request, login=False):
        with self.guard:
            self.number += 1
            entry = Entry(self.number, request, login)
            self.entries.append(entry)
        return entry

    def end(self, entry, status, size):
        """Noted before the answer leaves, so that whoever has it sees it."""
        entry.status = status
        entry.bytes = size
        if self.file is not None:
            with self.guard:
                self.file.write(entry.line() + "\n")

    def note(self, text):
        if self.file is not None:
            with self.guard:
                self.file.write("# %s\n" % text)

    def clear(self):
        with self.guard:
            self.entries.clear()
            self.number = 0

    def select(self, verb=None, path=None, login=False):
        with self.guard:
            entries = list(self.entries)
        return [e for e in entries if e.login == login
                and (verb is None or e.verb == verb)
                and (path is None or path in e.decoded)]
