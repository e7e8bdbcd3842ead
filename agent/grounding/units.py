"""Units by the words and signs for them, so that 2.3 kg is 2,300 g and a year is 12 months."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

WORKING_DAY = "working day"
WORKING_DAYS = "workdays"
CLOCK = "clock"
METRIC = frozenset({"length", "weight", "volume", "data", "power", "energy"})
CURRENCIES = ("EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "JPY", "CAD", "AUD")

_HOUR = 3600.0
_DAY = 24 * _HOUR
# What a unit measures, how many of the base unit it is, and how it is written in languages that answers are given in.
_WRITTEN: tuple[tuple[str, float, str], ...] = (
    ("time", 1.0, "s sec secs second seconds Sekunde Sekunden seconde secondes seconden secondi segundos"),
    ("time", 60.0, "min mins minute minutes Minute Minuten minuten minuti minutos"),
    ("time", _HOUR, "h hr hrs hour hours Stunde Stunden heure heures uur ore hora horas"),
    ("time", _DAY, "day days Tag Tage Tagen jour jours dag dagen giorno giorni día días"),
    ("time", 7 * _DAY, "week weeks Woche Wochen semaine semaines weken settimana settimane semana semanas"),
    ("months", 1.0, "month months Monat Monate Monaten mois maand maanden mese mesi mes meses"),
    ("months", 12.0, "year years yr yrs Jahr Jahre Jahren ans année années jaar anno anni año años"),
    (WORKING_DAY, 1.0, "workday workdays Werktag Werktage Werktagen Arbeitstag Arbeitstage Arbeitstagen werkdagen"),
    ("length", 1.0, "mm millimetre millimetres millimeter millimeters"),
    ("length", 10.0, "cm centimetre centimetres centimeter centimeters"),
    ("length", 1e3, "m metre metres meter meters Meter Metern mètre mètres metri metros"),
    ("length", 1e6, "km kilometre kilometres kilometer kilometers Kilometer"),
    ("length", 25.4, "inch inches"),
    ("length", 304.8, "ft foot feet"),
    ("weight", 1e-3, "mg milligram milligrams"),
    ("weight", 1.0, "g gram grams Gramm gramme grammes"),
    ("weight", 1e3, "kg kilo kilos kilogram kilograms Kilogramm"),
    ("weight", 453.59237, "lb lbs pounds"),
    ("volume", 1.0, "ml millilitre millilitres milliliter milliliters"),
    ("volume", 10.0, "cl"),
    ("volume", 1e3, "l litre litres liter liters Liter"),
    ("area", 1.0, "m² m2 sqm"),
    ("speed", 1.0, "km/h kmh"),
    ("data", 1.0, "KB kB kilobytes"),
    ("data", 1e3, "MB megabyte megabytes"),
    ("data", 1e6, "GB gigabyte gigabytes"),
    ("data", 1e9, "TB terabyte terabytes"),
    ("power", 1.0, "W watt watts Watt"),
    ("power", 1e3, "kW kilowatt kilowatts"),
    ("energy", 1.0, "Wh"),
    ("energy", 1e3, "kWh"),
    ("degrees", 1.0, "° °C ºC °F degree degrees Grad degrés graden gradi grados"),
    ("percent", 1.0, "% percent pct Prozent procent"),
    ("EUR", 1.0, "€ EUR euro euros Euro Euros"),
    ("USD", 1.0, "$ USD dollar dollars Dollar"),
    ("GBP", 1.0, "£ GBP"),
    ("CHF", 1.0, "CHF Franken francs"),
    *((code, 1.0, code) for code in CURRENCIES[4:]),
    (CLOCK, 60.0, "Uhr o'clock"),
)
DAYS = frozenset({"day", "days", "tag", "tage", "tagen"})
_CENTS = frozenset({"cent", "cents", "ct", "Cent"})
# Signs and codes of currencies stand before an amount too.
BEFORE_AMOUNTS = "€$£"

_UNITS = {word: (measure, factor) for measure, factor, words in _WRITTEN for word in words.split()}
_UNITS |= {word.casefold(): unit for word, unit in _UNITS.items() if len(word) > 2}  # noqa: PLR2004  M is no metre


def known(word: str) -> bool:
    """Whether a word or sign is a unit."""
    return word in _UNITS or word in _CENTS or word.casefold() in _UNITS


def measured(value: float, unit: str) -> Iterator[tuple[str, float]]:
    """Yield what a value with a unit is: what is measured, and how much in the base unit.

    Args:
        value: the number.
        unit: a unit, as it is written.
    """
    if unit in _CENTS:
        yield from ((currency, _exact(value / 100)) for currency in CURRENCIES)
        return
    measure, factor = _UNITS.get(unit) or _UNITS[unit.casefold()]
    yield measure, _exact(value * factor)
    if unit.casefold() == "pounds":
        yield "GBP", _exact(value)
    elif measure == WORKING_DAY:
        yield from measured(value, "days")
    elif unit == "h":  # French and German hours of the clock
        yield CLOCK, _exact(value * 60)


def codes() -> Iterator[str]:
    """Yield what may stand before an amount of money."""
    return chain(BEFORE_AMOUNTS, CURRENCIES)


def _exact(value: float) -> float:
    return float(f"{value:.9g}")
