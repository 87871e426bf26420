"""A simulator in this process and a client that speaks to it."""

import http.client
import json
import socket
import threading
import time
import unittest
from urllib.parse import quote

from cdmssim.application import Application
from cdmssim.http_server import Server
from cdmssim.seed import Dataset
from cdmssim.service import ROOT

JSON = "application/json"
ATOM = "application/atom+xml"
DATA = "{http://schemas.microsoft.com/ado/2007/08/dataservices}"
META = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"
ATOM_NS = "{http://www.w3.org/2005/Atom}"


def account(number):
    return "aaaaaaaa-0000-4000-8000-%012d" % number


def contact(number):
    return "cccccccc-0000-4000-8000-%012d" % number


def record(set_name, guid):
    return "%s(guid'%s')" % (set_name, guid)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {n.lower(): v for n, v in response.getheaders()}
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def d(self):
        return json.loads(self.text)["d"]

    @property
    def results(self):
        return self.d["results"]

    @property
    def error(self):
        return json.loads(self.text)["error"]


class Client:
    """One keep-alive connection."""

    def __init__(self, port):
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port,
                                                     timeout=10)

    def raw(self, verb, target, body=None, headers=()):
        if self.connection.sock is None:
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP,
                                            socket.TCP_NODELAY, 1)
        self.connection.request(verb, target, body, dict(headers))
        return Answer(self.connection.getresponse())

    def send(self, verb, path, body=None, accept=JSON, **headers):
        """`path` is relative to the service and may hold blanks."""
        fields = {"Accept": accept}
        if isinstance(body, dict):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode("utf-8")
        if body is not None:
            fields["Content-Type"] = headers.pop("content_type", JSON)
        fields.update({n.replace("_", "-"): v for n, v in headers.items()})
        head, mark, query = path.partition("?")
        target = "%s/%s%s%s" % (ROOT, head, mark, quote(query, "$=&',()/:%*"))
        return self.raw(verb, target, body, fields)

    def get(self, path, accept=JSON, **headers):
        return self.send("GET", path, accept=accept, **headers)

    def follow(self, link):
        start = "http://127.0.0.1:%d" % self.port
        if link.startswith(start):
            return self.raw("GET", link[len(start):].replace(" ", "%20"),
                            headers={"Accept": JSON})
        return self.get(link.replace("%", "%25").replace("%25", "%"))

    def control(self, *words):
        answer = self.raw("POST", "/_control/", json.dumps({"words": words}))
        content = json.loads(answer.text)
        if "error" in content:
            raise RuntimeError(content["error"])
        return content["lines"]

    def close(self):
        self.connection.close()


def start(dataset=None, **options):
    """(application, port) of a simulator that ends with the process."""
    application = Application(dataset or Dataset(200, 300), **options)
    server = Server(application, 0)
    application.server = server
    threading.Thread(target=server.serve, daemon=True).start()
    return application, server.port


class SimulatorTest(unittest.TestCase):
    """Each test class has a simulator of its own, reset before each test."""

    @classmethod
    def setUpClass(cls):
        cls.application, cls.port = start()

    def setUp(self):
        self.application.reset()
        self.client = self.new_client()

    # shorthand

    def get(self, path, **more):
        return self.client.get(path, **more)

    def send(self, verb, path, body=None, **more):
        return self.client.send(verb, path, body, **more)

    def new_client(self, port=None):
        client = Client(port or self.port)
        self.addCleanup(client.close)
        return client

    def control(self, *words):
        """Over a connection of its own: faults may have spoiled the other."""
        client = Client(self.port)
        try:
            return client.control(*words)
        finally:
            client.close()

    def switch(self, name, value):
        self.control("switch", name, value)

    def names(self, condition, entity_set="AccountSet", name="Name"):
        """The set of names a $filter finds."""
        escaped = condition.replace("%", "%25").replace("&", "%26")
        answer = self.get("%s?$select=%s&$filter=%s"
                          % (entity_set, name, escaped))
        self.assertEqual(answer.status, 200, answer.text)
        return {row[name] for row in answer.results}

    def assert_refused(self, answer, status, words, code=None):
        self.assertEqual(answer.status, status, answer.text)
        self.assertIn(words, answer.error["message"]["value"])
        if code is not None:
            self.assertEqual(answer.error["code"], str(code))

    def wait_until(self, condition, seconds=3):
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            time.sleep(0.01)
        self.assertTrue(condition())
