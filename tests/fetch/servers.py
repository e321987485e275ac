"""Servers on this machine in place of public ones: a real OPTIMADE server, a faulty proxy before it, the API of MP."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LOCAL = '127.0.0.1'


class Local(ThreadingHTTPServer):
    """A server in a thread of this process."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__((LOCAL, 0), handler)
        self.url = f'http://{LOCAL}:{self.server_port}'
        threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()

    def stop(self):
        """Take no more requests."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Say nothing when a client goes away."""


class Handler(BaseHTTPRequestHandler):
    """Answers with JSON, and writes no log."""

    def answer(self, status, document, headers=()):
        """Send a document."""
        self.answer_bytes(status, json.dumps(document).encode(), headers)

    def answer_bytes(self, status, content, headers=()):
        """Send bytes that say they are JSON."""
        self.send_response(status)
        for name, value in [('Content-Type', 'application/json'), ('Content-Length', str(len(content))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        """Write no log."""


class Proxy(Local):
    """Stands before a server; `faults` says what happens to the n-th request for structures, counted from 1.

    A fault is a status, `'drop'` (the connection is closed), `'torn'` (half of the answer), or `(status, headers)`.
    """

    def __init__(self):
        self.behind = ''
        self.faults = {}
        self.n_pages = 0
        self.asked = []
        super().__init__(ProxyHandler)

    def reset(self, faults=()):
        """Forget what was asked, and prepare faults."""
        self.faults, self.n_pages, self.asked = dict(faults), 0, []


class ProxyHandler(Handler):
    """Passes a request on, or spoils it."""

    def do_GET(self):
        """Answer one request."""
        proxy = self.server
        proxy.asked.append(self.path)
        fault = None
        if '/structures' in self.path and '/info/' not in self.path:
            proxy.n_pages += 1
            fault = proxy.faults.get(proxy.n_pages)
        if fault == 'drop':
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if isinstance(fault, (int, tuple)):
            status, headers = fault if isinstance(fault, tuple) else (fault, {})
            self.answer(status, {'errors': [{'detail': 'made to fail'}]}, headers.items())
            return
        try:
            with urllib.request.urlopen(proxy.behind + self.path, timeout=30) as response:
                status, content = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        self.answer_bytes(status, content[: len(content) // 2] if fault == 'torn' else content)


def start_optimade(folder: Path, entries: list[dict], proxy: Proxy, prefix: str, fields: list[dict]):
    """Start the server of the package `optimade`, which takes the proxy's address for its own; return the process."""
    header = {'x-optimade': {'meta': {'api_version': '1.2.0'}}}
    lines = [header, *({'type': 'structures', **entry} for entry in entries)]
    (folder / 'entries.jsonl').write_text('\n'.join(map(json.dumps, lines)) + '\n')
    with socket.socket() as free:
        free.bind((LOCAL, 0))
        port = free.getsockname()[1]
    proxy.behind = f'http://{LOCAL}:{port}'
    configuration = {
        'base_url': proxy.url, 'database_backend': 'mongomock', 'insert_test_data': False, 'page_limit_max': 50,
        'insert_from_jsonl': str(folder / 'entries.jsonl'), 'log_dir': str(folder),
        'provider_fields': {'structures': fields},
        'provider': {'name': 'A local database', 'description': 'Made for a test.', 'prefix': prefix},
    }  # fmt: skip
    (folder / 'optimade.json').write_text(json.dumps(configuration))
    environment = {**os.environ, 'OPTIMADE_CONFIG_FILE': str(folder / 'optimade.json')}
    command = [sys.executable, '-m', 'uvicorn', 'optimade.server.main:app', '--host', LOCAL, '--port', str(port)]
    log = (folder / 'log.txt').open('w')
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    log.close()
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f'{proxy.behind}/v1/info', timeout=5).close()
            return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    process.wait()
    raise RuntimeError(f'the server does not answer: {(folder / "log.txt").read_text()[-2000:]}')


class MaterialsProject(Local):
    """Answers as the API of the Materials Project does, with given documents; `failing` systems get a 500."""

    def __init__(self, documents):
        self.documents = documents
        self.key = 'k' * 32
        self.db_version = 'test-1'
        self.failing = set()
        self.asked = []
        super().__init__(MaterialsProjectHandler)


class MaterialsProjectHandler(Handler):
    """The heartbeat and the thermodynamic documents, paged by `_skip` and `_limit`, reduced to `_fields`."""

    def do_GET(self):
        """Answer one request."""
        server = self.server
        address = urllib.parse.urlsplit(self.path)
        asked = {name: values[0] for name, values in urllib.parse.parse_qs(address.query).items()}
        if address.path == '/heartbeat':
            beat = {'status': 'OK', 'version': '0.87.3', 'db_version': server.db_version, 'suffix': ''}
            self.answer(200, {**beat, 'pymatgen': '2025.10.7', 'access_controlled_batch_ids': []})
        elif self.headers.get('x-api-key') != server.key:
            self.answer(401, {'message': 'Invalid authentication credentials'})
        elif address.path != '/materials/thermo/':
            self.answer(404, {'detail': 'Not Found'})
        else:
            server.asked.append(asked)
            self._thermo(asked)

    def _thermo(self, asked):
        if asked.get('chemsys') in self.server.failing:
            self.answer(500, {'detail': 'Internal Server Error'})
            return
        systems, types = asked['chemsys'].split(','), asked['thermo_types'].split(',')
        found = [d for d in self.server.documents if d['chemsys'] in systems and d['thermo_type'] in types]
        skip, limit = int(asked.get('_skip', 0)), int(asked['_limit'])
        names = asked['_fields'].split(',')
        data = [{name: document[name] for name in names if name in document} for document in found[skip : skip + limit]]
        meta = {'api_version': '0.87.3', 'time_stamp': '2025-01-01T00:00:00', 'total_doc': len(found), 'facet': None}
        self.answer(200, {'data': data, 'errors': None, 'meta': meta})
