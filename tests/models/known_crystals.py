"""Small known crystals for the tests of the models: numbers, fractional coordinates, cell [A]."""

from __future__ import annotations

import numpy as np

CUBE = np.eye(3)
FACES = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def rocksalt() -> tuple:
    """Return MgO in its primitive cell, space group 225."""
    return [12, 8], np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), 4.21 * FACES


def diamond() -> tuple:
    """Return silicon in its primitive cell, space group 227, whose setting in spglib is not the first one."""
    return [14, 14], np.array([[0, 0, 0], [0.25, 0.25, 0.25]]), 5.43 * FACES


def perovskite() -> tuple:
    """Return cubic SrTiO3, space group 221."""
    points = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return [38, 22, 8, 8, 8], points, 3.9 * CUBE


def rutile() -> tuple:
    """Return TiO2, space group 136, with one free coordinate."""
    u = 0.3048
    points = [[0, 0, 0], [0.5, 0.5, 0.5], [u, u, 0], [-u, -u, 0], [0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5]]
    return [22, 22, 8, 8, 8, 8], np.array(points), np.diag([4.594, 4.594, 2.959])


def wurtzite() -> tuple:
    """Return ZnO, space group 186, polar along c."""
    a, c, u = 3.25, 5.207, 0.382
    points = [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, u], [2 / 3, 1 / 3, 0.5 + u]]
    cell = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]])
    return [30, 30, 8, 8], np.array(points), cell


def skew() -> tuple:
    """Return three atoms without any symmetry, space group 1."""
    points = np.array([[0.11, 0.23, 0.35], [0.62, 0.41, 0.83], [0.27, 0.79, 0.58]])
    return [3, 17, 8], points, np.array([[4.1, 0.3, 0.2], [0.5, 5.2, -0.4], [-0.6, 0.7, 6.3]])


KNOWN = {
    225: rocksalt(), 227: diamond(), 221: perovskite(), 136: rutile(), 186: wurtzite(), 1: skew(),
}  # fmt: skip
