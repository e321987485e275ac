"""DiffCSP++: diffusion under the symmetry of a template, by the unmodified scripts of its clone (branch `eval`)."""

from __future__ import annotations

import json
import os
import typing as t

ABOUT = {
    'name': 'diffcsp_pp',
    'kind': 'generator',
    'summary': 'DiffCSP++: diffusion of cell and coordinates under a space group with given Wyckoff sites, and the '
               'elements on them; a second stage after a generator of templates.',
    'elements': [
        'H', 'He', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Ne', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'Ar', 'K', 'Ca',
        'Sc', 'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Kr', 'Rb', 'Sr', 'Y',
        'Zr', 'Nb', 'Mo', 'Tc', 'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Xe', 'Cs', 'Ba', 'La', 'Ce',
        'Pr', 'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf', 'Ta', 'W', 'Re', 'Os', 'Ir',
        'Pt', 'Au', 'Hg', 'Tl', 'Pb', 'Bi', 'Po', 'At', 'Rn', 'Fr', 'Ra', 'Ac', 'Th', 'Pa', 'U', 'Np', 'Pu', 'Am', 'Cm',
        'Bk', 'Cf', 'Es', 'Fm',
    ],
    'licence': 'none stated: the repository of DiffCSP++ has no licence file',
    'citation': [
        'R. Jiao, W. Huang, Y. Liu, D. Zhao, Y. Liu, Space Group Constrained Crystal Generation (2024), '
        'doi:10.48550/arXiv.2402.03992',
    ],
    'install': 'git clone -b eval https://github.com/jiaor17/DiffCSP-PP; then `export DIFFCSP_PP_HOME=<the clone>` '
               'before jobs of the Code',
    'requires': ['torch', 'torch_geometric', 'pytorch_lightning', 'hydra-core', 'pymatgen', 'pyxtal', 'numpy'],
    'needs': [
        'tools', 'diffcsp_family', 'site_templates', 'outputs', 'wyckoff_outputs', 'crystal_arrays', 'crystal_text',
        'torch_file', 'safe_pickle',
    ],
    'unconditional': False,
    'training': None,
    'energy_convention': None,
    'asset': 'templates',
    'asset_optional': True,
    'table': 'templates',
    'whole_batch': False,
    'units': 'batch_size',
    'honours': {'space_group': 'space_group'},
    'checkpoint': {
        'form': 'folder', 'required': ['hparams.yaml', '*.ckpt'], 'by_name': False, 'required_input': True,
        'unpickled': ['hparams.yaml', '*.ckpt', 'lattice_scaler.pt', 'prop_scaler.pt'],
    },
    'checkpoints': {
        'csp_mp_20': {
            'training': 'MP-20: Materials Project, 27,136 crystals', 'elements': '89 elements of MP-20',
            'max_atoms': None, 'conditions': ['space_group', 'wyckoff'],
            'licence': 'weights: none stated; data CC-BY-4.0',
            'files': {}, 'size_mb': None,
            'source': 'Google Drive folder linked in the README of DiffCSP++, prediction on MP-20',
        },
        'gen_mp_20': {
            'training': 'MP-20: Materials Project, 27,136 crystals', 'elements': '89 elements of MP-20',
            'max_atoms': None, 'conditions': ['space_group', 'wyckoff'],
            'licence': 'weights: none stated; data CC-BY-4.0',
            'files': {}, 'size_mb': None,
            'source': 'Google Drive folder linked in the README of DiffCSP++, generation on MP-20 (draws the elements)',
        },
    },
    'parameters': {
        'batch_size': {'type': 'int', 'default': 100, 'unit': '', 'minimum': 1,
            'help': 'crystals that are drawn at once, with one seed; a job draws whole batches'},
        'step_lr': {'type': 'float', 'default': 1e-5, 'unit': '', 'minimum': 0.0, 'help': 'step of the corrector'},
        'primitive': {'type': 'bool', 'default': True, 'unit': '',
            'help': 'whether the conventional cells that DiffCSP++ draws are cut down to primitive ones'},
        'drop_elements': {'type': 'bool', 'default': False, 'unit': '',
            'help': 'whether a model that draws the elements itself may do so where the templates name others'},
    },
    'conditions': {
        'space_group': {'type': 'int', 'default': None, 'unit': '', 'minimum': 1, 'maximum': 230,
            'help': 'number of the space group that `wyckoff` is of; of several templates, only those of this one are '
                    'taken'},
        'wyckoff': {'type': 'text', 'default': None, 'unit': '',
            'help': 'sites of the conventional cell with their elements, such as `Mn:2a Li:2d O:4g`; without elements '
                    '(`2a 2d 4g`) for a model that draws them; exclusive with a file of templates and with `after`'},
    },
    'columns': {
        'space_group_requested': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'number of the space group of the template'},
        'wyckoff': {'kind': 'text', 'unit': '', 'level': '', 'help': 'Wyckoff sites asked for, such as Mg:4a O:4b'},
        'born_from': {'kind': 'text', 'unit': '', 'level': '',
            'help': 'id of the crystal that gave the template, of the generator before this one'},
    },
}  # fmt: skip
PACKAGES = ('torch', 'torch_geometric', 'pytorch_lightning', 'pyxtal', 'numpy')
SCRIPT = os.path.join('scripts', 'sample.py')
# Module of the models that draw elements.
DRAWS_ELEMENTS = 'diffusion_w_type'


def versions() -> dict[str, str]:
    """Return the digest of the clone and the versions of its main packages, without importing them."""
    import diffcsp_family as family  # type: ignore[import-not-found]

    needed = os.path.join('scripts', 'sample_api.py')
    return t.cast('dict[str, str]', family.versions('DiffCSP++', 'DIFFCSP_PP_HOME', needed, PACKAGES))


def columns(job: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return the columns that these parameters give."""
    import tools  # type: ignore[import-not-found]

    found = t.cast('dict[str, dict[str, t.Any]]', tools.declared(ABOUT, job))
    return found if job.tables.get('templates') is not None else {n: found[n] for n in found if n != 'born_from'}


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield one crystal per request row: row i is made of template i, and the templates come round again."""
    import diffcsp_family as family

    yield from family.run(ABOUT, rows, job, 'DIFFCSP_PP_HOME', DiffCSPPP)


class DiffCSPPP:
    """What all batches of a job share."""

    def __init__(self, settings: dict[str, t.Any], home: str, job: t.Any) -> None:
        import diffcsp_family as family
        import tools

        self.settings, self.home, self.job = settings, home, job
        self.templates = self.gathered()
        self.environment = family.environment(home, job)
        self.model = family.private_copy(job.model, job.scratch)
        draws = DRAWS_ELEMENTS in str(family.configuration(self.model).model._target_)
        named = [one for one in self.templates if not one.fault and one.elements]
        if draws and named and not settings['drop_elements']:
            words = 'draws the elements itself, and the templates name them: take a model for structure prediction, or '
            raise tools.RefusedError('unfit_model', f'the model {words}set `drop_elements: true`')
        if draws:
            self.templates = [one._replace(elements=[]) for one in self.templates]
        elif len(named) < sum(not one.fault for one in self.templates):
            words = 'takes the elements as given, and a template has none: write `wyckoff` as `Mn:2a O:4g`'
            raise tools.RefusedError('unfit_model', f'the model {words}')

    def gathered(self) -> list[t.Any]:
        """Return the templates, from the one place that they are given in."""
        import site_templates  # type: ignore[import-not-found]

        group, sites = self.settings['space_group'], self.settings['wyckoff']
        table, path = self.job.tables.get('templates'), self.job.assets.get('templates')
        if sum(way is not None for way in (sites, table, path)) != 1:
            raise ValueError(
                'templates come from one place: give `wyckoff` and `space_group`, or a file of templates in `files`, '
                'or the generator before this one in `after`'
            )
        if sites is not None:
            made = site_templates.from_words(group, sites)
            if made.fault:
                raise ValueError(f'`wyckoff: {sites}` with `space_group: {group}`: {made.fault}')
            return [made]
        found: list[t.Any] = site_templates.from_file(path) if path else site_templates.from_table(table)
        kept = [one for one in found if group in (None, one.group)]
        if not kept:
            raise ValueError(f'none of the {len(found)} templates has the space group {group}')
        return kept

    def draw(self, piece: t.Any) -> list[dict[str, t.Any]]:
        """Return what becomes of each crystal of a batch, or of a piece of one."""
        import diffcsp_family as family

        first = piece.unit * self.settings['batch_size'] + piece.first
        wanted = [self.templates[(first + n) % len(self.templates)] for n in range(piece.size)]
        good = [one for one in wanted if not one.fault]
        if good:
            self.sample(piece, good)
        found: list[dict[str, t.Any]] = []
        number = 0
        for one in wanted:
            asked = {'space_group_requested': one.group or None, 'wyckoff': one.label, 'born_from': one.source}
            if not one.source:
                del asked['born_from']
            if one.fault:
                found.append(family.rejected('unfit_template', one.fault, asked))
                continue
            number += 1
            found.append(self.finished(family.from_cif(os.path.join(piece.folder, f'{number}.cif'), asked), one))
        return found

    def sample(self, piece: t.Any, wanted: t.Sequence[t.Any]) -> None:
        """Let DiffCSP++ draw one crystal for each template, into `1.cif` and so on.

        :raises RuntimeError: where it left templates out, after which the numbers of its files would be shifted.
        """
        import tools

        queries = [
            {
                'spacegroup_number': one.group, 'wyckoff_letters': one.letters,
                **({'atom_types': one.elements} if one.elements else {}),
            }
            for one in wanted
        ]  # fmt: skip
        path = os.path.join(piece.folder, 'templates.json')
        with open(path, 'w', encoding='utf-8') as handle:
            json.dump(queries, handle)
        argv = ['--model_path', self.model, '--save_path', piece.folder, '--json_file', path]
        argv += ['--batch_size', str(len(wanted)), '--step_lr', repr(float(self.settings['step_lr']))]
        said = tools.run_script(
            os.path.join(self.home, SCRIPT), argv, seed=piece.seed, cwd=self.home, env=self.environment, job=self.job
        )
        if 'failed. Skipped.' in said:
            raise RuntimeError(
                'DiffCSP++ left out a template that PyXtal knows: take the versions that it was tested with'
            )

    def finished(self, row: dict[str, t.Any], wanted: t.Any) -> dict[str, t.Any]:
        """Return a row with its crystal compared with the template, and cut down to a primitive cell if wanted."""
        import diffcsp_family as family
        import site_templates

        if 'structure' not in row:
            return row
        found = len(row['structure']['numbers'])
        if found != wanted.atoms:
            words = f'the conventional cell has {found} atoms and not the {wanted.atoms} of the template'
            return t.cast('dict[str, t.Any]', family.rejected('wyckoff_mismatch', words, row['columns']))
        if self.settings['primitive']:
            row['structure'] = site_templates.primitive(row['structure'], wanted.group)
        return row
