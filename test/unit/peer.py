"""The HTTP server that the unit tests of net/http.h talk to.

It writes bytes to sockets itself, because most of what it does no proper
server would do.  The path of a request says how it is treated: see ANSWERS.

    peer.py DIRECTORY    serves on a free port of 127.0.0.1, which it writes to
                         DIRECTORY/port, until it is ended
"""

import gzip
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import zlib

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
LATER = "Sun, 22 Nov 2026 10:01:30 GMT"

work = sys.argv[1]
lock = threading.Lock()
sent = {}        # how often each path was asked for
connections = 0  # how many there were
arrived = threading.Condition()
meeting = 0      # requests that wait for others
crowded = most = 0


class Hangup(Exception):
    """The connection ends here, with or without an answer."""


class Connection:
    """One connection, kept alive from request to request."""

    def __init__(self, sock):
        global connections
        with lock:
            connections += 1
            self.number = connections
        self.sock = sock
        self.file = sock.makefile("rb")
        self.doomed = False

    def serve(self):
        try:
            while self.read():
                with lock:
                    sent[self.path] = sent.get(self.path, 0) + 1
                if self.doomed:
                    break
                ANSWERS.get(self.path, missing)(self)
        except (Hangup, OSError):
            pass
        finally:
            self.file.close()
            self.sock.close()

    def read(self):
        line = self.file.readline().decode("latin-1").split()
        if len(line) != 3:
            return False
        self.method, self.target, _ = line
        self.path, _, self.query = self.target.partition("?")
        self.lines = []
        while (header := self.file.readline().decode("latin-1").strip()):
            self.lines.append(header)
        self.body = self.file.read(int(self.header("Content-Length") or 0))
        return True

    def header(self, name):
        for line in self.lines:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def write(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def answer(self, body=b"", headers=(), status="200 OK"):
        body = body.encode() if isinstance(body, str) else body
        lines = ["HTTP/1.1 " + status, "Content-Length: %d" % len(body), *headers]
        self.write("\r\n".join(lines) + "\r\n\r\n")
        self.write(body)

    def wait(self):
        """Says nothing until the other side has gone."""
        self.file.read()
        raise Hangup

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Hangup


def missing(c):
    if c.target.startswith("http://"):
        c.answer("by proxy: " + c.target)
    elif c.method == "CONNECT":
        c.answer("no", status="403 Forbidden")
    else:
        c.answer("no such path", status="404 Not Found")


def hello(c):
    c.answer("hello", ["Content-Type: text/plain; charset=utf-8", "dAte:" + DATE])


def echo(c):
    """The request itself."""
    lines = [c.method + " " + c.target, *sorted(c.lines), "", ""]
    c.answer("\n".join(lines).encode() + c.body)


def count(c):
    """How often the path in the query was asked for."""
    with lock:
        c.answer("%d" % sent.get(c.query, 0))


def connection(c):
    c.answer("%d" % c.number)


def bye(c):
    """Kept alive by its words, closed all the same."""
    c.answer("bye")
    raise Hangup


def doom(c):
    """The next request on this connection is read and never answered."""
    c.doomed = True
    c.answer("doomed")


def last(c):
    """A port of its own for one connection; doomed, and nothing listens there then."""
    sock = listener()

    def talk():
        accepted, _ = sock.accept()
        sock.close()
        Connection(accepted).serve()

    threading.Thread(target=talk, daemon=True).start()
    c.answer("%d" % sock.getsockname()[1])


def cut(c):
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    raise Hangup


def cut_chunk(c):
    c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this")
    raise Hangup


def cut_chunks(c):
    """Between two chunks, without the last of size 0."""
    c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n")
    raise Hangup


def cut_header(c):
    c.write("HTTP/1.1 200 OK\r\nContent-Le")
    raise Hangup


def empty(c):
    raise Hangup


def reset(c):
    c.reset()


def reset_body(c):
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    time.sleep(0.05)
    c.reset()


def chunks(c):
    c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            "5\r\nhello\r\n8;x=y\r\n, chunks\r\n0\r\nDate: trailer\r\n\r\n")


def until_close(c):
    c.write("HTTP/1.0 200 OK\r\n\r\nuntil the end")
    raise Hangup


def nonsense(c):
    c.write("220 smtp.example.org ESMTP\r\n")
    raise Hangup


def no_content(c):
    c.write("HTTP/1.1 204 No Content\r\nDate: " + DATE + "\r\n\r\n")


def interim(c):
    c.write("HTTP/1.1 100 Continue\r\nLocation: /wrong\r\n\r\n")
    c.answer("final")


def hang(c):
    c.wait()


def drip(c):
    """A byte of body each 10 ms, without end."""
    c.write("HTTP/1.1 200 OK\r\n\r\n")
    while True:
        c.write("x")
        time.sleep(0.01)


def slow(c):
    """Answers after as many milliseconds as the query says."""
    time.sleep(int(c.query) / 1000)
    c.answer("slow")


def meet(c):
    """Answers once there are as many of it at the same time as the query says."""
    global meeting
    with arrived:
        meeting += 1
        if meeting == int(c.query):
            meeting = 0
            arrived.notify_all()
        else:
            arrived.wait()
    c.answer("met")


def crowd(c):
    """The most of it there were at the same time, since the last with ?0."""
    global crowded, most
    with lock:
        crowded += 1
        most = max(most, crowded)
    time.sleep(0.05)
    with lock:
        crowded -= 1
        c.answer("%d" % most)
        if c.query == "0":
            most = 0


def big(c):
    """As many bytes as the query says."""
    c.answer(b"x" * int(c.query))


def endless(c):
    c.write("HTTP/1.1 200 OK\r\n\r\n")
    while True:
        c.write(b"x" * 65536)


def zipped(c):
    c.answer(gzip.compress(b"hello, gzip " * 100), ["Content-Encoding: gzip"])


def deflated(c):
    c.answer(zlib.compress(b"hello, deflate " * 100), ["Content-Encoding: deflate"])


def zip_bomb(c):
    c.answer(BOMB, ["Content-Encoding: gzip"])


def zip_large(c):
    c.answer(LARGE, ["Content-Encoding: gzip"])


def zip_twice(c):
    c.answer(gzip.compress(gzip.compress(b"hello")), ["Content-Encoding: gzip, gzip"])


def zip_twice_apart(c):
    c.answer(gzip.compress(gzip.compress(b"hello")), ["Content-Encoding: gzip", "content-encoding: gzip"])


def zip_transfer(c):
    c.answer(gzip.compress(gzip.compress(b"hello")), ["Content-Encoding: gzip", "Transfer-Encoding: gzip"])


def brotli(c):
    c.answer(b"\x0b\x02\x80hello\x03", ["Content-Encoding: br"])


def zstd(c):
    c.answer(b"\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello", ["Content-Encoding: zstd"])


def brotli_transfer(c):
    c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: br, chunked\r\n\r\n"
            "9\r\n\x0b\x02\x80hello\x03\r\n0\r\n\r\n")


def unpacked(c):
    c.answer("hello", ["Content-Encoding: Identity"])


def zip_old(c):
    c.answer(gzip.compress(b"hello"), ["content-encoding:X-GZIP"])


def zip_broken(c):
    c.answer(b"\x1f\x8b\x08\x00" + b"\xff" * 50, ["Content-Encoding: gzip"])


def many_headers(c):
    c.write("HTTP/1.1 200 OK\r\n")
    while True:
        c.write("X-Flood: 0123456789\r\n" * 1000)


def long_header(c):
    c.write("HTTP/1.1 200 OK\r\nX-Long: " + "x" * 200000 + "\r\nContent-Length: 0\r\n\r\n")


def many_interim(c):
    while True:
        c.write("HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def retry_seconds(c):
    c.answer(headers=["Retry-After: 120"], status="503 Service Unavailable")


def retry_date(c):
    c.answer(headers=["Date: " + DATE, "Retry-After: " + LATER], status="503 Service Unavailable")


def retry_nonsense(c):
    c.answer(headers=["Retry-After: soon", "Date: someday"], status="503 Service Unavailable")


def dated(c):
    c.answer(headers=["Date: " + c.query.replace("+", " ")])


def redirect(c):
    c.answer(headers=["Location: /hello"], status="302 Found")


def set_cookie(c):
    c.answer(headers=["Set-Cookie: login=abc; Path=/; HttpOnly"])


def fresh_cookies(c):
    """As many as libcurl takes of an answer, of names that the query makes others."""
    c.answer(headers=["Set-Cookie: n%s-%d=x; Path=/" % (c.query, i) for i in range(50)])


def refuse(c):
    c.answer("no", status="500 Internal Server Error")


def silent(c):
    """The port of a listener that nobody serves: connected, then nothing."""
    c.answer("%d" % SILENT.getsockname()[1])


def flood(c):
    """A proxy's answer without end, for a few seconds."""
    c.write("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 999999999999999\r\n\r\n")
    end = time.monotonic() + 6
    while time.monotonic() < end:
        c.write(b"x" * 65536)
    raise Hangup


def full(c):
    """The port of a listener that takes no connection any more."""
    c.answer("%d" % FULL.getsockname()[1])


def tls(c):
    """The port where the same is served over TLS."""
    c.answer("%d" % TLS.getsockname()[1]) if TLS else missing(c)


def certificate(c):
    c.answer(os.path.join(work, "peer.crt"))


ANSWERS = {
    "/hello": hello, "/echo": echo, "/count": count, "/connection": connection,
    "/bye": bye, "/doom": doom, "/last": last, "/cut": cut, "/cut-chunk": cut_chunk,
    "/cut-chunks": cut_chunks, "/cut-header": cut_header, "/empty": empty,
    "/reset": reset, "/reset-body": reset_body, "/chunks": chunks,
    "/until-close": until_close, "/nonsense": nonsense, "/no-content": no_content,
    "/interim": interim, "/meet": meet, "/crowd": crowd, "/hang": hang, "/drip": drip,
    "/slow": slow, "/big": big,
    "/endless": endless, "/zipped": zipped, "/deflated": deflated,
    "/zip-bomb": zip_bomb, "/zip-large": zip_large, "/zip-broken": zip_broken,
    "/zip-twice": zip_twice, "/zip-twice-apart": zip_twice_apart, "/zip-transfer": zip_transfer,
    "/brotli": brotli, "/zstd": zstd, "/brotli-transfer": brotli_transfer,
    "/unpacked": unpacked, "/zip-old": zip_old,
    "/many-headers": many_headers, "/long-header": long_header,
    "/many-interim": many_interim, "/retry-seconds": retry_seconds,
    "/retry-date": retry_date, "/retry-nonsense": retry_nonsense,
    "/dated": dated,
    "/redirect": redirect, "/set-cookie": set_cookie, "/fresh-cookies": fresh_cookies, "/refuse": refuse,
    "flood.test:443": flood, "/silent": silent, "/full": full, "/tls": tls, "/certificate": certificate,
}


def listener(backlog=512):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen(backlog)
    return sock


def serve(sock, wrap=lambda accepted: accepted):
    def talk(accepted):
        try:
            Connection(wrap(accepted)).serve()
        except OSError:
            accepted.close()

    while True:
        accepted, _ = sock.accept()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=talk, args=(accepted,), daemon=True).start()


def fill(sock):
    """Connects to a listener until it takes no more."""
    waiting = []
    for _ in range(8):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(sock.getsockname())
        waiting.append(client)
    return waiting


def serve_tls():
    """A listener with a certificate of its own for localhost, or None."""
    names = [os.path.join(work, "peer.crt"), os.path.join(work, "peer.key")]
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-out", names[0], "-keyout", names[1]], capture_output=True)
    if made.returncode != 0:
        return None
    os.chmod(names[0], 0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*names)
    sock = listener()
    wrap = lambda accepted: context.wrap_socket(accepted, server_side=True)
    threading.Thread(target=serve, args=(sock, wrap), daemon=True).start()
    return sock


BOMB = gzip.compress(bytes(64 << 20))
LARGE = gzip.compress(bytes(i % 251 for i in range(251 * 256)) * 512)
SILENT = listener()
FULL = listener(backlog=0)
waiting = fill(FULL)
TLS = serve_tls()
main = listener()
with open(os.path.join(work, "port.new"), "w") as file:
    file.write("%d" % main.getsockname()[1])
os.rename(os.path.join(work, "port.new"), os.path.join(work, "port"))
serve(main)
