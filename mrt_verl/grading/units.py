r"""Units of measurement, currencies and counted nouns after (or before) a number.

A unit is a factor and dimensions. One that is missing on either side is forgiven by the comparison, a different one is
not; `50 cm` and `0.5 m` are the same length.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from mrt_verl.grading.tokens import Token


@dataclass(frozen=True, slots=True)
class Unit:
    """`factor` times a product of base units; `dimensions` is the set of (base unit, exponent)."""

    factor: Fraction
    dimensions: frozenset[tuple[str, int]]
    name: str = ""


PERCENT = Unit(Fraction(1, 100), frozenset({("percent", 1)}), "%")
DEGREE = Unit(Fraction(1), frozenset({("degree", 1)}), "degree")

_TABLE = """
m length 1 meter metre meters metres 米
km length 1000 kilometer kilometre kilometers kilometres 千米 公里
cm length 1/100 centimeter centimetre centimeters centimetres 厘米
mm length 1/1000 millimeter millimetre millimeters millimetres 毫米
dm length 1/10 decimeter decimeters 分米
nm length 1/1000000000 nanometer nanometers
um length 1/1000000 micrometer micrometers micron microns
in length 127/5000 inch inches
ft length 381/1250 foot feet
yd length 1143/1250 yard yards yds
mi length 201168/125 mile miles
g mass 1 gram grams 克
kg mass 1000 kilogram kilograms kgs kilos 千克 公斤
mg mass 1/1000 milligram milligrams 毫克
lb mass 45359237/100000 lbs pounds_mass
oz mass 45359237/1600000 ounce ounces
t mass 1000000 tonne tonnes ton tons 吨
s time 1 second seconds sec secs 秒
ms time 1/1000 millisecond milliseconds
min time 60 minute minutes mins 分钟
h time 3600 hour hours hr hrs 小时
day time 86400 days 天
week time 604800 weeks wk wks 周
month month 1 months 月
year year 1 years yr yrs 年
L volume 1 l liter litre liters litres 升
mL volume 1/1000 ml milliliter milliliters millilitre millilitres 毫升
gal gallon 1 gallon gallons
cup cup 1 cups
K kelvin 1 kelvin kelvins
N newton 1 newton newtons
J joule 1 joules
kJ joule 1000 kilojoule kilojoules
cal calorie 1 calories calorie
W watt 1 watts
kW watt 1000 kilowatt kilowatts
Pa pascal 1 pascals
kPa pascal 1000 kilopascals
atm atm 1
V volt 1 volts
A ampere 1 amp amps amperes
Hz hertz 1
mol mole 1 moles
ohm ohm 1 ohms
rad radian 1 radian radians 弧度
deg degree 1 degree degrees degs
unit unit 1 units
mph mph 1
acre acre 1 acres
ha hectare 1 hectares
bit bit 1 bits
byte byte 1 bytes
dollar dollar 1 dollars USD usd bucks 美元
cent dollar 1/100 cents
euro euro 1 euros EUR
pound pound 1 pounds GBP quid
pence pound 1/100 pennies penny
yuan yuan 1 yuans RMB CNY 元 块 元钱
jiao yuan 1/10 角
yen yen 1 JPY
rupee rupee 1 rupees Rs INR
ruble ruble 1 rubles roubles rouble RUB
angstrom angstrom 1 angstroms
person person 1 people persons 人
child child 1 children
man man 1 men
woman woman 1 women
foot_ft length 381/1250
tooth tooth 1 teeth
mouse mouse 1 mice
个 piece 1 piece pieces
"""
_CURRENCIES = frozenset({"dollar", "euro", "pound", "yuan", "yen", "rupee", "ruble"})
_LETTERS = frozenset("mgshLlNJWVK")
"""Units of one letter: of an italic letter only after a number and a space, `5 m` but not `5m`."""
_NO_NOUNS = frozenset(
    """more less fewer greater least most over under plus minus times than half halves third thirds fourths quarter
    quarters fifths sixths sevenths eighths ninths tenths hundredths thousandths squared cubed hundred hundreds thousand
    thousands million millions billion billions trillion dozen dozens tens ones zeros remainder remainders mod modulo
    base not between through until per each every only else also factorial choose and or but because since thus hence
    percents above below max maximum minimum min approximately about plus others is was equals equal
    inclusive exclusive infinity pi radix digits powers roots zeroes pairs both none versus""".split()
)
_SINGULAR_PLURALS = frozenset("people children men women feet sheep fish deer mice teeth geese dice students".split())
_MULTIPLES = {
    "dozen": Fraction(12),
    "hundred": Fraction(100),
    "thousand": Fraction(1000),
    "million": Fraction(10**6),
    "billion": Fraction(10**9),
    "trillion": Fraction(10**12),
    "万": Fraction(10**4),
    "亿": Fraction(10**8),
}
_PERCENT_WORDS = frozenset("% percent pct percentage percents pc".split())


def _read_table() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        name, dimension, factor, *others = line.split()
        for spelling in (name, *others):
            units[spelling] = Unit(Fraction(factor), frozenset({(dimension, 1)}), name)
    return units


_UNITS = _read_table()


def multiple(word: str) -> Fraction | None:
    """What a number is multiplied by if this word follows, as in "2.5 million"."""
    return _MULTIPLES.get(word.lower())


def is_percent(token: Token) -> bool:
    """Whether the token is a percent sign or its word."""
    return token.value.lower() in _PERCENT_WORDS and token.kind in "wo"


def is_currency(token: Token) -> bool:
    """Whether the token is a currency that may stand before its number."""
    return token.value == "$" or (token.kind == "w" and _UNITS.get(token.value, PERCENT).name in _CURRENCIES)


def read_unit(tokens: Sequence[Token], after_number: bool) -> Unit | None:
    """The unit that all of these tokens are, None if they are none.

    Args:
        after_number: whether a plain number stands before them; only then a lone letter may be a unit.
    """
    if len(tokens) == 1 and is_percent(tokens[0]):
        return PERCENT
    if [token.value.lower() for token in tokens] == ["per", "cent"]:
        return PERCENT
    if tokens and tokens[0].value == "\\frac":
        tokens = _one_line(tokens)
    if not tokens:
        return None
    degree = _degree(tokens)
    if degree is not None:
        return degree
    first = tokens[0]
    if first.kind == "l" and not (after_number and first.value in _LETTERS and (first.spaced or len(tokens) > 2)):
        return None
    return _product(tokens) or (_noun(tokens) if after_number else None)


def _one_line(tokens: Sequence[Token]) -> list[Token]:
    """`\\frac{km}{h}` as km/h."""
    values = [token.value for token in tokens]
    line = [token for token in tokens[1:] if token.value not in "{}"]
    middle = next((n for n in range(1, len(values) - 1) if values[n : n + 2] == ["}", "{"]), None)
    if middle is None:
        return line
    before = sum(value not in "{}" for value in values[1:middle])
    return [*line[:before], Token("o", "/"), *line[before:]]


def _degree(tokens: Sequence[Token]) -> Unit | None:
    values = [token.value for token in tokens if token.value not in "{}"]
    if values and values[0].lower() in ("degrees", "degree", "deg") and len(values) == 2:
        values = ["^", "\\circ", values[1]]
    if values[:2] not in (["^", "\\circ"], ["^", "o"]) and values[:1] != ["\\degree"]:
        return None
    rest = [value for value in values[1 if values[0] == "\\degree" else 2 :]]
    if not rest:
        return DEGREE
    if len(rest) == 1 and rest[0].lower() in ("c", "celsius", "f", "fahrenheit"):
        scale = "celsius" if rest[0].lower().startswith("c") else "fahrenheit"
        return Unit(Fraction(1), frozenset({(scale, 1)}), scale)
    return None


def _product(tokens: Sequence[Token]) -> Unit | None:
    """Units joined by `/`, `per`, `*` or nothing, each with an exponent or a `square` or `cubic` before it."""
    factor, dimensions = Fraction(1), {}  # type: Fraction, dict[str, int]
    sign, power, position, count = 1, 1, 0, 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        value = token.value
        if value in ("/", "per", "a", "an", "每") and count:
            sign = -1
        elif value == "." or (value in ("*", "\\cdot", "\\times", "-") and count):
            continue
        elif value.lower() in ("square", "sq", "cubic", "cu", "平方", "立方"):
            power = 2 if value.lower() in ("square", "sq", "平方") else 3
        elif value.lower() in ("squared", "cubed") and count:
            return None
        elif value in ("平方米", "平方厘米", "立方米", "立方厘米", "平方千米"):
            base = _UNITS[value[2:]]
            exponent = 2 if value[0] == "平" else 3
            factor *= base.factor**exponent
            dimensions[next(iter(base.dimensions))[0]] = exponent
            count += 1
        else:
            unit = _UNITS.get(value) or (_UNITS.get(value.lower()) if len(value) > 2 else None)
            if unit is None:
                return None
            exponent, position = _exponent(tokens, position)
            if exponent is None:
                return None
            exponent *= sign * power
            factor *= unit.factor**exponent
            for base, its in unit.dimensions:
                dimensions[base] = dimensions.get(base, 0) + its * exponent
            power, count = 1, count + 1
    if not count:
        return None
    names = " ".join(token.value for token in tokens)
    return Unit(factor, frozenset((base, its) for base, its in dimensions.items() if its), names)


def _exponent(tokens: Sequence[Token], position: int) -> tuple[int | None, int]:
    """The exponent at `position` (1 without one), and where it ends."""
    values = [token.value for token in tokens[position : position + 6]]
    if values[:1] == ["^"]:
        found = re.match(r"\^\{?(-?[0-9]{1,2})\}?", "".join(values))
        if found is None:
            return None, position
        used = 0
        text = ""
        while text != found.group() and used < len(values):
            text += values[used]
            used += 1
        return (int(found.group(1)), position + used) if text == found.group() else (None, position)
    if values[:1] in (["2"], ["3"]):  # "cm2"
        return int(values[0]), position + 1
    return 1, position


def _noun(tokens: Sequence[Token]) -> Unit | None:
    """Things that are counted: one to three words, the last one a plural."""
    words = [token.value.lower() for token in tokens]
    if len(words) > 3 or not all(token.kind == "w" and token.value.isalpha() for token in tokens):
        return None
    if any(len(word) < 3 or word in _NO_NOUNS or word in _UNITS for word in words[:-1]) or words[-1] in _NO_NOUNS:
        return None
    last = words[-1]
    if len(last) < 4 or not (last in _SINGULAR_PLURALS or last.endswith("s") or last == "way"):
        return None
    singular = last[:-1] if last.endswith("s") else last
    return Unit(Fraction(1), frozenset({(" ".join([*words[:-1], singular]), 1)}), " ".join(words))
