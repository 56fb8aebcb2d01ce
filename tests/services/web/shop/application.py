"""A small web application that does what web applications do: files, a database, a child process, a session key."""

import hashlib
import hmac
import pathlib
import subprocess
import tempfile

from shop import store

KEY = pathlib.Path("/run/secrets/session-key").read_bytes()


def index(_body):
    return b"Open.\n" + pathlib.Path(__file__).with_name("store.py").read_bytes()


def order(_body):
    return b"%d orders\n" % store.add_order()


def upload(body):
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        digest = hashlib.sha256(pathlib.Path(file.name).read_bytes()).hexdigest()
    return digest.encode()


def report(_body):
    sorted_words = subprocess.run(["sort"], input=b"pear\napple\n", capture_output=True, check=True)
    return sorted_words.stdout


ROUTES = {"/": index, "/order": order, "/upload": upload, "/report": report}


def application(environ, start_response):
    handler = ROUTES.get(environ["PATH_INFO"])
    if handler is None:
        start_response("404 Not Found", [])
        return [b""]
    answer = handler(environ["wsgi.input"].read())
    session = hmac.new(KEY, answer, hashlib.sha256).hexdigest()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", f"session={session}")])
    return [answer]
