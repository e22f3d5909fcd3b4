"""The service side of Kerberos by MIT's GSSAPI: one JSON object a line in, one out."""

import base64
import json
import sys

import gssapi
import gssapi.raw as raw

CHANNEL_BOUND = 2048
contexts = {}


def decode(text):
    return None if text is None else base64.b64decode(text)


def encode(data):
    return None if data is None else base64.b64encode(bytes(data)).decode()


def accept(request):
    binding = decode(request.get("binding"))
    bindings = None if binding is None else raw.ChannelBindings(application_data=binding)
    credentials = raw.acquire_cred_from({b"keytab": sys.argv[1].encode()}, None, usage="accept").creds
    result = raw.accept_sec_context(decode(request["token"]), credentials, None, bindings)
    if result.more_steps:
        raise ValueError("the mechanism wants another token")
    contexts[request["context"]] = result.context
    client = raw.display_name(result.initiator_name, False).name.decode()
    service = raw.inquire_context(result.context, target_name=True).target_name
    return {
        "token": encode(result.token),
        "client": client,
        "service": raw.display_name(service, False).name.decode(),
        "bound": bool(int(result.flags) & CHANNEL_BOUND),
    }


def unseal(request):
    token = decode(request["signature"]) + decode(request["data"])
    result = raw.unwrap(contexts[request["context"]], token)
    if not result.encrypted:
        raise ValueError("the message is only signed")
    return {"message": encode(result.message)}


def seal(request):
    parts = raw.IOV(raw.IOVBufferType.header, decode(request["message"]), std_layout=False)
    raw.wrap_iov(contexts[request["context"]], parts, confidential=True)
    return {"signature": encode(parts[0].value), "data": encode(parts[1].value)}


def forget(request):
    contexts.pop(request["context"], None)
    return {}


OPERATIONS = {"accept": accept, "unseal": unseal, "seal": seal, "forget": forget}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = OPERATIONS[request["operation"]](request)
    except Exception as error:  # whatever it is, the lab wants to read it
        answer = {"error": f"{type(error).__name__}: {error}", "token": encode(getattr(error, "token", None))}
    print(json.dumps(answer), flush=True)
