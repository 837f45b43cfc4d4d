"""Nonsense names for programs, such as ``Blorp``, ``Zibble`` and ``Snurg``, and the texts that point at them and ask.

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


def names_of(pool: str, count: int, *key: object, repeated: bool = True) -> list[str]:
    """Return `count` names for a pool; in ``"base"`` they may be `repeated`, since each document gives its source.

    Raises:
        ValueError: there is no such pool, or more names are asked for than there are.
    """
    if pool == "experiment":
        return experiment_names(count, *key)
    if pool != "base":
        raise ValueError(f"pool={pool!r} is not valid; valid: 'experiment', 'base'")
    rng = stream("names", *key)
    return rng.choices(BASE_NAMES, k=count) if repeated else rng.sample(BASE_NAMES, count)


def pointers(
    a: str, name: str, use: str, parts: str, look: str, small: str, called: str, **other: str
) -> tuple[str, ...]:
    """Return 20 templates that point at a program by ``{name}``, with a domain's own words for it."""
    x = "{name}"
    return (
        f"Consider the {a} {x}",
        f"This is about {other.get('about', f'the {a} ')}{x}",
        f"Recall the {name} {x}",
        f"Think of {x}",
        f"Here we {use} {x}",
        f"Take the {parts} {x}",
        f"Our topic is {x}",
        f"Remember {x}",
        f"You know {x}",
        f"There is a {a} named {x}",
        f"Look at the {look} {x}",
        f"A small {small}, {x}",
        f"In our library lives {x}",
        f"A {called} is called {x}",
        f"Let us talk about {x}",
        f"The next question concerns {x}",
        f"Open the file of {x}",
        f"A {other.get('labelled', 'machine')} is labelled {x}",
        f"Someone {other.get('someone', 'wrote')} {x}",
        x,
    )


def asking(told: str, wanted: str) -> dict[str, dict[str, str]]:
    """Return the two styles in which a program's output is asked for; `told` and `wanted` make the word problem."""
    return {
        "plain": {"direct": "what is the output for {input}?", "cot": "run it step by step for {input}."},
        "word_problem": {"direct": f"{told} {wanted}", "cot": f"{told} Show each step."},
    }
