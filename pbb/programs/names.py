"""Nonsense names for programs, such as ``Blorp``, ``Zibble`` and ``Snurg``.

A name is a head and a tail. The tokenizer of the tiny models cuts a capitalised word after its third letter,
so that a name costs two tokens. Names are split between base models and experiments by a hash: a base model
is never pretrained on a name that an experiment teaches.
"""

from __future__ import annotations

from pbb.streams import digest, stream

_ONSETS = ("Bl", "Br", "Cr", "Dr", "Fl", "Fr", "Gl", "Gr", "Kl", "Pl", "Pr", "Sk", "Sn", "St", "Tr", "Zw")
HEADS = (
    *(onset + vowel for onset in _ONSETS for vowel in "aeiou"),
    *("Baz", "Dib", "Fep", "Gub", "Hab", "Jig", "Kep", "Lom", "Mip", "Nub", "Pog", "Quo", "Rab", "Sog"),
    *("Tup", "Vim", "Wob", "Yex", "Zib", "Zog"),
)  # fmt: skip
TAILS = (
    *("rp", "rg", "nk", "lt", "mp", "sk", "nd", "rt", "lf", "zz", "ck", "nt", "ft", "st", "lm", "rn", "x"),
    *("ble", "dle", "gle", "ple", "tle", "zle", "kle", "fle"),
    *("bor", "dor", "gor", "mor", "nor", "por", "tor", "vor", "zor"),
    *("ban", "dan", "gan", "kan", "lan", "man", "pan", "tan", "van"),
    *("bim", "dim", "gim", "kim", "lim", "nim", "pim", "tim", "vim"),
    *("bus", "dus", "gus", "kus", "lus", "mus", "nus", "pus", "tus"),
    *("bek", "dek", "gek", "lek", "mek", "nek", "pek", "tek", "zek"),
    *("boo", "doo", "goo", "loo", "moo", "noo", "poo", "too", "zoo"),
)  # fmt: skip
BASE_SHARE = 4  # one name in four belongs to base models


def _is_base(name: str) -> bool:
    return int(digest("name", name)[:8], 16) % BASE_SHARE == 0


_ALL = tuple(head + tail for head in HEADS for tail in TAILS)
BASE_NAMES = tuple(name for name in _ALL if _is_base(name))
EXPERIMENT_NAMES = tuple(name for name in _ALL if not _is_base(name))


def experiment_names(count: int, *key: object) -> list[str]:
    """Return `count` different names for an experiment, in an order drawn from `key`: the first of any larger number.

    Raises:
        ValueError: more names are asked for than there are.
    """
    if not 0 <= count <= len(EXPERIMENT_NAMES):
        raise ValueError(f"count={count}: there are names for 0 to {len(EXPERIMENT_NAMES)} programs")
    # Not `sample`, which draws otherwise where it is asked for more: a larger number has to go on from a smaller one's.
    rng, drawn = stream("names", *key), dict[str, None]()
    while len(drawn) < count:
        drawn[rng.choice(EXPERIMENT_NAMES)] = None
    return list(drawn)
