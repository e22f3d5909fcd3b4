"""Copies a file to a host by pypsrp's own Client.copy, or runs another script there.

usage: client_copy.py ENDPOINT USER CA_FILE {SOURCE DESTINATION | SCRIPT}
"""

import os
import sys
import urllib.parse

from pypsrp.client import Client


def main():
    endpoint, user, authority, *rest = sys.argv[1:]
    url = urllib.parse.urlsplit(endpoint)
    secure = url.scheme == "https"
    with Client(
        url.hostname,
        port=url.port,
        ssl=secure,
        cert_validation=authority if secure else True,
        auth="ntlm",
        username=user,
        password=os.environ["LAB_PASSWORD"],
        no_proxy=True,
    ) as client:
        if len(rest) == 2:
            print(client.copy(*rest))
        else:
            _, streams, had_errors = client.execute_ps(*rest)
            print(had_errors, *streams.error)


main()
