"""Sockets and HTTP/1.1: a thread for each connection, keep-alive, no Nagle.

An answer leaves in one send.  What a fault wants sent instead is a `transmit`
function on the response; it gets the connection and may do as it likes.
"""

import select
import socket
import struct
import threading
import time

REASONS = {
    100: "Continue", 200: "OK", 201: "Created", 202: "Accepted",
    204: "No Content", 302: "Found", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 411: "Length Required",
    412: "Precondition Failed", 413: "Request Entity Too Large",
    415: "Unsupported Media Type", 429: "Too Many Requests",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout",
}
MOST_HEADERS = 65536
MOST_BODY = 64 << 20
SERVER = "Microsoft-IIS/7.5"


class Request:
    def __init__(self, verb, target, protocol, headers, body, connection):
        self.verb = verb
        self.target = target  # as it stood in the request line
        self.header_list = headers
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body
        self.connection = connection
        self.user = None  # who asks, once that is known
        wish = self.headers.get("connection", "").lower()
        self.keep_alive = wish == "keep-alive" if protocol == "HTTP/1.0" \
            else wish != "close"


class Response:
    def __init__(self, status, body=b"", content_type=None, headers=()):
        self.status = status
        self.body = body
        self.headers = list(headers)
        self.transmit = None
        if content_type:
            self.headers.append(("Content-Type", content_type))

    def replace_header(self, name, value):
        self.headers = [(n, v) for n, v in self.headers
                        if n.lower() != name.lower()]
        self.headers.append((name, value))

    def head(self, length):
        lines = ["HTTP/1.1 %d %s" % (self.status,
                                     REASONS.get(self.status, "Unknown"))]
        lines += ["%s: %s" % header for header in self.headers]
        if length is not None:
            lines.append("Content-Length: %d" % length)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


class BadRequest(Exception):
    """Not HTTP; the connection can't go on."""


class Connection:
    """One client's connection: reads requests, sends answers."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.buffer = b""
        self.open = True
        self.by_door = False
        self.ntlm = None  # its way to a login
        self.ntlm_user = None  # who is logged in

    def end_input(self):
        """What is being answered is the last."""
        try:
            self.sock.shutdown(socket.SHUT_RD)
        except OSError:
            pass  # it has ended by itself

    def read_request(self):
        """The next request, or None when the client has left."""
        head = self._read_head()
        if head is None:
            return None
        lines = head.decode("latin-1").split("\r\n")
        try:
            verb, target, protocol = lines[0].split(" ")
        except ValueError:
            raise BadRequest("Bad Request - Invalid URL") from None
        if not protocol.startswith("HTTP/1."):
            raise BadRequest("Bad Request")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadRequest("Bad Request - Invalid Header")
            headers.append((name, value.strip()))
        request = Request(verb, target, protocol, headers, b"", self)
        request.body = self._read_body(request)
        return request

    def _read_head(self):
        while True:
            self.buffer = self.buffer.lstrip(b"\r\n") if self.buffer[:1] in \
                (b"\r", b"\n") else self.buffer
            end = self.buffer.find(b"\r\n\r\n")
            if end >= 0:
                head, self.buffer = self.buffer[:end], self.buffer[end + 4:]
                return head
            if len(self.buffer) > MOST_HEADERS:
                raise BadRequest("Bad Request - Request Too Long")
            if not self._receive():
                return None

    def _receive(self):
        try:
            data = self.sock.recv(65536)
        except OSError:
            data = b""
        self.buffer += data
        return bool(data)

    def _read_body(self, request):
        if request.headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_BODY:
            raise BadRequest("Bad Request - Invalid Content Length")
        return self._read_exactly(int(length))

    def _read_exactly(self, length):
        while len(self.buffer) < length:
            if not self._receive():
                raise ConnectionError("the client left in the middle")
        data, self.buffer = self.buffer[:length], self.buffer[length:]
        return data

    def _read_line(self):
        while b"\r\n" not in self.buffer:
            if not self._receive():
                raise ConnectionError("the client left in the middle")
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _read_chunks(self):
        parts = []
        while True:
            try:
                size = int(self._read_line().split(b";")[0], 16)
            except ValueError:
                raise BadRequest("Bad Request - Invalid Chunk") from None
            if size == 0:
                while self._read_line():
                    pass
                return b"".join(parts)
            parts.append(self._read_exactly(size))
            self._read_line()

    # -- answering ------------------------------------------------------------

    def answer(self, response):
        if response.transmit is not None:
            response.transmit(self, response)
        else:
            self.send(response.head(len(response.body)) + response.body)

    def send(self, data):
        self.sock.sendall(data)

    def client_left(self, wait):
        """Waits up to `wait` seconds; True when the client closed."""
        readable, _, _ = select.select([self.sock], [], [], wait)
        if not readable:
            return False
        try:
            return self.sock.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def close(self):
        if self.open:
            self.open = False
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.sock.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        if self.open:
            self.open = False
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
            self.sock.close()


class Server:
    """Listens on 127.0.0.1 and hands each request to `application`."""

    def __init__(self, application, port):
        self.application = application
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.connections = {}
        self.door = None
        self.door_port = 0
        self.guard = threading.Lock()
        self.last_request = time.monotonic()

    def serve(self, idle_exit=None, alarm=None):
        """Accepts until interrupted, or until nobody has asked for a while.

        `alarm` is a socket that becomes readable when a signal comes: one
        that arrives just before select would not end it otherwise.
        """
        watched = [self.listener] + ([alarm] if alarm else [])
        self.last_request = time.monotonic()
        while True:
            wait = None
            if idle_exit is not None:
                quiet = time.monotonic() - self.last_request
                wait = idle_exit - quiet
                if wait <= 0:
                    return
            ready, _, _ = select.select(watched, [], [], wait)
            if self.listener in ready:
                self._accept(self.listener)

    def open_door(self):
        """Listens on a second port, always the same one."""
        if self.door is None:
            self.door = socket.create_server(("127.0.0.1", self.door_port),
                                             backlog=512)
            self.door_port = self.door.getsockname()[1]
            threading.Thread(target=self._keep_door, args=(self.door,),
                             daemon=True).start()
        return self.door_port

    def close_door(self):
        """Who is inside gets the answer he waits for; then he is out, too."""
        door, self.door = self.door, None
        if door is not None:
            door.shutdown(socket.SHUT_RDWR)
            door.close()
        with self.guard:
            for connection in self.connections.values():
                if connection.by_door:
                    connection.end_input()

    def _keep_door(self, door):
        while self.door is door:
            self._accept(door, True)

    def _accept(self, listener, by_door=False):
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.guard:
            self.accepted += 1
            connection = Connection(sock, self.accepted)
            connection.by_door = by_door
            self.connections[connection.number] = connection
        threading.Thread(target=self._converse, args=(connection,),
                         daemon=True).start()

    def _converse(self, connection):
        try:
            while connection.open:
                if not self._one_exchange(connection):
                    break
        except (ConnectionError, OSError):
            pass
        finally:
            connection.close()
            with self.guard:
                del self.connections[connection.number]

    def _one_exchange(self, connection):
        try:
            request = connection.read_request()
        except BadRequest as why:
            body = ("<h2>%s</h2>" % why).encode()
            connection.answer(Response(400, body, "text/html; charset=us-ascii",
                                       [("Connection", "close")]))
            return False
        if request is None:
            return False
        self.last_request = time.monotonic()
        response = self.application(request)
        if request.verb == "HEAD":
            response.body = b""
        connection.answer(response)
        self.last_request = time.monotonic()
        return request.keep_alive
