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


def main(arguments: list[str]) -> None:
    """Run a job, be one of its workers or tell versions; each imports no more than it needs."""
    if arguments[:1] == ['--worker']:
        from .worker import work

        work(*map(int, arguments[1:]))
    elif arguments:
        parser = argparse.ArgumentParser(description='Run the job of the current folder, or tell versions.')
        parser.add_argument('--versions', metavar='MODULE', required=True)
        tell_versions(parser.parse_args(arguments).versions)
    else:
        from .dispatcher import dispatch

        dispatch()
