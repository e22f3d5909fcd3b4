"""Runs two commands through an independent WinRM client and checks what comes back.

usage: client.py ENDPOINT USER CA_FILE {pywinrm|pypsrp} {basic|ntlm|negotiate|kerberos|certificate} [--wrong-password] [--no-channel-binding]
"""

import os
import sys
import urllib.parse

ARGUMENT = "Grüße€漢字"
CERTIFICATE = os.environ.get("LAB_CLIENT_CERTIFICATE")
KEY = os.environ.get("LAB_CLIENT_KEY")
INPUT = "línea 1\nстрока 2\n".encode("utf-8") + bytes(range(256)) * 300


def with_pywinrm(endpoint, user, password, authority, authentication, channel_binding):
    from winrm.protocol import Protocol

    protocol = Protocol(
        endpoint=endpoint,
        transport=authentication,
        username=user,
        password=password,
        ca_trust_path=authority,
        send_cbt=channel_binding,
        cert_pem=CERTIFICATE,
        cert_key_pem=KEY,
        proxy=None,
    )
    shell = protocol.open_shell(codepage=65001)
    try:
        command = protocol.run_command(shell, "show", [ARGUMENT, "a & b <c>"])
        first = protocol.get_command_output(shell, command)
        protocol.cleanup_command(shell, command)

        command = protocol.run_command(shell, "show", ["read-stdin"], skip_cmd_shell=True)
        protocol.send_command_input(shell, command, INPUT[:1000])
        protocol.send_command_input(shell, command, INPUT[1000:], end=True)
        second = protocol.get_command_output(shell, command)
        protocol.cleanup_command(shell, command)
    finally:
        protocol.close_shell(shell)
    return first, second


def with_pypsrp(endpoint, user, password, authority, authentication, channel_binding):
    from pypsrp.shell import Process, SignalCode, WinRS
    from pypsrp.wsman import WSMan

    url = urllib.parse.urlsplit(endpoint)
    secure = url.scheme == "https"
    connection = WSMan(
        url.hostname,
        port=url.port,
        ssl=secure,
        cert_validation=authority if secure else True,
        auth=authentication,
        encryption="auto",
        username=user,
        password=password,
        no_proxy=True,
        negotiate_send_cbt=channel_binding,
        certificate_pem=CERTIFICATE,
        certificate_key_pem=KEY,
    )
    connection.update_max_payload_size()

    def run(process, data=None):
        if data is None:
            process.invoke()
        else:
            process.begin_invoke()
            process.send(data[:1000], end=False)
            process.send(data[1000:], end=True)
            process.end_invoke()
        process.signal(SignalCode.TERMINATE)
        return process.stdout, process.stderr, process.rc

    with connection, WinRS(connection, codepage=65001) as shell:
        first = run(Process(shell, "show", [ARGUMENT, "a & b <c>"]))
        second = run(Process(shell, "show", ["read-stdin"], no_shell=True), INPUT)
    return first, second


def main():
    endpoint, user, authority, client, authentication, *options = sys.argv[1:]
    password = os.environ["LAB_PASSWORD"]
    if "--wrong-password" in options:
        password += "x"
    run = {"pywinrm": with_pywinrm, "pypsrp": with_pypsrp}[client]
    channel_binding = "--no-channel-binding" not in options
    first, second = run(endpoint, user, password, authority, authentication, channel_binding)

    stderr = "schlecht: ✗\n".encode("utf-8")
    expected = (f"show {ARGUMENT} a & b <c>|page 65001\n".encode("utf-8"), stderr, 7)
    if first != expected:
        sys.exit(f"first command: {first!r} instead of {expected!r}")
    expected = (b"show read-stdin|page 65001\n" + INPUT, stderr, 7)
    if second != expected:
        sys.exit(f"second command: {second!r} instead of {expected!r}")
    print(f"{client} {authentication} {endpoint}: two commands ran as expected")


main()
