"""Two hundred crystals that no tool should be given, and a potential that dies of one of them."""

import io
import os
import signal
import zipfile
from pathlib import Path

import numpy as np

N_INPUTS = 200
KILLER_ATOMS = 7


def make_calculator():
    """Return EMT that is killed by any crystal of seven atoms."""
    from ase.calculators.emt import EMT

    class Fragile(EMT):
        """EMT with a fatal weakness."""

        def calculate(self, atoms, *args, **kwargs):
            """Calculate, or die of a segmentation fault."""
            if len(atoms) == KILLER_ATOMS:
                os.kill(os.getpid(), signal.SIGSEGV)
            super().calculate(atoms, *args, **kwargs)

    return Fragile()


def extxyz(cell, symbols, positions):
    """Return a frame as extended XYZ; nothing is checked."""
    lattice = ' '.join(str(x) for row in cell for x in row)
    header = f'{len(symbols)}\nLattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"\n'
    return header + ''.join(f'{s} {x} {y} {z}\n' for s, (x, y, z) in zip(symbols, positions, strict=True))


def cif(occupancy='1.0', symbol='Cu', edge='3.6'):
    """Return a CIF of one atom in a cube."""
    edges = ''.join(
        f'_cell_length_{axis} {edge}\n_cell_angle_{angle} 90\n'
        for axis, angle in zip('abc', ('alpha', 'beta', 'gamma'), strict=True)
    )
    columns = '\n'.join(
        f'_atom_site_{name}' for name in ('label', 'type_symbol', 'fract_x', 'fract_y', 'fract_z', 'occupancy')
    )
    return f'data_x\n{edges}loop_\n{columns}\n{symbol}1 {symbol} 0 0 0 {occupancy}\n'


def cube(edge):
    """Return a cubic cell."""
    return (edge * np.eye(3)).tolist()


def zipped(**members):
    """Return a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def kinds(i):
    """Return one hostile file of every kind, by name; `i` varies it."""
    small = 0.3 + 0.01 * i
    left = [[0, 3.6 + 0.01 * i, 0], [3.6, 0, 0], [0, 0, 3.6]]
    corners = [(x, y, z) for x in (0, 3) for y in (0, 3) for z in (0, 3)]
    crowd = 7 * np.random.default_rng(i).random((KILLER_ATOMS, 3))
    many = np.random.default_rng(i).random((2000, 3)) * 30
    outside = io.BytesIO()
    with zipfile.ZipFile(outside, 'w') as archive:
        archive.writestr(f'../../outside_{i}.cif', cif())
    return {
        'nan.extxyz': extxyz(cube(3.6), ['Cu'], [('nan', 0, 0)]),
        'infinite_cell.extxyz': extxyz([['inf', 0, 0], [0, 3, 0], [0, 0, 3]], ['Cu'], [(0, 0, 0)]),
        'zero_volume.extxyz': extxyz([[3, 0, 0], [0, 3, 0], [3, 3, 0]], ['Cu'], [(0, 0, 0)]),
        'left_handed.extxyz': extxyz(left, ['Cu'] * 2, [(0, 0, 0), (1.8, 1.8, 1.8)]),
        'collapsed.extxyz': extxyz(cube(0.4 + 0.001 * i), ['Au'], [(0, 0, 0)]),
        'overlap.extxyz': extxyz(cube(4.0), ['Cu', 'Au'], [(0, 0, 0), (0.001 * i, 0, 0)]),
        'self_image.extxyz': extxyz([[small, 0, 0], [0, 5, 0], [0, 0, 5]], ['Cu'], [(0, 0, 0)]),
        'huge_cell.extxyz': extxyz(cube(1e4 + i), ['Cu'], [(0, 0, 0)]),
        'dummy.cif': cif(symbol='X'),
        'unknown_element.extxyz': extxyz(cube(3.6), ['Qq'], [(0, 0, 0)]),
        'untrained_element.extxyz': extxyz(cube(5.0), ['U'], [(0, 0, 0)]),
        'empty.cif': '',
        'broken.zip': b'PK\x03\x04 this is no zip',
        'outside.zip': outside.getvalue(),
        'cut_off.cif': cif()[:80],
        'partial.cif': cif(occupancy='0.5'),
        'two_thousand_atoms.extxyz': extxyz(cube(30.0), ['Cu'] * 2000, many) if i < 2 else '2000\n',
        'text.json': '{"@module": "os", "@class": "system", "value": 1}',
        'needle.extxyz': extxyz([[300 + i, 0, 0], [0, 2.5, 0], [0, 0, 2.5]], ['Cu'], [(0, 0, 0)]),
        'killer.extxyz': extxyz(cube(7.0), ['Cu'] * KILLER_ATOMS, corners[:KILLER_ATOMS] if i == 0 else crowd),
    }  # fmt: skip


def write(folder: Path) -> int:
    """Write the hostile files, and three good crystals among them; return the number of hostile ones."""
    n = 0
    for i in range(N_INPUTS // len(kinds(0))):
        (folder / f'set{i:02d}').mkdir(parents=True)
        for name, content in kinds(i).items():
            path = folder / f'set{i:02d}' / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            n += 1
    for edge in (3.6, 3.7, 4.1):
        (folder / f'good_{edge}.extxyz').write_text(
            extxyz(cube(edge), ['Cu'] * 4, edge * np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]))
        )
    return n
