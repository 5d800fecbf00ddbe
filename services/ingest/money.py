"""Money: decimals come in, integer minor units of an ISO 4217 currency go on; nothing is lost in spreading them."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from shared.errors import Refused

_CODES = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG
    HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF
    SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UYW
    UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG""".split()  # noqa: SIM905 - 160 codes
)
_NONE = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
_THREE = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_EXPONENTS = {**dict.fromkeys(_NONE, 0), **dict.fromkeys(_THREE, 3), "CLF": 4, "UYW": 4}
LIMIT = 10**15


def currency_of(code: str | None, default: str) -> str:
    """The ISO 4217 code meant by `code`, `default` when nothing is said; raises Refused for an unknown one."""
    found = ((code or "").strip() or default).upper()
    if found not in _CODES:
        raise Refused("unknown_currency", f"{code!r} is no ISO 4217 currency")
    return found


def currency_flags(code: str | None) -> tuple[str, ...]:
    """What had to be assumed of a currency: `currency_assumed` where nothing was said of it."""
    return () if code and code.strip() else ("currency_assumed",)


def exponent_of(currency: str) -> int:
    """Number of minor digits of a currency (ISO 4217)."""
    return _EXPONENTS.get(currency, 2)


def to_minor(amount: Decimal | str | int | None, exponent: int) -> int:
    """Minor units of an amount, half up, nothing for None; raises Refused for what is no amount."""
    if amount is None or amount == "":
        return 0
    try:
        exact = amount if isinstance(amount, Decimal) else Decimal(amount)
        if not exact.is_finite() or abs(exact) >= LIMIT:
            raise Refused("amount_out_of_range", f"{str(amount)[:40]!r} is no amount of money")
        return int((exact * 10**exponent).to_integral_value(ROUND_HALF_UP))
    except InvalidOperation:
        raise Refused("malformed_amount", f"{str(amount)[:40]!r} is no amount of money") from None


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Spread `total` over `weights` by largest remainder; the parts always sum to `total`, earlier parts win ties."""
    if not weights:
        return []
    shares = [max(weight, 0) for weight in weights]
    whole = sum(shares)
    if whole == 0:
        shares, whole = [1] * len(shares), len(shares)
    sign, size = (-1, -total) if total < 0 else (1, total)
    parts = [size * share // whole for share in shares]
    rest = size - sum(parts)
    by_remainder = sorted(range(len(shares)), key=lambda index: (-(size * shares[index] % whole), index))
    for index in by_remainder[:rest]:
        parts[index] += 1
    return [sign * part for part in parts]
