"""Numbers and names written for people: no more digits than an interval supports."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

from pipeline.errors import write_count as write_count
from pipeline.targets.metric_names import LOWER_IS_BETTER

if TYPE_CHECKING:
    from pipeline.evaluation.bootstrap import Interval
    from pipeline.targets.results import Difference

MODELS = {
    "network": "Network",
    "network_unrepaired": "Network without repair",
    "gradient_boosting": "Gradient boosting",
    "logistic_regression": "Logistic, thumbnails",
    "majority": "Majority class",
}
METHODS = {
    "none": "No resampling",
    "threshold": "Threshold moving",
    "class_weight": "Class weights",
    "random_under": "Random undersampling",
    "tomek": "Tomek links",
    "enn": "Edited nearest neighbours",
    "random_over": "Random oversampling",
    "augment": "Augmented copies",
    "smote": "SMOTE",
    "smotenc": "SMOTENC",
    "smote_tomek": "SMOTE + Tomek links",
    "smote_enn": "SMOTE + ENN",
}
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
NBSP = "\N{NO-BREAK SPACE}"
# Controls, bidirectional overrides, zero-width characters and lone surrogates: what a reader can't
# see but what makes two categories differ, or turns the rest of a line around.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
IN_LINE = str.maketrans({"\n": "⏎", "\r": "", "\t": "⇥"})
Reading = Literal["better", "worse", "not distinguishable", "not defined"]


def write_share(part: float, whole: float = 1.0) -> str:
    r"""Write a share of rows in per cent; only none is 0 %, and only all is 100 %.

    >>> write_share(1, 3772), write_share(231, 3772), write_share(3771, 3772), write_share(0, 5)
    ('<\xa00.1\xa0%', '6.1\xa0%', '>\xa099.9\xa0%', '0\xa0%')
    """
    share = part / whole if whole else 0.0
    if share in (0.0, 1.0):
        return f"{100 * share:.0f}{NBSP}%"
    if share < 0.001:
        return f"<{NBSP}0.1{NBSP}%"
    if share > 0.999:
        return f">{NBSP}99.9{NBSP}%"
    digits = 0 if 0.1 <= share < 0.99 else 1
    return f"{100 * share:.{digits}f}{NBSP}%"


def count_decimals(low: float, high: float) -> int:
    """Count the decimals that an interval supports: its half-width to one digit, two if that is 1.

    >>> count_decimals(0.83, 0.91), count_decimals(0.868, 0.896), count_decimals(0.8, 0.8)
    (2, 3, 3)
    """
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return 3
    exponent = math.floor(math.log10(half))
    leading = half / 10.0**exponent
    return min(4, max(2, -exponent + (1 if leading < 2 else 0)))


def write_interval(interval: Interval) -> str:
    """Write an estimate with its interval, such as ``0.87 (0.83-0.91)`` with an en dash."""
    if interval.value is None or math.isnan(interval.value):
        return "not defined"
    if interval.low is None or interval.high is None:
        return f"{interval.value:.3f}"
    if interval.low == interval.high:
        return f"{interval.value:.3f}"
    digits = count_decimals(interval.low, interval.high)
    # Short of perfect is not written as perfect.
    while digits < 4 and interval.value < 1 <= round(interval.value, digits):
        digits += 1
    text = (
        f"{interval.value:.{digits}f} ({interval.low:.{digits}f}{DASH}{interval.high:.{digits}f})"
    )
    return text.replace("-", MINUS)


def write_signed(interval: Interval) -> str:
    """Write a difference with its interval; a bound that is not 0 is never rounded to 0."""
    if interval.value is None or interval.low is None or interval.high is None:
        return "not defined"
    digits = count_decimals(interval.low, interval.high)
    bounds = (interval.low, interval.high)
    while digits < 4 and any(bound and round(bound, digits) == 0 for bound in bounds):
        digits += 1
    value, low, high = (_sign(x, digits) for x in (interval.value, *bounds))
    return f"{value} ({low} to {high})"


def _sign(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return (MINUS if value < 0 else "+") + text


def read_difference(difference: Difference) -> Reading:
    """Say what a paired difference shows; an interval that holds 0 shows nothing."""
    interval = difference.interval
    if interval.value is None or interval.low is None or interval.high is None:
        return "not defined"
    if not (interval.low > 0 or interval.high < 0):
        return "not distinguishable"
    higher = interval.low > 0
    return "better" if higher != (difference.metric in LOWER_IS_BETTER) else "worse"


def write_seconds(seconds: float) -> str:
    """Write a duration.

    >>> write_seconds(0.042), write_seconds(12.34), write_seconds(3700)
    ('42 ms', '12.3 s', '1 h 2 min')
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def write_number(value: float) -> str:
    """Write a value of a column in few characters.

    >>> write_number(0.30000000000000004), write_number(123456)
    ('0.3', '123,456')
    """
    size = abs(value)
    text = f"{value:,.0f}" if size >= 1000 and size < 1e7 else f"{value:.4g}"
    return text.replace("-", MINUS, 1) if value < 0 else text


def write_moment(started: str) -> str:
    """Write an ISO 8601 moment for people; a text that is none stays as it is."""
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return started
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def cut(text: object, length: int = 48) -> str:
    """Cut a text to a length, in its middle, so that endings still tell names apart.

    >>> cut("measurement_of_something_long_2", 15)
    'measurem…long_2'
    """
    whole = str(text).translate(IN_LINE)
    if len(whole) <= length:
        return whole
    tail = (length - 1) * 3 // 7
    return whole[: length - 1 - tail] + "…" + whole[len(whole) - tail :]


def reveal(text: str) -> str:
    r"""Write characters that can't be seen as their escapes; line ends and tabs stay.

    >>> reveal("New\u200bYork \u202egnp.exe")
    'New\\u200bYork \\u202egnp.exe'
    """
    return UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def quote(text: object, length: int = 40) -> str:
    """Quote a name of the data inside a sentence, cut to a bounded length."""
    return f"'{cut(text, length)}'"


def join_words(words: list[str], most: int = 4) -> str:
    """Join words for a sentence, at most so many of them.

    >>> join_words(["a", "b", "c"]), join_words(["a", "b", "c"], most=2)
    ('a, b and c', 'a, b and 1 more')
    """
    if len(words) > most:
        return ", ".join(words[:most]) + f" and {len(words) - most} more"
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""
