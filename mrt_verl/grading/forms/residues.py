r"""Residue classes and remainders: `3 \pmod 7`, `x \equiv 3 (mod 7)`, `13 mod 9`."""

from collections.abc import Sequence

from mrt_verl.grading.forms.types import Form, Residue
from mrt_verl.grading.formulas.nodes import Unreadable
from mrt_verl.grading.formulas.parser import parse
from mrt_verl.grading.text.tokens import Token


def _remainder(tokens: Sequence[Token], values: Sequence[str]) -> Form | None:
    """`13 mod 9`, of two numerals."""
    at = next((position for position, value in enumerate(values) if value in ("mod", "\\mod", "\\bmod")), None)
    if at is None:
        return None
    dividend, divisor = tokens[:at], [token for token in tokens[at + 1 :] if token.value not in "{}"]
    if [token.kind for token in dividend if token.value != "-"] != ["n"] or [token.kind for token in divisor] != ["n"]:
        return None
    return Residue(parse(dividend)[0], parse(divisor)[0], is_remainder=True)


def read_residue(tokens: Sequence[Token]) -> Form | None:
    """The residue class that the tokens are, with or without a name before it; None for anything else."""
    values = [token.value for token in tokens]
    if "\\pmod" in values:
        at = values.index("\\pmod")
        modulus = tokens[at + 1 :]
        before = tokens[:at]
    elif len(values) >= 4 and values[-1] == ")" and ("mod" in values or "\\mod" in values or "\\bmod" in values):
        at = next(position for position, value in enumerate(values) if value in ("mod", "\\mod", "\\bmod"))
        if at == 0 or values[at - 1] != "(":
            return None
        modulus, before = tokens[at + 1 : -1], tokens[: at - 1]
    else:
        return _remainder(tokens, values)
    for sign in ("\\equiv", "=", "\\cong"):
        if sign in values[: len(before)]:
            before = before[values.index(sign) + 1 :]
            break
    if not before or not modulus:
        raise Unreadable("half a residue class")
    residues, moduli = parse(before), parse(modulus)
    if len(residues) > 1 or len(moduli) > 1:
        raise Unreadable("several residue classes")
    return Residue(residues[0], moduli[0])
