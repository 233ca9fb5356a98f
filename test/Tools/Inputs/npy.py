"""Makes and checks .npy files: npy.py STATEMENTS, with NumPy's names at hand.

Besides those: np, load(path), expect(got, expected) (equal in dtype, shape and
every bit, NaN equal to nothing), header(path, version, descr, order, shape,
data) which writes a file by hand.
"""

import struct
import sys

import numpy as np

try:
    import ml_dtypes

    bfloat16 = ml_dtypes.bfloat16
except ImportError:
    bfloat16 = None


def load(path: str) -> np.ndarray:
    """The array in a .npy file."""
    return np.load(path)


def expect(got: np.ndarray, expected: np.ndarray) -> None:
    """Raises AssertionError unless both are the same array."""
    expected = np.asarray(expected)
    assert got.dtype == expected.dtype, f"dtype {got.dtype}, not {expected.dtype}"
    assert got.shape == expected.shape, f"shape {got.shape}, not {expected.shape}"
    assert np.array_equal(got, expected), f"{got} is not {expected}"


def header(
    path: str,
    version: int,
    descr: str,
    order: str,
    shape: str,
    data: bytes,
    rest: str = "",
) -> None:
    """Writes a .npy file, right or wrong, from its parts."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {rest}}}\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY" + bytes([version, 0]) + size + text.encode() + data)


names = {**vars(np), "np": np, "random": np.random, "bfloat16": bfloat16, "load": load}
names.update(expect=expect, header=header)
exec(sys.argv[1], names)
