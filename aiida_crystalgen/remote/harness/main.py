"""What `python bundle.zip` does."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys


def tell_versions(module: str) -> None:
    """Print the versions of the adapter's tool as one JSON line."""
    with contextlib.redirect_stdout(sys.stderr):
        versions = importlib.import_module(module).versions()
    print(json.dumps(versions, sort_keys=True))


def tell_files(path: str) -> None:
    """Print the sha256 of every file of a model as one JSON line."""
    from .models import files_of

    print(json.dumps(files_of(path), sort_keys=True))


def main(arguments: list[str]) -> None:
    """Run a job, be one of its workers or tell versions; each imports no more than it needs."""
    if arguments[:1] == ['--worker']:
        from .worker import work

        work(*map(int, arguments[1:]))
    elif arguments:
        parser = argparse.ArgumentParser(description='Run the job of the current folder, or tell what is here.')
        group = parser.add_mutually_exclusive_group(required=True)
        group.add_argument('--versions', metavar='MODULE', help='tell the versions of the tool of an adapter')
        group.add_argument('--files', metavar='PATH', help='tell the sha256 of the files of a model')
        asked = parser.parse_args(arguments)
        if asked.versions:
            tell_versions(asked.versions)
        else:
            tell_files(asked.files)
    else:
        from .dispatcher import dispatch

        dispatch()
