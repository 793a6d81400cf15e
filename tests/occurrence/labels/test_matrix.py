import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from quadrat.occurrence.labels.matrix import LabelMatrix

pairs = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 6)), max_size=60)


def matrix(found):
    rows, columns = zip(*found, strict=True) if found else ((), ())
    return LabelMatrix.from_pairs(rows, columns, (12, 7))


def dense(labels):
    parts = (np.ones(labels.positives), labels.indices, labels.indptr)
    return csr_matrix(parts, (len(labels), labels.columns)).toarray()


def expected(found):
    table = np.zeros((12, 7))
    for row, column in found:
        table[row, column] = 1
    return table


@given(pairs)
def test_pairs_in_any_order_and_number(found):
    labels = matrix(found)
    assert (dense(labels) == expected(found)).all()
    assert labels.positives == len(set(found))
    assert (labels.counts() == expected(found).sum(0)).all()
    assert (labels.lengths() == expected(found).sum(1)).all()


@given(pairs, st.lists(st.integers(0, 11), max_size=20))
def test_rows_of_an_index(found, index):
    assert (dense(matrix(found).rows(index)) == expected(found)[index]).all()


@given(pairs, st.lists(st.integers(-1, 6), min_size=1, max_size=7, unique=True))
def test_restriction_orders_columns_and_leaves_unknown_ones_empty(found, kept):
    restricted = dense(matrix(found).restricted(kept))
    for place, column in enumerate(kept):
        wanted = expected(found)[:, column] if column >= 0 else np.zeros(12)
        assert (restricted[:, place] == wanted).all()


@given(st.lists(pairs, min_size=1, max_size=4))
def test_rows_of_several_matrices_in_turn(parts):
    joined = LabelMatrix.interleaved([matrix(part) for part in parts])
    for number, part in enumerate(parts):
        assert (dense(joined)[number :: len(parts)] == expected(part)).all()


@given(pairs, st.sampled_from([1, 2, 3, 4, 6, 12]))
def test_union_of_consecutive_rows(found, size):
    blocks = expected(found).reshape(12 // size, size, 7).max(axis=1)
    assert (dense(matrix(found).union(size)) == blocks).all()


@given(pairs, pairs)
def test_one_matrix_after_another(first, second):
    joined = dense(matrix(first).followed_by(matrix(second)))
    assert (joined == np.vstack([expected(first), expected(second)])).all()


def test_indices_are_32_bit():
    assert matrix([(0, 1)]).indices.dtype == np.int32
    assert matrix([]).positives == 0


def test_the_rows_of_positives():
    assert matrix([(3, 1), (3, 2), (5, 0)]).row_of_positives().tolist() == [3, 3, 5]
    with pytest.raises(IndexError):
        matrix([]).rows([12])
