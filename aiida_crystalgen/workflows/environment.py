"""Ask a tool for its versions on the computer of a Code, before any process exists."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import tempfile
import typing as t
import uuid
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from aiida import orm
from aiida.common.escaping import escape_for_bash
from aiida.common.exceptions import NotExistent

from aiida_crystalgen.bundles import read_about
from aiida_crystalgen.schema.problem import CampaignError, Problem

if t.TYPE_CHECKING:
    from aiida.transports import Transport

_LAST_WORDS: t.Final = 300
# A tool does not change its version while one campaign is being planned.
_ANSWERS: t.Final[dict[tuple[str, str], dict[str, str]]] = {}


class ToolError(Exception):
    """A tool that does not answer on the computer of its Code."""


def tool_versions(code: orm.AbstractCode, bundle: bytes) -> dict[str, str]:
    """Return what `versions()` of the adapter in a bundle says on the computer of the Code.

    :raises ToolError: with one sentence, when the computer or the tool does not answer.
    """
    question = (str(code.uuid), hashlib.sha256(bundle).hexdigest())
    if question not in _ANSWERS:
        _ANSWERS[question] = _ask(code, bundle)
    return dict(_ANSWERS[question])


def _ask(code: orm.AbstractCode, bundle: bytes) -> dict[str, str]:
    about = read_about(io.BytesIO(bundle))
    tool = about.get('name', 'analysis')
    status, output, errors = _run_there(code, bundle, f'--versions {about["module"]}')
    if status != 0:
        last = errors.strip().splitlines()[-1:] or ['no message']
        install = about.get('install')
        remedy = f'install it there: {install}' if install else f'see `aiida-crystalgen check-code {code.full_label}`'
        raise ToolError(f'`{tool}` does not run on Code `{code.full_label}` ({last[0][-_LAST_WORDS:]}); {remedy}')
    return dict(json.loads(output.strip().splitlines()[-1]))


def model_files(code: orm.AbstractCode, bundle: bytes, path: str) -> dict[str, str]:
    """Return the sha256 of the files of a model that lies on the computer of a Code.

    :raises ToolError: with one sentence, when the computer does not answer or there is no such model.
    """
    status, output, errors = _run_there(code, bundle, f'--files {shlex.quote(path)}')
    found = dict(json.loads(output.strip().splitlines()[-1])) if status == 0 else {}
    if not found:
        last = errors.strip().splitlines()[-1:] or ['there is no such file or folder']
        where = f'on the computer of Code `{code.full_label}`'
        raise ToolError(f'the model `{path}` was not found {where} ({last[0][-_LAST_WORDS:]}); correct the path')
    return found


def load_code(label: str) -> orm.AbstractCode:
    """Return a Code by `label@computer`.

    :raises CampaignError: when there is none.
    """
    try:
        return orm.load_code(label)
    except NotExistent as error:
        remedy = 'make it with `aiida-crystalgen init`, or name another one (`verdi code list`)'
        raise CampaignError([Problem(None, label, f'there is no Code `{label}` in this profile', remedy)]) from error


def _run_there(code: orm.AbstractCode, bundle: bytes, arguments: str) -> tuple[int, str, str]:
    """Run a bundle with the Code, in a new folder of its computer."""
    return run_there(code, f'bundle.zip {arguments}', {'bundle.zip': bundle})


def run_there(code: orm.AbstractCode, arguments: str, files: Mapping[str, bytes]) -> tuple[int, str, str]:
    """Run a Code in a new folder of its computer and return its exit status, output and errors.

    :param arguments: what follows the Code on the command line, as the shell reads it.
    :param files: what lies in the folder.
    :raises ToolError: with one sentence, when the computer does not answer.
    """
    computer = computer_of(code)
    folder = f'crystalgen-{uuid.uuid4().hex[:12]}'
    try:
        with computer.get_transport() as transport, tempfile.TemporaryDirectory() as local:
            workdir = PurePosixPath(computer.get_workdir().format(username=transport.whoami())) / folder
            transport.makedirs(str(workdir))
            for name, content in files.items():
                (Path(local) / name).write_bytes(content)
                transport.put(str(Path(local) / name), str(workdir / name))
            try:
                script = f'cd {shlex.quote(str(workdir))}\n{_preamble(code)}\n{_call(code)} {arguments}'
                return _execute(transport, script)
            finally:
                transport.rmtree(str(workdir))
    except OSError as error:
        remedy = f'try `verdi computer test {computer.label}`'
        raise ToolError(f'computer `{computer.label}` does not answer ({error}); {remedy}') from error


def computer_of(code: orm.AbstractCode) -> orm.Computer:
    """Return the computer of a Code.

    :raises ToolError: for a Code that belongs to no computer.
    """
    if code.computer is None:
        raise ToolError(
            f'Code `{code.full_label}` belongs to no computer; make an InstalledCode or a ContainerizedCode'
        )
    return code.computer


def _execute(transport: Transport, script: str) -> tuple[int, str, str]:
    status, output, errors = transport.exec_command_wait(script)
    return int(status), str(output), str(errors)


def _preamble(code: orm.AbstractCode) -> str:
    """Return what runs before a job of the Code: modules, environments."""
    return f'{computer_of(code).get_prepend_text()}\n{code.prepend_text}'


def _call(code: orm.AbstractCode) -> str:
    """Return the command line of a Code, quoted as in its jobs: an engine's `$PWD` may have to stay a variable."""
    parts = [*code.get_prepend_cmdline_params(), *code.get_executable_cmdline_params()]
    return ' '.join(escape_for_bash(part, use_double_quotes=code.use_double_quotes) for part in parts)
