#!/usr/bin/env python3
"""An S3 server on a free port of loopback, for the tests: moto, behind what moto does not do.

Every request must be presigned by a key that is known here, as botocore, Amazon's own, would have signed it, and in time.
It keeps everything in memory. What it prints: its URL, then a line for each request.

What it does on a line of standard input:
    expire      no URL signed before now opens any more; says "expired" when that is so
    stall N     the next answer to GET stops after N bytes
"""

import sys
import threading
import time
from calendar import timegm
from urllib.parse import parse_qsl, quote

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

REGION = "eu-test-1"
BUCKET = "firmware-bucket"
# The second one may do what devices may.
KEYS = {"AKIAALL": "swordfish-and-chips", "AKIAREADER": "reading-glasses"}
READER = "AKIAREADER"

backend = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()
oldest = 0
stalls = []


def say(*words):
    with lock:
        print(*words, flush=True)


def refusal(environ):
    """Code and message of what is wrong with a request, or None."""
    query = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
    given = dict(query)
    try:
        key, _, region, _, _ = given["X-Amz-Credential"].split("/")
        signed_at = timegm(time.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
        expires = int(given["X-Amz-Expires"])
        signed = given["X-Amz-SignedHeaders"].split(";")
        signature = given["X-Amz-Signature"]
    except (KeyError, ValueError):
        return "AccessDenied", "Access Denied"
    if key not in KEYS:
        return "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
    if region != REGION:
        return "AuthorizationQueryParametersError", "the region is wrong"
    headers = {name: environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in signed}
    unsigned = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query if name != "X-Amz-Signature")
    url = f"http://{environ['HTTP_HOST']}{environ['RAW_URI'].split('?')[0]}?{unsigned}"
    request = AWSRequest(method=environ["REQUEST_METHOD"], url=url, headers=headers)
    request.context["timestamp"] = given["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials(key, KEYS[key]), "s3", REGION, expires)
    if auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request) != signature:
        return "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
    if not signed_at - 900 <= time.time() <= signed_at + expires or signed_at < oldest or expires > 604800:
        return "AccessDenied", "Request has expired"
    if key == READER and environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return "AccessDenied", "Access Denied"
    return None


def stalling(body, count):
    for part in body:
        yield part[:count]
        count -= len(part)
        if count <= 0:
            break
    # Until the client has gone: the test kills it.
    threading.Event().wait()


def application(environ, start_response):
    what = f"{environ['REQUEST_METHOD']} {environ['RAW_URI'].split('?')[0]} {environ.get('HTTP_RANGE', '-')}"
    wrong = refusal(environ)
    if wrong:
        code, message = wrong
        say(what, 403, code, message)
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        text = f"<Error><Code>{code}</Code><Message>{message}</Message><AWSSecret>{KEYS['AKIAALL']}</AWSSecret></Error>"
        return [text.encode()]

    def start(status, headers, *rest):
        say(what, status.split(" ")[0])
        return start_response(status, headers, *rest)

    body = backend(environ, start)
    if environ["REQUEST_METHOD"] == "GET" and stalls:
        return stalling(body, stalls.pop())
    return body


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def main():
    global oldest
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
    server.daemon_threads = True
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(BUCKET, REGION)
    url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(f"listening at {url}")
    for line in sys.stdin:
        words = line.split()
        if words[:1] == ["expire"]:
            oldest = int(time.time()) + 1
            while time.time() < oldest:
                time.sleep(0.05)
            say("expired")
        elif words[:1] == ["stall"]:
            stalls.append(int(words[1]))


main()
