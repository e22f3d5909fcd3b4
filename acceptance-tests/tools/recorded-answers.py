"""Prints what was recorded of Windows in a source package of pypsrp as JSON: conversations and errors of PowerShell.

Usage: recorded-answers.py pypsrp-0.9.1.tar.gz
"""

import json
import sys
import tarfile

import yaml

CONVERSATIONS = "/tests/tests_pypsrp/responses/"
ERRORS = "/tests/tests_pypsrp/data/"


def messages(text):
    for message in yaml.safe_load(text).get("messages") or []:
        error = message.get("transport_error") or {}
        yield {
            "request": message.get("request") or "",
            "response": message.get("response") or "",
            "status": error.get("code") or 200,
        }


def main():
    recorded = {"conversations": {}, "errors": {}}
    with tarfile.open(sys.argv[1]) as package:
        for member in package:
            name = member.name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
            if CONVERSATIONS in member.name and member.name.endswith(".yml") and not name.startswith("_"):
                recorded["conversations"][name] = list(messages(package.extractfile(member).read()))
            if ERRORS in member.name and member.name.endswith(".xml"):
                recorded["errors"][name] = package.extractfile(member).read().decode()
    json.dump(recorded, sys.stdout)


main()
