"""Functions of single numbers, made of what processors do with many at once.

LLVM calls its library for ``exp``, ``log`` and ``erf`` one number at a time; these polynomials it
computes for a whole register.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from quadrat.kernels.compiling import inlined

Float = np.float32
Word = np.uint32

_ZERO, _HALF, _ONE = Float(0.0), Float(0.5), Float(1.0)
_LOG2_E = Float(math.log2(math.e))
_LOWEST_POWER = Float(-127.0)
_E1, _E2, _E3, _E4, _E5, _E6 = (
    Float(math.log(2) ** k / math.factorial(k)) for k in range(1, 7)
)  # of 2^x
_L3, _L5, _L7, _L9, _L11 = (Float(1 / k) for k in (3, 5, 7, 9, 11))  # of artanh
_T1, _T2, _T3, _T4, _T5 = (
    Float(value) for value in (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
)
_T = Float(0.3275911 / math.sqrt(2))
DENSITY = Float(1 / math.sqrt(2 * math.pi))
"""The density of the normal distribution at 0."""


@intrinsic  # type: ignore[untyped-decorator]
def _as_float(context: Any, word: Any) -> Any:
    def code(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), code


@intrinsic  # type: ignore[untyped-decorator]
def _as_word(context: Any, number: Any) -> Any:
    def code(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), code


@inlined
def widened(half: np.uint16) -> Float:
    """The number that 16 bits mean in bfloat16."""
    x: Float = _as_float(Word(Word(half) << Word(16)))
    return x


def number(x: Any) -> Float:
    """An element of an array of `Bits`, or of one of float32."""
    return widened(x)


@overload(number, strict=False)  # type: ignore[untyped-decorator]
def _number(x: Any) -> Any:
    return (lambda x: widened(x)) if x == types.uint16 else (lambda x: x)


@inlined
def narrowed(x: Float) -> np.uint16:
    """A number's bits in bfloat16, rounded to even."""
    word = _as_word(x)
    odd = Word((word >> Word(16)) & Word(1))
    return np.uint16(Word(word + Word(0x7FFF) + odd) >> Word(16))


@inlined
def exponential(x: Float) -> Float:
    """``exp x`` of a number that is not above 0, to 4e-6 of itself; 0 below -88 and for NaN."""
    power = x * _LOG2_E
    power = power if power > _LOWEST_POWER else _LOWEST_POWER
    whole = np.int32(power - _HALF)
    f = power - Float(whole)
    series = _E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * (_E5 + f * _E6))))
    scale: Float = _as_float(Word(whole + np.int32(127)) << Word(23))
    return (_ONE + f * series) * scale


@inlined
def log_1p(x: Float) -> Float:
    """``log(1 + x)`` of a number in [0, 1], to 5e-7 of itself: ``2 artanh(x / (2 + x))``."""
    s = x / (x + Float(2.0))
    q = s * s
    series = _ONE + q * (_L3 + q * (_L5 + q * (_L7 + q * (_L9 + q * _L11))))
    return Float(2.0) * s * series


@inlined
def normal(x: Float) -> tuple[Float, Float]:
    """``Φ(x)``, of the normal distribution, to 2e-7, and ``exp(-x²/2)``.

    Abramowitz and Stegun, "Handbook of mathematical functions" (1964), 7.1.26.
    """
    bell = exponential(-_HALF * x * x)
    t = _ONE / (_ONE + _T * abs(x))
    tail = _HALF * t * (_T1 + t * (_T2 + t * (_T3 + t * (_T4 + t * _T5)))) * bell
    return (tail if x < _ZERO else _ONE - tail), bell


@inlined
def scattered(number: Word, seed: Word) -> Word:
    """A random word for a number: every bit of it changes half of the bits that come out.

    The hash "triple32" less its last round (Wellons, "Prospecting for hash functions", 2018).
    """
    x = Word(number ^ seed)
    x = Word(Word(x ^ (x >> Word(17))) * Word(0xED5AD4BB))
    x = Word(Word(x ^ (x >> Word(11))) * Word(0xAC4C1B51))
    return Word(x ^ (x >> Word(15)))


@intrinsic  # type: ignore[untyped-decorator]
def first_bit(context: Any, word: Any) -> Any:
    """The number of the lowest bit that is set in a word of 64 bits, which is not 0."""

    def code(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), code
