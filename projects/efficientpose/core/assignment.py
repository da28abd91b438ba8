"""One-to-one matching with the highest total score.

Shortest augmenting paths with potentials (Jonker and Volgenant 1987; Crouse 2016). SciPy has the same, but the runtime
needs NumPy alone.
"""

import numpy as np
from numpy.typing import NDArray


def match_best(scores: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the pairs of a matching with the highest total, (P, 2) row and column, by row.

    Pairs count if their score (N, M) is positive; others, NaN too, are never matched.

    Raises:
        ValueError: If a score is infinite.
    """
    if scores.ndim != 2 or np.isposinf(scores).any():
        raise ValueError(f"scores must be finite and of shape (N, M), got {scores.shape} with {scores.max(initial=0)}")
    # A pair of score 0 adds nothing, so a best complete matching holds a best partial one.
    gains = np.where(scores > 0, scores, 0.0).astype(np.float64)
    rows, columns = np.flatnonzero(gains.any(axis=1)), np.flatnonzero(gains.any(axis=0))
    if not len(rows):
        return np.empty((0, 2), np.intp)
    gains = gains[np.ix_(rows, columns)]
    highest = gains.argmax(axis=1)
    if len(np.unique(highest)) == len(rows):  # no two rows want one column
        pairs = np.stack((np.arange(len(rows)), highest), axis=1)
    elif len(rows) <= len(columns):
        pairs = np.stack((np.arange(len(rows)), _assign_rows(-gains)), axis=1)
    else:
        pairs = np.stack((_assign_rows(-gains.T), np.arange(len(columns))), axis=1)
    pairs = pairs[gains[pairs[:, 0], pairs[:, 1]] > 0]
    pairs = pairs[np.argsort(pairs[:, 0])]
    return np.stack((rows[pairs[:, 0]], columns[pairs[:, 1]]), axis=1)


def _assign_rows(costs: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return for each row of costs (N, M), N <= M, its column, so that the sum is lowest."""
    num_rows, num_columns = costs.shape
    row_potentials, column_potentials = np.zeros(num_rows), np.zeros(num_columns)
    column_of = np.full(num_rows, -1, np.intp)
    row_of = np.full(num_columns, -1, np.intp)
    for start in range(num_rows):
        distances = np.full(num_columns, np.inf)
        reached_from = np.full(num_columns, -1, np.intp)
        is_open = np.ones(num_columns, bool)
        row, length, seen_rows = start, 0.0, [start]
        while True:
            lengths = length + costs[row] - row_potentials[row] - column_potentials
            is_shorter = is_open & (lengths < distances)
            distances[is_shorter] = lengths[is_shorter]
            reached_from[is_shorter] = row
            column = int(np.where(is_open, distances, np.inf).argmin())
            length = distances[column]
            is_open[column] = False
            if row_of[column] < 0:
                break
            row = int(row_of[column])
            seen_rows.append(row)
        row_potentials[start] += length
        others = np.array(seen_rows[1:], np.intp)
        row_potentials[others] += length - distances[column_of[others]]
        closed = ~is_open
        column_potentials[closed] -= length - distances[closed]
        while True:  # hand columns on along the path that ends in the free one
            row = int(reached_from[column])
            row_of[column] = row
            column, column_of[row] = int(column_of[row]), column
            if row == start:
                break
    return column_of
