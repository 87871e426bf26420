#!/usr/bin/python3
"""Starts the CDMS simulator; `--help` and README.md say with what."""

import argparse
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from cdmssim.application import Application  # noqa: E402
from cdmssim.http_server import Server  # noqa: E402
from cdmssim.seed import Dataset  # noqa: E402
from cdmssim.service import ORGANISATION  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(
        description="A stand-in for Dynamics CRM 2011's OrganizationData.svc.")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--port-file", help="file to write the port to")
    parser.add_argument("--pid-file", help="file to write the process id to")
    parser.add_argument("--log-file", help="file that gets the request log")
    parser.add_argument("--daemon", action="store_true",
                        help="return as soon as it listens")
    parser.add_argument("--idle-exit", type=float, metavar="SECONDS",
                        help="end after so long without a request")
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--contacts", type=int, default=800)
    parser.add_argument("--seed", type=int, default=2011)
    parser.add_argument("--latency", type=float, default=0, metavar="MS")
    parser.add_argument("--page-size", type=int, metavar="ROWS")
    parser.add_argument("--switch", action="append", default=[],
                        metavar="NAME=VALUE")
    parser.add_argument("--user", help="ask for Basic authentication")
    parser.add_argument("--password", default="")
    return parser.parse_args()


def start_switches(options):
    switches = dict(item.partition("=")[::2] for item in options.switch)
    if options.page_size is not None:
        switches["page-size"] = str(options.page_size)
    return switches


def build(options):
    credentials = (options.user, options.password) if options.user else None
    try:
        application = Application(
            Dataset(options.accounts, options.contacts, options.seed),
            start_switches(options), options.latency / 1000, credentials,
            options.log_file)
        server = Server(application, options.port)
    except (ValueError, OSError, OverflowError) as why:
        sys.exit("simulator: %s" % why)
    application.server = server
    return server


def write_file(path, text):
    """Whole or not at all, for somebody may be waiting for it."""
    if path:
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.replace(path + ".new", path)


def remove_files(options):
    for path in (options.port_file, options.pid_file):
        if path and os.path.exists(path):
            os.unlink(path)


def catch_signals():
    """SIGTERM ends the process; the socket returned tells select of it."""
    alarm, bell = socket.socketpair()
    bell.setblocking(False)
    signal.set_wakeup_fd(bell.detach())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    return alarm


def announce(options, server):
    write_file(options.pid_file, str(os.getpid()))
    write_file(options.port_file, str(server.port))


def daemonize():
    """Returns in the daemon; the parent ends when `tell` is written to."""
    reader, tell = os.pipe()
    if os.fork():
        os.close(tell)
        os._exit(0 if os.read(reader, 1) else 1)
    os.close(reader)
    os.setsid()
    if os.fork():
        os._exit(0)
    return tell


def let_go(tell):
    """The files are there: the parent may return, the terminal is not ours."""
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.write(tell, b"1")
    os.close(tell)


def main():
    options = arguments()
    for name in ("port_file", "pid_file", "log_file"):
        if getattr(options, name):
            setattr(options, name, os.path.abspath(getattr(options, name)))
    server = build(options)
    tell = daemonize() if options.daemon else None
    try:
        # before anybody can know of this process, and end it
        alarm = catch_signals()
        announce(options, server)
        if tell is not None:
            let_go(tell)
        else:
            print("http://127.0.0.1:%d%s" % (server.port, ORGANISATION),
                  flush=True)
        threading.stack_size(512 * 1024)
        server.serve(options.idle_exit, alarm)
    except (SystemExit, KeyboardInterrupt):
        pass
    finally:
        remove_files(options)
    os._exit(0)  # whatever clients' threads are doing


if __name__ == "__main__":
    main()
