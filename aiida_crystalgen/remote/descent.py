"""Go downhill in variables of any number, given as rows of three: limited-memory BFGS and FIRE.

Each optimiser proposes a `step(forces)`, is told by `accept(rise, forces)` what came of it, and may refuse the new
place; the next step then starts from the old one. `limits` [A] is the longest move of each row in one step.
"""

from __future__ import annotations

import typing as t

import numpy as np

Array = t.Any

STIFFNESS = 15.0  # eV/A^2, first guess of the curvature
SOFTEST = 2.0  # eV/A^2, lowest curvature that the scale of the inverse Hessian is taken from
HISTORY = 20  # pairs of step and change of force that are remembered


def limited(move: Array, limits: Array) -> Array:
    """Shorten a step as a whole so that no row is longer than its limit."""
    return move / max(1.0, float((np.linalg.norm(move, axis=1, keepdims=True) / limits).max()))


class Lbfgs:
    """L-BFGS (Liu and Nocedal, Math. Program. 45, 503 (1989)) with a trust radius: steps uphill are refused."""

    def __init__(self, limits: Array, noise: float) -> None:
        self.limits, self.noise = limits, noise
        self.trust = 1.0  # share of the limits
        self.pairs: list[tuple[Array, Array]] = []

    def step(self, forces: Array) -> Array:
        """Return the next move of every row [A]."""
        move = self.newton(forces)
        if (move * forces).sum() <= 0:
            self.pairs = []
            move = self.newton(forces)
        self.forces, self.move = forces, limited(move, self.trust * self.limits)
        return self.move

    def newton(self, forces: Array) -> Array:
        """Multiply the forces by the inverse Hessian of the remembered pairs."""
        move, weights = forces.copy(), []
        for shift, change in reversed(self.pairs):
            weights.append((shift * move).sum() / (shift * change).sum())
            move -= weights[-1] * change
        curvature = STIFFNESS
        if self.pairs:
            shift, change = self.pairs[-1]
            curvature = max((change * change).sum() / (shift * change).sum(), SOFTEST)
        move /= curvature
        for (shift, change), weight in zip(self.pairs, reversed(weights)):
            move += shift * (weight - (change * move).sum() / (shift * change).sum())
        return move

    def accept(self, rise: float, forces: Array) -> bool:
        """Learn the curvature along the last step; refuse a rise of the energy [eV] and trust less."""
        change = self.forces - forces
        if (self.move * change).sum() > 1e-4 * (self.move**2).sum():
            self.pairs = [*self.pairs[1 - HISTORY :], (self.move, change)]
        length = float((np.linalg.norm(self.move, axis=1, keepdims=True) / self.limits).max())
        if rise > self.noise and length > 0.005:
            self.trust = 0.4 * length
            return False
        if rise < -0.2 * (self.move * self.forces).sum():
            self.trust = min(1.5 * self.trust, 1.0)
        return True


class Fire:
    """FIRE (Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006)) with the constants of ASE."""

    def __init__(self, limits: Array, noise: float) -> None:
        self.limits, self.time_step, self.mixing, self.n_downhill = limits, 0.2, 0.1, 0
        self.velocity = np.zeros((len(limits), 3))

    def step(self, forces: Array) -> Array:
        """Return the next move of every row [A]."""
        if (forces * self.velocity).sum() > 0:
            speed = np.linalg.norm(self.velocity) / np.linalg.norm(forces)
            self.velocity = (1 - self.mixing) * self.velocity + self.mixing * speed * forces
            self.n_downhill += 1
            if self.n_downhill > 5:
                self.time_step, self.mixing = min(1.1 * self.time_step, 1.0), 0.99 * self.mixing
        else:
            self.velocity, self.mixing, self.n_downhill = np.zeros_like(forces), 0.1, 0
            self.time_step *= 0.5
        self.velocity = self.velocity + self.time_step * forces
        return limited(self.time_step * self.velocity, self.limits)

    def accept(self, rise: float, forces: Array) -> bool:
        """Accept every step: FIRE brakes by itself."""
        return True


OPTIMIZERS: dict[str, type[Lbfgs] | type[Fire]] = {'lbfgs': Lbfgs, 'fire': Fire}
