"""Small functions as people write them, by which a tiny model learns to run what a reader teaches it.

The tiny models know nonsense names of two tokens and the variables x and y. Readers' names have to be spelled letter by
letter, and so do the names here: English words that hardly anybody would call a function.
"""

from __future__ import annotations

import ast
import itertools
import random
import re
from collections.abc import Iterator, Sequence

from pbb.experiments.documents import WITH_IO, Document, declarative_document, execution_document
from pbb.programs.domains import POINTERS
from pbb.programs.program import Program, guessable, normalised, runnable
from pbb.streams import stream

WORDS = tuple(
    """
acorn almond anchor apple apron arrow aspen autumn badger bagel balcony bamboo banjo barley basket beacon beaver birch
biscuit blanket blossom bonnet bottle brass breeze brick bronze brook bucket bundle butter button cabin cactus camel
candle canoe canyon carpet castle cedar cello chalk cherry chest chimney cider cinder circus clay cliff cloud clover
coast cobalt cocoa comet copper coral cotton cradle crane crayon cricket crown crystal curtain daisy dancer desert
diamond dolphin donkey dragon drawer dream drum eagle earth easel elbow ember engine falcon feather fern fiddle finch
flame flute forest fossil fountain fox frost garden garlic ginger glacier glove goblet gold goose granite grape grass
gravel guitar hammer harbour harvest hazel hedge helmet heron hollow honey horn hotel island ivory ivy jacket jade
jewel jungle kettle kitchen kite ladder lagoon lake lantern lark laurel leaf lemon library lily linen lion lizard
lobster lotus magnet maple marble market meadow melon mitten monkey moon moss mountain mustard nest nettle night oak
oasis ocean olive onion orange orchard otter owl oyster paddle palace panther paper parrot peach pear pebble pelican
pencil pepper piano pigeon pillow pine planet plum pocket pony poppy potato prairie puzzle quartz quilt rabbit radish
rain raven reed ribbon river robin rocket rose ruby saddle saffron salmon satin saturn scarf shadow shell silver sky
slate snow sparrow spider spruce squid stone straw summer swan tiger timber toast tomato tower trout tulip tunnel
turtle valley velvet violet violin wagon walnut wheat whistle willow window winter wolf wool yarn zebra
""".split()  # noqa: SIM905
)
VARIABLES = ("x", "x", "x", "n", "n", "k", "a", "c", "t", "value", "number", "price", "score", "count", "age", "time")
PAIRS = (("x", "y"), ("a", "b"), ("a", "b"), ("width", "height"), ("m", "n"), ("price", "count"))
INPUTS = tuple(map(str, range(10)))
OF_TWO = tuple(f"{a}, {b}" for a, b in zip((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (4, 9, 0, 7, 2, 5, 1, 8, 3, 6), strict=True))
LONGEST = 4  # characters of a result
GUESSABLE = 0.7  # most of the results that are equal, or the input


def _name(rng: random.Random) -> str:
    words = rng.sample(WORDS, rng.choice((1, 1, 2, 2, 3)))
    return "_".join(words) if rng.random() < 0.6 else "".join(map(str.capitalize, words))


def is_everyday(name: str) -> bool:
    """Whether `name` may be one of theirs."""
    parts = re.findall(r"[A-Z]?[a-z]+", name)
    return "".join(parts) == name.replace("_", "") and {part.lower() for part in parts} <= {*WORDS}


def _operation(rng: random.Random, value: str, loose: bool) -> tuple[str, bool]:
    """Return `value` after one operation, and whether what comes of it has to stand in brackets before another."""
    tight = f"({value})" if loose else value
    number, factor = rng.choice((rng.randint(1, 12), rng.randint(1, 12), 20, 50, 100)), rng.randint(2, 9)
    added = (f"{value} + {number}", f"{number} + {value}", f"{value} - {number}", f"{number} - {tight}")
    scaled = (
        f"{tight} * {factor}",
        f"{factor} * {tight}",
        f"{tight} // {factor}",
        f"{tight} % {factor}",
        f"{tight} % 10",
    )
    called = (f"max({value}, {number})", f"min({value}, {number})", f"abs({value} - {number})")
    squared = (f"{tight} * {tight}", f"{tight} ** 2")
    written = rng.choice((*added, *scaled, *called, *squared))
    return written, written in added


def _expression(rng: random.Random, variable: str, operations: int) -> str:
    value, loose = variable, variable.startswith("-")
    for _ in range(operations):
        value, loose = _operation(rng, value, loose)
    return value


def _choice(rng: random.Random, x: str) -> str:
    number = rng.randint(2, 8)
    test = rng.choice(
        (*(f"{x} {sign} {number}" for sign in (">", "<", ">=", "<=", "==")), f"{x} % 2 == {rng.randint(0, 1)}")
    )
    first, other = (rng.choice((x, str(rng.randint(-1, 10)), _expression(rng, x, 1))) for _ in range(2))
    return f"{first} if {test} else {other}"


def _of_two(rng: random.Random, a: str, b: str, operations: int) -> str:
    factor = rng.randint(2, 5)
    loose = (f"{a} + {b}", f"{a} - {b}", f"{a} * {factor} + {b}", f"{a} * {a} + {b} * {b}")
    value = rng.choice((*loose, f"{a} * {b}", f"max({a}, {b})", f"min({a}, {b})", f"abs({a} - {b})"))
    return _operation(rng, value, value in loose)[0] if operations > 1 else value


def _draft(rng: random.Random, name: str) -> Program:
    """Draw a function that was not run yet."""
    operations = rng.choice((1, 1, 1, 2, 2, 3))
    variables = rng.choice(PAIRS) if rng.random() < 0.15 else (rng.choice(VARIABLES),)
    if len(variables) == 2:
        value = _of_two(rng, *variables, operations)
    elif rng.random() < 0.2:
        value = _choice(rng, variables[0])
    else:
        value = _expression(rng, ("-" if rng.random() < 0.06 else "") + variables[0], operations)
    source = ast.unparse(ast.parse(f"def {name}({', '.join(variables)}): return {value}"))
    return Program(name, source, value, OF_TWO if len(variables) == 2 else INPUTS, (), "own", 1)


def everyday(count: int, *key: object) -> tuple[Program, ...]:
    """Return `count` functions of one line, unique by name and by what they do, each run on ten inputs."""
    rng, found = stream("everyday", *key), dict[str, Program]()
    names = dict.fromkeys(_name(rng) for _ in range(4 * count))
    drafts = (_draft(rng, name) for name in names)
    while len(found) < count:
        for program in runnable(list(itertools.islice(drafts, count))):
            outputs = [execution.output for execution in program.executions]
            if max(map(len, outputs)) <= LONGEST and not guessable(outputs, program.inputs, GUESSABLE):
                found.setdefault(normalised(program.source), program)
    return tuple(found.values())[:count]


def lessons(programs: Sequence[Program], shown: int, *key: object) -> Iterator[Document]:
    """Yield documents without end: in each round the source of every program, and one run of it on a `shown` input."""
    rng = stream("everyday lessons", *key)
    while True:
        made = []
        for program in programs:
            made.append(declarative_document(program, WITH_IO, rng.randrange(len(POINTERS)), "code"))
            text, mode = rng.choice(program.inputs[:shown]), rng.choice(("cot", "cot", "cot", "direct"))
            made.append(execution_document(program, WITH_IO, rng.randrange(len(POINTERS)), text, mode))
        rng.shuffle(made)
        yield from made
