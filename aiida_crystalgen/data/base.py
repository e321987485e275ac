"""What every node that holds a batch of crystals has in common."""

from __future__ import annotations

import io
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from aiida import orm
from aiida.common.exceptions import ModificationNotAllowed, ValidationError
from aiida.orm.pydantic import OrmMetadataField

from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.npz import Array

SCHEMA_VERSION = 1
FILENAME = 'crystals.npz'
ELEMENTS = (
    'H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb '
    'Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au '
    'Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts '
    'Og'
)
SYMBOLS = tuple(ELEMENTS.split(' '))


def attribute(description: str) -> Any:
    """Declare a field that is read from the attribute of the same name."""
    return OrmMetadataField(description=description)


class CrystalArrayData(orm.ArrayData):
    """Abstract: crystals in columns, as one file in the repository and a small summary in the attributes.

    The file depends on the crystals alone, so equal crystals have equal hashes. One file rather than one an array: 74
    arrays of 10,000 crystals took ten times longer to store and to load as files of their own.
    """

    class AttributesModel(orm.ArrayData.AttributesModel):
        """The summary that QueryBuilder can filter and project."""

        schema_version: int = attribute('Version of the layout of the file.')
        n_crystals: int = attribute('Number of crystals.')
        elements: list[str] = attribute('Symbols of all elements, in alphabetical order.')
        n_sites_min: int = attribute('Number of atoms of the smallest crystal (0: one that could not be made).')
        n_sites_max: int = attribute('Number of atoms of the largest crystal.')
        columns: dict[str, Any] = attribute('By name: kind, dtype, shape, unit, help and level of theory.')

    def __init__(self, crystals: Crystals, **kwargs: Any) -> None:
        """Make an unstored node of the crystals.

        :raises ValueError: with a sentence, where the crystals do not suit this kind of node.
        """
        if not isinstance(crystals, Crystals):
            raise TypeError(f'`crystals` must be of the type Crystals, not {type(crystals).__name__}.')
        if problem := self.check_crystals(crystals):
            raise ValueError(problem)
        super().__init__(**kwargs)
        stream = io.BytesIO()
        crystals.to_npz(stream)
        self.base.repository.put_object_from_bytes(stream.getvalue(), FILENAME)
        self.base.attributes.set_many(self.summarise(crystals))

    @cached_property
    def crystals(self) -> Crystals:
        """The crystals, read once."""
        content = self.base.repository.get_object_content(FILENAME, mode='rb')
        return Crystals.from_npz(io.BytesIO(content), self.base.attributes.get('columns'))

    @property
    def ids(self) -> list[str]:
        """The ids of the crystals, in order."""
        return self.crystals.ids

    @classmethod
    def check_crystals(cls, crystals: Crystals) -> str | None:
        """Return a sentence where these crystals do not suit this kind of node."""
        return None

    @classmethod
    def summarise(cls, crystals: Crystals) -> dict[str, Any]:
        """Return the attributes that follow from the crystals."""
        n_sites = np.diff(crystals.offsets) if len(crystals) else np.zeros(1, int)
        return {
            'schema_version': SCHEMA_VERSION,
            'n_crystals': len(crystals),
            'elements': sorted(SYMBOLS[number - 1] for number in np.unique(crystals.numbers)),
            'n_sites_min': int(n_sites.min()),
            'n_sites_max': int(n_sites.max()),
            'columns': crystals.meta(),
        }

    def get_arraynames(self) -> list[str]:
        """Return the names of the arrays of the layout (see `Crystals.to_arrays`)."""
        return list(self.crystals.to_arrays()[0])

    def get_array(self, name: str | None = None) -> Array:
        """Return one array of the layout, read-only."""
        arrays = self.crystals.to_arrays()[0]
        if name not in arrays:
            raise KeyError(f'there is no array `{name}`; there are: {", ".join(arrays)}.')
        return arrays[name]

    def get_shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of one array."""
        return self.get_array(name).shape

    def clear_internal_cache(self) -> None:
        """Forget the crystals that were read."""
        super().clear_internal_cache()
        self.__dict__.pop('crystals', None)

    def set_array(self, name: str, array: Array) -> NoReturn:
        """Refuse: the constructor makes the whole batch."""
        raise ModificationNotAllowed('a batch of crystals is complete once made: make a new node of changed crystals.')

    def delete_array(self, name: str) -> NoReturn:
        """Refuse: the constructor makes the whole batch."""
        self.set_array(name, np.empty(0))

    def _arraynames_from_files(self) -> list[str]:
        return self.get_arraynames()

    def _arraynames_from_properties(self) -> list[str]:
        return self.get_arraynames()

    def _validate(self) -> bool:
        """Read the file again and compare it with the summary."""
        if self.base.repository.list_object_names() != [FILENAME]:
            raise ValidationError(f'the node must hold the file `{FILENAME}` and no other.')
        self.clear_internal_cache()
        try:
            crystals = self.crystals
        except ValueError as exception:
            raise ValidationError(str(exception)) from exception
        if problem := self.check_crystals(crystals):
            raise ValidationError(problem)
        for key, value in self.summarise(crystals).items():
            if self.base.attributes.get(key, None) != value:
                raise ValidationError(f'the attribute `{key}` does not agree with the crystals of the node.')
        return super()._validate()
