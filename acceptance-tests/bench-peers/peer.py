"""A peer of the WinRM benchmark: pypsrp or pywinrm, each used as its own documentation shows.

It speaks the command line that acceptance-tests/src/bench/peer.rs describes, after the name of the client.
"""

import base64
import concurrent.futures
import os
import sys
import time
import urllib.parse

USER = os.environ["LAB_USER"]
PASSWORD = os.environ["LAB_PASSWORD"]
AUTHORITY = os.environ["LAB_AUTHORITY"]


def endpoint(authentication, url):
    """What pypsrp's clients take."""
    parsed = urllib.parse.urlsplit(url)
    secure = parsed.scheme == "https"
    return {
        "server": parsed.hostname,
        "port": parsed.port,
        "ssl": secure,
        "cert_validation": AUTHORITY if secure else True,
        "auth": authentication,
        "username": USER,
        "password": PASSWORD,
        "no_proxy": True,
    }


class Pypsrp:
    """A WinRS shell of pypsrp."""

    @staticmethod
    def load():
        """What a program that uses it imports."""
        import pypsrp.shell
        import pypsrp.wsman  # noqa: F401

    @staticmethod
    def warm_up():
        """What it imports itself when first used would otherwise count for the first session."""
        import spnego  # noqa: F401

    def __init__(self, authentication, url):
        from pypsrp.shell import WinRS
        from pypsrp.wsman import WSMan

        self.connection = WSMan(**endpoint(authentication, url))
        self.shell = WinRS(self.connection)
        self.shell.open()

    def run(self):
        from pypsrp.shell import Process, SignalCode

        process = Process(self.shell, "quick")
        process.invoke()
        process.signal(SignalCode.CTRL_C)
        return process.stdout

    def script(self, program, arguments, data):
        from pypsrp.shell import Process, SignalCode

        process = Process(self.shell, program, arguments)
        process.begin_invoke()
        process.send(data, end=True)
        process.end_invoke()
        process.signal(SignalCode.CTRL_C)
        return process.stdout

    def upload(self, data):
        """Raw standard input: the best a program over WinRS of pypsrp can do."""
        from pypsrp.shell import Process

        self.connection.update_max_payload_size()
        # pypsrp does not cut input into messages; it names the room it has in one.
        room = self.connection.max_payload_size // 4 * 3 // 1024 * 1024 - 1024
        process = Process(self.shell, "sha256")
        process.begin_invoke()
        for start in range(0, len(data), room):
            process.send(data[start : start + room], end=start + room >= len(data))
        process.end_invoke()
        return process.stdout

    def close(self):
        self.shell.close()
        self.connection.close()


class Pywinrm:
    """A Session of pywinrm, which opens a shell for every command."""

    @staticmethod
    def load():
        import winrm  # noqa: F401

    @staticmethod
    def warm_up():
        import requests_ntlm  # noqa: F401

    def __init__(self, authentication, url):
        import winrm

        self.session = winrm.Session(
            url, auth=(USER, PASSWORD), transport=authentication, ca_trust_path=AUTHORITY, proxy=None
        )

    def run(self):
        return self.session.run_cmd("quick").std_out

    def script(self, program, arguments, data):
        protocol = self.session.protocol
        shell = protocol.open_shell()
        try:
            command = protocol.run_command(shell, program, arguments)
            protocol.send_command_input(shell, command, data, end=True)
            output, _, _ = protocol.get_command_output(shell, command)
            protocol.cleanup_command(shell, command)
            return output
        finally:
            protocol.close_shell(shell)

    def upload(self, data):
        """The way of Ansible's winrm connection: base64 lines of 250,000 bytes on standard input."""
        protocol = self.session.protocol
        shell = protocol.open_shell()
        try:
            command = protocol.run_command(shell, "sha256-of-lines")
            for start in range(0, len(data), 250_000):
                line = base64.b64encode(data[start : start + 250_000]) + b"\r\n"
                protocol.send_command_input(shell, command, line, end=start + 250_000 >= len(data))
            output, _, _ = protocol.get_command_output(shell, command)
            protocol.cleanup_command(shell, command)
            return output
        finally:
            protocol.close_shell(shell)

    def close(self):
        self.session.protocol.transport.close_session()


def timed(name, work):
    begin = time.perf_counter()
    work()
    print(name, f"{time.perf_counter() - begin:.6f}", flush=True)


def expect(found, expected):
    if found != expected:
        sys.exit(f"the command printed {found!r} instead of {expected!r}")


def run_session(client, authentication, url, further=0):
    session = client(authentication, url)
    try:
        expect(session.run(), b"quick\r\n")
        for _ in range(further):
            timed("further", lambda: expect(session.run(), b"quick\r\n"))
    finally:
        session.close()


def query(client, authentication, url, further, program, arguments, data):
    def ask():
        output = session.script(program, arguments, data)
        if not (output.startswith(b"AZUREMFA-REPLY:") and b'"ok":true' in output):
            sys.exit(f"the script answered {output[:200]!r}")

    session = client(authentication, url)
    try:
        ask()
        for _ in range(further):
            timed("further", ask)
    finally:
        session.close()


def upload(client, authentication, url, file, expected):
    with open(file, "rb") as opened:
        data = opened.read()
    session = client(authentication, url)
    try:
        expect(session.upload(data), expected.encode())
    finally:
        session.close()


def copy(authentication, url, file, destination):
    """pypsrp's own way, by PowerShell remoting."""
    from pypsrp.client import Client

    with Client(**endpoint(authentication, url)) as client:
        expect(client.copy(file, destination), destination)


def memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))


def many(ask, urls, times):
    for _ in range(times):
        timed("one", lambda: ask(urls[0]))
    idle = memory("VmRSS")
    with concurrent.futures.ThreadPoolExecutor(len(urls)) as pool:
        for _ in range(times):
            timed("all", lambda: list(pool.map(ask, urls)))
    print("memory", max(0, memory("VmHWM") - idle))


def read_call(further, command, data):
    with open(command) as opened:
        program, *arguments = opened.read().splitlines()
    with open(data, "rb") as opened:
        return int(further), program, arguments, opened.read()


def main():
    name, action, authentication, urls, count, *rest = sys.argv[1:]
    client = {"pypsrp": Pypsrp, "pywinrm": Pywinrm}[name]
    client.load()
    if action != "first":
        client.warm_up()
    urls = urls.split(",")
    if action == "first":
        for _ in range(int(count)):
            timed("first", lambda: run_session(client, authentication, urls[0]))
    elif action == "commands":
        for _ in range(int(count)):
            timed("cold", lambda: run_session(client, authentication, urls[0], int(rest[0])))
    elif action == "upload":
        for _ in range(int(count)):
            timed("upload", lambda: upload(client, authentication, urls[0], *rest))
    elif action == "copy" and name == "pypsrp":
        import pypsrp.client  # noqa: F401

        for _ in range(int(count)):
            timed("upload", lambda: copy(authentication, urls[0], *rest))
    elif action == "query":
        call = read_call(*rest)
        for _ in range(int(count)):
            timed("query", lambda: query(client, authentication, urls[0], *call))
    elif action == "hosts":
        many(lambda url: run_session(client, authentication, url), urls, int(count))
    elif action == "queries":
        call = read_call(*rest)
        many(lambda url: query(client, authentication, url, *call), urls, int(count))
    else:
        sys.exit(f"unknown action {action}")


main()
