"""What can be computed from published numbers by adding and subtracting them, exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

Vector = dict[int, Fraction]  # atom to coefficient, without zeros


def reduced_basis(sets: Iterable[frozenset[int]]) -> list[Vector]:
    """The reduced row echelon form of 0/1 vectors, each given as the set of its ones.

    A single atom is in the row space just if its unit vector is one of the rows.
    """
    basis: dict[int, Vector] = {}  # by pivot
    for ones in sorted(set(sets), key=lambda s: (len(s), sorted(s))):
        vector = {atom: Fraction(1) for atom in ones}
        for pivot in [atom for atom in ones if atom in basis]:
            if pivot in vector:
                subtract(vector, vector[pivot], basis[pivot])
        if not vector:
            continue
        pivot = min(vector)
        vector = {atom: value / vector[pivot] for atom, value in vector.items()}
        for row in basis.values():
            if pivot in row:
                subtract(row, row[pivot], vector)
        basis[pivot] = vector
    return list(basis.values())


def subtract(vector: Vector, factor: Fraction, row: Vector) -> None:
    """Take a multiple of a row off a vector, in place."""
    for atom, value in row.items():
        left = vector.get(atom, Fraction(0)) - factor * value
        if left:
            vector[atom] = left
        else:
            vector.pop(atom, None)


def computable_sets(sets: Iterable[frozenset[int]]) -> list[frozenset[int]]:
    """Sets of atoms whose total follows from the given totals: the 0/1 rows of the basis."""
    return [frozenset(row) for row in reduced_basis(sets) if set(row.values()) == {Fraction(1)}]


def inseparable_sets(sets: Iterable[frozenset[int]]) -> list[frozenset[int]]:
    """Atoms that no given total tells apart.

    Every vector of the row space is constant on each of these sets, so the total of any other set
    that can be computed is that of a union of them: if none is too small, none can be made so.
    """
    memberships: dict[int, list[int]] = defaultdict(list)
    for place, ones in enumerate(set(sets)):
        for atom in ones:
            memberships[atom].append(place)
    together: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for atom, places in memberships.items():
        together[tuple(sorted(places))].add(atom)
    return [frozenset(atoms) for atoms in together.values()]
