#!/usr/bin/python3
"""Sends a control command to a running simulator and prints its answer.

    control.py [--port P | --port-file F] COMMAND [WORDS...]

Without --port, CDMS_PORT or the file CDMS_PORT_FILE names says where it is.
"""

import json
import os
import socket
import sys


def find_port(words):
    """(port, the words that are left)."""
    port = os.environ.get("CDMS_PORT")
    path = os.environ.get("CDMS_PORT_FILE")
    while words[:1] in (["--port"], ["--port-file"]) and len(words) > 1:
        if words[0] == "--port":
            port = words[1]
        else:
            port, path = None, words[1]
        words = words[2:]
    if port is None and path is not None:
        with open(path, encoding="ascii") as file:
            port = file.read().strip()
    if port is None or not port.isdigit():
        sys.exit(__doc__.strip())
    return int(port), words


def send(port, words):
    """The lines the command answers with.

    Tests call this by the thousand, and importing http.client takes longer
    than all the rest.
    """
    body = json.dumps({"words": words}).encode("ascii")
    head = ("POST /_control/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
            "Connection: close\r\nContent-Length: %d\r\n\r\n" % (port, len(body)))
    with socket.create_connection(("127.0.0.1", port), timeout=60) as peer:
        peer.sendall(head.encode("ascii") + body)
        text = b"".join(iter(lambda: peer.recv(65536), b""))
    answer = json.loads(text.partition(b"\r\n\r\n")[2])
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["lines"]


def main():
    port, words = find_port(sys.argv[1:])
    try:
        lines = send(port, words)
    except (OSError, RuntimeError, ValueError) as why:
        sys.exit("control: %s" % why)
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    for line in lines:
        print(line)


if __name__ == "__main__":
    main()
