"""The block transform is orthonormal, inverts, and is the DCT that SciPy computes."""

import numpy as np
from scipy.fft import dctn

from lgvsc_flow.blocks.ntscc.transform import COLOUR, block_dct, dct_matrix, frequency_order


def test_rows_are_orthonormal_and_complete():
    basis = block_dct().reshape(768, 768)
    np.testing.assert_allclose(basis @ basis.T, np.eye(768), atol=1e-12)
    block = np.random.default_rng(0).random(768)
    np.testing.assert_allclose(basis.T @ (basis @ block), block, atol=1e-12)


def test_part_of_the_basis_is_orthonormal():
    basis = block_dct((192, 36, 28)).reshape(256, 768)
    np.testing.assert_allclose(basis @ basis.T, np.eye(256), atol=1e-12)


def test_agrees_with_scipy():
    block = np.random.default_rng(1).random((3, 16, 16))
    planes = np.tensordot(COLOUR, block, 1)
    expected = np.concatenate([[dctn(p, norm="ortho")[v, h] for v, h in frequency_order()] for p in planes])
    np.testing.assert_allclose(block_dct().reshape(768, 768) @ block.ravel(), expected, atol=1e-12)


def test_dct_matrix_starts_with_the_mean():
    np.testing.assert_allclose(dct_matrix(16)[0], 0.25)
