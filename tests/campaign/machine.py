"""A user's machine in a temporary folder: its own AiiDA, reached through the console scripts alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(sys.executable).parent


class Machine:
    """A folder with an AiiDA profile of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, 'AIIDA_PATH': str(folder), 'OMP_NUM_THREADS': '1', 'COLUMNS': '200'}
        self.environment.pop('AIIDA_PROFILE', None)
        # The daemon looks for `verdi` on the path, which an environment that is not activated does not set.
        self.environment['PATH'] = f'{SCRIPTS}{os.pathsep}{os.environ["PATH"]}'

    def run(
        self, program: str, *arguments: object, check: bool = True, timeout: float = 900
    ) -> subprocess.CompletedProcess:
        """Run a console script to its end."""
        command = [str(SCRIPTS / program), *map(str, arguments)]
        result = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and result.returncode != 0:
            raise AssertionError(f'{command} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}')
        return result

    def crystalgen(self, *arguments: object, **options: object) -> str:
        """Run `aiida-crystalgen` and return what it prints."""
        return self.run('aiida-crystalgen', *arguments, **options).stdout

    def start(self, program: str, *arguments: object) -> subprocess.Popen:
        """Start a console script in a process group of its own."""
        return subprocess.Popen(
            [str(SCRIPTS / program), *map(str, arguments)],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def python(self, source: str) -> object:
        """Run Python with the profile loaded and return what it prints as JSON in its last line."""
        text = f'from aiida import load_profile, orm\nimport json\nload_profile()\n{source}\n'
        result = subprocess.run(
            [sys.executable, '-c', text],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if result.returncode != 0:
            raise AssertionError(f'{result.stdout}\n{result.stderr}')
        return json.loads(result.stdout.strip().splitlines()[-1])
