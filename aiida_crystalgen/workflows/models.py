"""The model of a generator or potential as inputs of its job: a node, a name, or a path whose files are known."""

from __future__ import annotations

import typing as t
from pathlib import Path

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent

from aiida_crystalgen.bundles import about, packaged_weights
from aiida_crystalgen.schema.models import (
    NODE,
    REMOTE,
    SAFE_SUFFIXES,
    files_of,
    form_problem,
    is_path,
    recognised,
    trust_findings,
)
from aiida_crystalgen.schema.problem import CampaignError, Finding, Problem
from aiida_crystalgen.workflows.environment import ToolError, model_files

if t.TYPE_CHECKING:
    from aiida_crystalgen.schema.spec import CampaignSpec, GeneratorSpec, PotentialSpec

Inputs = dict[str, t.Any]


def model_inputs(
    spec: CampaignSpec, kind: str, part: GeneratorSpec | PotentialSpec, code: orm.AbstractCode, bundle: bytes
) -> tuple[Inputs, Inputs, str | None]:
    """Return the inputs that a model adds to a job, the parameters that it adds, and its path on the computer.

    :raises CampaignError: when a model on the computer is not there, not whole or not trusted.
    """
    description = about(kind, part.type)
    trust = {} if part.trust is None or 'trust' not in description['parameters'] else {'trust': part.trust}
    if part.model is None:
        weights = packaged_weights(kind, part.type)
        return ({} if weights is None else {'model': orm.SinglefileData(weights)}), trust, None
    if part.model.startswith(REMOTE):
        path = part.model[len(REMOTE) :]
        files = _remote_files(part, description, code, bundle, path)
        return {'checkpoint': _checkpoint(files, description)}, trust, path
    if part.model.startswith(NODE):
        return {'model': _model_of_profile(part.model)}, trust, None
    if not is_path(part.model, spec.folder):
        return {}, {**trust, 'model': part.model}, None
    local = spec.resolve(part.model)
    inputs: Inputs = {'model': node_of_path(local)}
    if 'checkpoint' in description:
        inputs['checkpoint'] = _checkpoint(files_of(local), description)
    return inputs, trust, None


def node_of_path(path: Path) -> orm.SinglefileData | orm.FolderData:
    """Return a file or a folder as a node."""
    return orm.FolderData(tree=path) if path.is_dir() else orm.SinglefileData(path)


def asset_of(spec: CampaignSpec, files: str) -> orm.SinglefileData | orm.FolderData:
    """Return what a generator reads: a file or a folder of the computer, or a node of the profile that holds one.

    :raises CampaignError: when there is no such node, or it holds no files.
    """
    if not files.startswith(NODE):
        return node_of_path(spec.resolve(files))
    node = _node_of_profile(files, 'name a file, a folder or the number of such a node')
    if not isinstance(node, (orm.SinglefileData, orm.FolderData)):
        remedy = 'name a SinglefileData or a FolderData, such as the output `force_constants` of a campaign'
        raise CampaignError([Problem(None, files, f'this node is a {type(node).__name__}, no file or folder', remedy)])
    return node


def _node_of_profile(name: str, remedy: str) -> orm.Node:
    """Return the node that `node:PK` names.

    :raises CampaignError: when there is none.
    """
    try:
        return orm.load_node(name[len(NODE) :])
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        message = f'there is no such node in this profile ({error})'
        raise CampaignError([Problem(None, name, message, remedy)]) from error


def _model_of_profile(model: str) -> orm.SinglefileData:
    """Return a model that a job of the profile made; only a file whose loading runs no code needs no `trust`.

    :raises CampaignError: when there is no such node.
    """
    remedy = 'see the outputs `model` of trainings: `verdi process list -a -P crystalgen.train`'
    node = _node_of_profile(model, remedy)
    if not isinstance(node, orm.SinglefileData) or Path(node.filename).suffix not in SAFE_SUFFIXES:
        remedy = f'name a file of the kind {", ".join(SAFE_SUFFIXES)}, or the path of the model with its `trust`'
        raise CampaignError([Problem(None, model, 'this node is no model whose loading runs no code', remedy)])
    return node


def _checkpoint(files: dict[str, str], description: Inputs) -> orm.Dict:
    """Return what identifies a model: the name under which it was published, if it is known, and its files."""
    return orm.Dict({'name': recognised(files, description), 'files': files})


def _remote_files(
    part: GeneratorSpec | PotentialSpec, description: Inputs, code: orm.AbstractCode, bundle: bytes, path: str
) -> dict[str, str]:
    """Return the files of a model on the computer of a Code, after the looks that `check` takes at local ones."""
    try:
        files = model_files(code, bundle, path)
    except ToolError as error:
        raise CampaignError([Problem(None, str(part.model), str(error), 'then run this again')]) from error
    is_folder = list(files) != [path.rpartition('/')[2]]
    problem = form_problem(path, is_folder, files, description)
    findings = [Finding(('model',), *problem)] if problem else []
    findings = findings or list(trust_findings(path, files, description, part.trust, ()))
    if findings:
        raise CampaignError([Problem(None, part.type, found.message, found.remedy) for found in findings])
    return files
