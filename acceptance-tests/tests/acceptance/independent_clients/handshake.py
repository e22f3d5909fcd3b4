"""Logs on by hand with pyspnego and http.client, one connection, to try what whole clients never do.

usage: handshake.py ENDPOINT USER CA_FILE CASE

Cases: message-with-logon, without-tabs, line-end-before-boundary, wrong-length, replayed, unsealed, basic,
no-integrity-code, logon-on-two-connections, another-mechanism-first, another-mechanism-first-unsigned. Prints one line: HTTP status, and what WWW-Authenticate offers or the kind
of the message.
"""

import base64
import hashlib
import http.client
import os
import re
import ssl
import struct
import sys
import urllib.parse

import spnego
import spnego.channel_bindings
from spnego._context import GSSMech
from spnego._spnego import NegState, NegTokenInit, NegTokenResp, pack_mech_type_list, unpack_token

IDENTIFY = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
    "<s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>"
).encode()
SEALED = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
PLAIN = "application/soap+xml;charset=UTF-8"


class Logon:
    def __init__(self, endpoint, user, authority):
        url = urllib.parse.urlsplit(endpoint)
        self.secure = url.scheme == "https"
        self.connect = lambda: self._connect(url, authority)
        self.connection = self.connect()
        bindings = None
        if self.secure:
            self.connection.connect()
            certificate = self.connection.sock.getpeercert(True)
            data = b"tls-server-end-point:" + hashlib.sha256(certificate).digest()
            bindings = spnego.channel_bindings.GssChannelBindings(application_data=data)
        self.context = spnego.client(
            user,
            os.environ["LAB_PASSWORD"],
            hostname=url.hostname,
            service="http",
            protocol="ntlm",
            channel_bindings=bindings,
        )

    def _connect(self, url, authority):
        if self.secure:
            trusted = ssl.create_default_context(cafile=authority)
            return http.client.HTTPSConnection(url.hostname, url.port, context=trusted)
        return http.client.HTTPConnection(url.hostname, url.port)

    def post(self, body, content_type=PLAIN, token=None, authorization=None):
        headers = {"Content-Type": content_type}
        if token is not None:
            authorization = "Negotiate " + base64.b64encode(token).decode()
        if authorization is not None:
            headers["Authorization"] = authorization
        self.connection.request("POST", "/wsman", body, headers)
        response = self.connection.getresponse()
        return response, response.read()

    def challenge(self):
        response, _ = self.post(b"", token=self.context.step())
        challenge = response.getheader("WWW-Authenticate").removeprefix("Negotiate ")
        return self.context.step(base64.b64decode(challenge))

    def negotiate(self, signed):
        """Offers Kerberos before NTLM, so that the server has to choose and the lists have to be signed."""
        mechanisms = [GSSMech.kerberos.value, GSSMech.ntlm.value]
        response, _ = self.post(b"", token=NegTokenInit(mechanisms, mech_token=b"no ticket").pack())
        answer = self.answer(response)
        assert (answer.neg_state, answer.supported_mech) == (NegState.request_mic, GSSMech.ntlm.value), answer
        response, _ = self.post(b"", token=NegTokenResp(response_token=self.context.step()).pack())
        token = self.context.step(self.answer(response).response_token)
        signature = self.context.sign(pack_mech_type_list(mechanisms)) if signed else None
        response, body = self.post(b"", token=NegTokenResp(response_token=token, mech_list_mic=signature).pack())
        if response.status != 200:
            return response, body
        answer = self.answer(response)
        assert answer.neg_state == NegState.accept_complete, answer
        self.context.verify(pack_mech_type_list(mechanisms), answer.mech_list_mic)
        self.context._reset_ntlm_crypto_state(outgoing=True)
        self.context._reset_ntlm_crypto_state(outgoing=False)
        return self.post(self.seal(IDENTIFY), SEALED)

    @staticmethod
    def answer(response):
        return unpack_token(base64.b64decode(response.getheader("WWW-Authenticate").removeprefix("Negotiate ")))

    def seal(self, message, tab="\t", before_boundary="", length=None):
        header, sealed, padding = self.context.wrap_winrm(message)
        length = len(message) + padding if length is None else length
        head = (
            f"--Encrypted Boundary\r\n{tab}Content-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
            f"{tab}OriginalContent: type=application/soap+xml;charset=UTF-8;Length={length}\r\n"
            f"--Encrypted Boundary\r\n{tab}Content-Type: application/octet-stream\r\n"
        )
        tail = f"{before_boundary}--Encrypted Boundary--\r\n"
        return head.encode() + struct.pack("<I", len(header)) + header + sealed + tail.encode()

    def open(self, body):
        data = re.search(rb"octet-stream\r\n(.*)--Encrypted Boundary--\r\n$", body, re.DOTALL).group(1)
        length = struct.unpack("<I", data[:4])[0]
        return self.context.unwrap_winrm(data[4 : 4 + length], data[4 + length :])

    def describe(self, response, body):
        if response.status == 200 and response.getheader("Content-Type") == SEALED:
            body = self.open(body)
        kind = re.search(rb"<wsmid:(\w+)", body)
        offers = response.headers.get_all("WWW-Authenticate") or []
        return f"{response.status} {kind.group(1).decode() if kind else ', '.join(offers)}".strip()


def run(case, logon):
    if case == "unsealed":
        return logon.post(IDENTIFY, token=logon.challenge())
    if case.startswith("another-mechanism-first"):
        return logon.negotiate(signed=not case.endswith("unsigned"))
    if case == "basic":
        credentials = f"{sys.argv[2]}:{os.environ['LAB_PASSWORD']}".encode()
        return logon.post(IDENTIFY, authorization="Basic " + base64.b64encode(credentials).decode())
    token = logon.challenge()
    if case == "logon-on-two-connections":
        logon.connection = logon.connect()
        return logon.post(b"", token=token)
    if case == "no-integrity-code":
        return logon.post(b"", token=token[:72] + bytes(16) + token[88:])
    if case == "message-with-logon":
        if logon.secure:
            return logon.post(IDENTIFY, token=token)
        return logon.post(logon.seal(IDENTIFY), SEALED, token=token)
    logon.post(b"", token=token)
    if case == "without-tabs":
        return logon.post(logon.seal(IDENTIFY, tab=""), SEALED)
    if case == "line-end-before-boundary":
        return logon.post(logon.seal(IDENTIFY, before_boundary="\r\n"), SEALED)
    if case == "wrong-length":
        return logon.post(logon.seal(IDENTIFY, length=7), SEALED)
    if case == "replayed":
        sealed = logon.seal(IDENTIFY)
        response, body = logon.post(sealed, SEALED)
        assert logon.describe(response, body) == "200 IdentifyResponse"
        return logon.post(sealed, SEALED)
    sys.exit(f"unknown case {case}")


def main():
    endpoint, user, authority, case = sys.argv[1:]
    logon = Logon(endpoint, user, authority)
    print(logon.describe(*run(case, logon)))


main()
