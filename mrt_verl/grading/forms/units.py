r"""What a unit is, and the table of units, currencies and counted things."""

from dataclasses import dataclass
from fractions import Fraction

from mrt_verl.grading.text.words import words


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
CURRENCIES = frozenset({"dollar", "euro", "pound", "yuan", "yen", "rupee", "ruble"})
LETTERS = frozenset("mgshLlNJWVK")
"""Units of one letter: of an italic letter only after a number and a space, `5 m` but not `5m`."""
NO_NOUNS = words(
    """more less fewer greater least most over under plus minus times than half halves third thirds fourths quarter
    quarters fifths sixths sevenths eighths ninths tenths hundredths thousandths squared cubed hundred hundreds thousand
    thousands million millions billion billions trillion dozen dozens tens ones zeros remainder remainders mod modulo
    base not between through until per each every only else also factorial choose and or but because since thus hence
    percents above below max maximum minimum min approximately about plus others is was equals equal
    inclusive exclusive infinity pi radix digits powers roots zeroes pairs both none versus"""
)
SINGULAR_PLURALS = words("people children men women feet sheep fish deer mice teeth geese dice students")
MULTIPLES = {
    "dozen": Fraction(12),
    "hundred": Fraction(100),
    "thousand": Fraction(1000),
    "million": Fraction(10**6),
    "billion": Fraction(10**9),
    "trillion": Fraction(10**12),
    "万": Fraction(10**4),
    "亿": Fraction(10**8),
}
PERCENT_WORDS = words("% percent pct percentage percents pc")


def _read_table() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        name, dimension, factor, *others = line.split()
        for spelling in (name, *others):
            units[spelling] = Unit(Fraction(factor), frozenset({(dimension, 1)}), name)
    return units


UNITS = _read_table()
