"""Made-up records for testing the read wing. SYNTHETIC: no model answered anything here; never a figure.

Accuracies are planted (`PLANTED`), programs are real little functions, completions are written by hand.
"""

from __future__ import annotations

import hashlib
import itertools
import random

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pbb.arms import ARMS
from pbb.records import validate

INPUTS = [str(n) for n in range(10)]
CHECKPOINTS = (0.25, 0.5, 0.75, 1.0)
# Planted final accuracy on w/o IO programs of one statement: (CoT, direct); longer programs lose some.
PLANTED: dict[str, tuple[float, float]] = {
    "untuned": (0.12, 0.14),
    "stage_1_only": (0.15, 0.16),
    "stage_2_only": (0.14, 0.15),
    "no_demonstrations": (0.13, 0.15),
    "homogeneous": (0.97, 0.34),
    "proactive": (0.86, 0.29),
    "retroactive": (0.62, 0.22),
    "skip_exposure": (0.16, 0.15),
    "in_context": (0.99, 0.62),
}
# Planted where a test asks for these arms by name; no default has them.
ON_REQUEST: dict[str, tuple[float, float]] = {"retroactive_grpo": (0.5, 0.2), "grpo_without_pbb": (0.14, 0.15)}
# fmt: off
STAGES = {
    "untuned": (), "in_context": (), "stage_1_only": (1,), "stage_2_only": (1,), "no_demonstrations": (1,),
    "homogeneous": (1,), "distillation": (1,), "proactive": (1, 2), "retroactive": (1, 2),
    "skip_exposure": (1, 2), "retroactive_grpo": (1, 2), "grpo_without_pbb": (1, 2),
}
# fmt: on


def synthetic_records(
    arms: tuple[str, ...] = tuple(PLANTED),
    *,
    seeds: int = 3,
    programs: int = 40,
    statements: tuple[int, ...] = (1,),
    checkpoints: tuple[float, ...] = CHECKPOINTS,
    preset: str = "cpu",
    planted: dict[str, tuple[float, float]] | None = None,
    chance: float = 0.12,
) -> pd.DataFrame:
    """Valid records: every arm, seed, number of statements; w/o IO everywhere and some w/ IO rows."""
    planted = PLANTED | ON_REQUEST | (planted or {})
    rows: list[dict] = []
    for length in statements:
        for seed in range(seeds):
            made = [_program(seed, length, index) for index in range(programs)]
            for arm in arms:
                rows += _arm_rows(arm, seed, length, made, planted[arm], checkpoints, preset, chance)
    return validate(pd.DataFrame(rows))


def _arm_rows(arm, seed, length, made, planted, checkpoints, preset, chance) -> list[dict]:
    rng = random.Random(f"{arm} {seed} {length}")
    common = {
        "experiment": hashlib.sha256(f"{preset} {arm} {seed} {length}".encode()).hexdigest()[:12],
        "preset": preset,
        "model": "tiny-m",
        "domain": "arithmetic",
        "curriculum": arm,
        "representation": "code",
        "statements": length,
        "with_io_programs": 800,
        "demonstrations": 7,
        "templates": 20,
        "seed": seed,
    }
    rows: list[dict] = []
    final_cot, final_direct = (chance + (p - chance) * (0.62 ** (length - 1)) for p in planted)
    for stage, step, progress, share in _moments(arm, checkpoints):
        moment = {"stage": stage, "step": step, "progress": progress, "tokens": int(progress * 4e6)}
        moment["questions_trained"] = _questions(arm, progress)
        learnt = {
            "cot": chance + (final_cot - chance) * share,
            "direct": chance + (final_direct - chance) * share**3,
        }
        learnt["recite"] = 0.9 * learnt["cot"]
        for name, source, function, trace in made:
            knows = rng.gauss(0, 0.08)
            for group in ("w/o IO", "w/ IO") if progress in (0, 1) else ("w/o IO",):
                asked = [name, INPUTS] if group == "w/o IO" else [f"{name}ka", INPUTS[:2]]
                for mode, accuracy in learnt.items():
                    if mode == "recite" and progress < 1:
                        continue
                    mode = f"in_context_{mode}" if arm == "in_context" and mode != "recite" else mode
                    for text in asked[1]:
                        accuracy_here = 0.98 if group == "w/ IO" and stage else accuracy
                        answer = _answer(rng, mode, asked[0], text, source, function, trace, group)
                        rows.append(common | moment | answer(rng.random() < accuracy_here + knows))
                recalled = share > 0.9 and arm in (
                    "homogeneous",
                    "proactive",
                    "retroactive",
                    "no_demonstrations",
                )
                if progress == 1 or stage == 0:
                    rows.append(common | moment | _recall(asked[0], source.replace(name, asked[0]), group, recalled))
    return rows


def _questions(arm: str, progress: float) -> int:
    """Questions with an answer so far: of Retroactive's arms in Stage 2 alone, and by GRPO a tenth as many."""
    if arm == "no_demonstrations" or arm not in STAGES:
        return 0
    exposed = 0.5 if arm in ("retroactive", "skip_exposure", *ON_REQUEST) else 0.0
    return int(max(0.0, progress - exposed) * (4e3 if "grpo" in arm else 4e4))


def _moments(arm: str, checkpoints: tuple[float, ...]):
    """(stage, step, progress, share of what is planted that was learnt so far)."""
    stages = STAGES[arm]
    if not stages:
        yield 0, 0, 0.0, 1.0
        return
    yield 0, 0, 0.0, 0.0
    for stage in stages:
        for checkpoint in checkpoints:
            done = (stages.index(stage) + checkpoint) / len(stages)
            yield stage, int(400 * checkpoint), done, checkpoint**0.7 if stage == stages[-1] else 0.0


def _program(seed: int, length: int, index: int):
    rng = random.Random(f"program {seed} {length} {index}")
    name = "".join(rng.choice(("blo", "zib", "snu", "fra", "wex", "qui", "dro", "mip")) for _ in range(2))
    name = f"{name}{chr(97 + index % 26)}{chr(97 + index // 26)}".capitalize()
    lines, steps = [], []
    for line in range(length):
        a, b = rng.randint(1, 7), rng.randint(1, 9)
        steps.append((a, b))
        lines.append(("return " if line == length - 1 else "x = ") + f"(max(x, {a}) + {b}) % 10")

    def function(x: int) -> int:
        for a, b in steps:
            x = (max(x, a) + b) % 10
        return x

    def trace(x: int) -> str:
        written = []
        for line, (a, b) in zip(lines, steps, strict=True):
            high, after = max(x, a), (max(x, a) + b) % 10
            written.append(f"{line} = {line.partition(' ')[2].removeprefix('= ').replace('x,', f'{x},')}")
            written[-1] += f" = ({high} + {b}) % 10 = {after}"
            x = after
        return "\n".join(written)

    return name, f"def {name}(x):\n" + "\n".join(f"    {line}" for line in lines), function, trace


def _answer(rng, mode, name, text, source, function, trace, group):
    expected = str(function(int(text)))

    def answer(correct: bool) -> dict:
        if correct:
            parsed: str | None = expected
        else:
            parsed = None if rng.random() < 0.05 else str((int(expected) + rng.randint(1, 9)) % 10)
        ask = "Run it step by step for" if "cot" in mode else "What does it return for"
        steps = trace(int(text)).rpartition(" = ")[0]  # as a program's trace is written, but for the answer
        steps += "" if parsed is None else f" = {parsed}"
        completion = {"direct": parsed, "in_context_direct": parsed, "recite": f"{source}\n{steps}"}.get(mode, steps)
        return {
            "answer_mode": mode,
            "group": group,
            "program": name,
            "input": text,
            "held_out": True,
            "prompt": f"Consider the function {name}. {ask} {text}.",
            "completion": completion or "I do not know",
            "expected": expected,
            "parsed": parsed,
            "outcome": "correct" if correct else "unparsed" if parsed is None else "wrong",
        }

    return answer


def _recall(name: str, source: str, group: str, correct: bool) -> dict:
    said = source if correct else f"def {name}(x):\n    return 0"
    return {
        "answer_mode": "recall",
        "group": group,
        "program": name,
        "input": "",
        "held_out": True,
        "prompt": f"Write the code of the function {name}.",
        "completion": said,
        "expected": source,
        "parsed": said,
        "outcome": "correct" if correct else "wrong",
    }


def words(figure: Figure) -> str:
    """All that is written in a picture."""
    texts = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return " ".join(" ".join(texts).split())


# ------------------------------------------------------------------------------- ciphers, composites, grammars
COMMON, RARE = ["1", "3", "5"], ["0", "2", "4", "6", "7", "8", "9"]  # shifts, in an alphabet of ten letters
BY_SHIFT = {
    "proactive": (0.8, 0.8),
    "distillation": (0.9, 0.2),
    "distillation_values": (0.9, 0.3),
    "distillation_after_stage_1": (0.7, 0.1),
    "pbb_and_distillation": (0.95, 0.85),
    "stage_1_only": (0.1, 0.1),
}
VALID = {"random_generation": 0.1, "stage_1_only": 0.2, "proactive": 0.7, "in_context": 0.95}
KINDS = ("composition", "composition with a builtin")
TOGETHER, ALONE = 0.85, 0.1  # accuracy of composites whose parts are both right alone, and of others


def answers(arm: str, share: float, name: str, seeds: int, programs: int) -> pd.DataFrame:
    """CoT and direct answers on w/o IO programs at the end of `arm`, `share` of them right; `name` tells runs apart."""
    rows = synthetic_records(
        (arm,), seeds=seeds, programs=programs, planted={arm: (share, share)}, checkpoints=(1.0,), chance=share
    )
    rows = rows[(rows["group"] == "w/o IO") & ~rows["answer_mode"].isin(["recall", "recite"])]
    return rows.assign(experiment=rows["experiment"].str[:6] + f"{hash_of(name):06}")


def hash_of(name: str) -> int:
    return sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 10**6


def cipher_records(seeds: int = 1, programs: int = 20, by_shift: dict[str, tuple[float, float]] = BY_SHIFT):
    made = []
    for arm, shares in by_shift.items():
        like = "stage_1_only" if ARMS[arm].from_nothing or arm == "stage_1_only" else "proactive"
        for share, shifts in zip(shares, (COMMON, RARE), strict=True):
            rows = answers(like, share, arm, seeds, programs)
            rows = rows[rows["answer_mode"].isin(ARMS[arm].asked or ("cot", "direct"))]
            made.append(rows[rows["input"].isin(shifts)].assign(curriculum=arm))
    rows = pd.concat(made, ignore_index=True)
    group = np.where(rows["curriculum"].map(lambda arm: ARMS[arm].measured == "AD"), "AD", "w/o IO")
    return validate(rows.assign(domain="ciphers", input="'AB', " + rows["input"], group=group))


def grammar_records(seeds: int = 1, programs: int = 20, valid: dict[str, float] = VALID) -> pd.DataFrame:
    made = []
    for arm, share in valid.items():
        like = "untuned" if arm == "random_generation" else arm
        rows = answers(like, share, arm, seeds, programs).assign(curriculum=arm)
        made.append(rows[(arm != "random_generation") | (rows["answer_mode"] == "direct")])
    return validate(pd.concat(made, ignore_index=True).assign(domain="grammars"))


def composition_records(seeds: int = 1, programs: int = 14, together: float = TOGETHER) -> pd.DataFrame:
    """Two kinds of composites, their parts, and which of these are recited: after Proactive every other one.

    Composites of each part with the next one succeed mostly where both parts do; those with a builtin where the part
    does. In context all are right.
    """
    made = []
    for kind, arm in itertools.product(KINDS, ("proactive", "stage_1_only")):
        parts = answers(arm, 0.75 if arm == "proactive" else 0.15, f"{kind} {arm}", seeds, programs)
        parts = parts.assign(group="w/o IO parts", domain=kind)
        whole = pd.DataFrame(composites(parts, together, "builtin" in kind))
        recall = parts[parts["progress"] == 1].drop_duplicates(["seed", "program"]).sort_values("program")
        recited = recall.groupby("seed").cumcount() % 2 == (0 if arm == "proactive" else 2)
        recall = recall.assign(answer_mode="recall", outcome=recited.map({True: "correct", False: "wrong"}))
        made += [parts, whole, recall.assign(input="", parsed=recall["expected"].where(recited, "?"))]
        if arm == "stage_1_only":
            ceiling = whole.assign(curriculum="in_context", outcome="correct", parsed=whole["expected"])
            ceiling["answer_mode"] = "in_context_" + ceiling["answer_mode"]
            made.append(ceiling.assign(experiment=ceiling["experiment"].str[::-1], stage=0, step=0, progress=0.0))
    return validate(pd.concat(made, ignore_index=True))


def composites(parts: pd.DataFrame, together: float, builtin: bool = False) -> list[dict]:
    rng, made = random.Random("composites"), []
    for _, rows in parts[parts["progress"] == 1].groupby(["seed", "answer_mode"]):
        by_input = {(row["program"], row["input"]): row for row in rows.to_dict("records")}
        names = sorted({name for name, _ in by_input})
        for (name, text), inner in by_input.items():
            outer = by_input[names[names.index(name) - 1], inner["expected"]]
            both = inner["outcome"] == "correct" and (builtin or outer["outcome"] == "correct")
            right = rng.random() < (together if both else ALONE)
            truth = str(min(int(inner["expected"]), 4)) if builtin else outer["expected"]
            said = truth if right else str((int(truth) + 1) % 10)
            call = f"min({name}(x), 4)" if builtin else f"{outer['program']}({name}(x))"
            made.append(
                inner
                | {"group": "w/o IO", "program": f"{outer['program']}of{name.lower()}", "expected": truth}
                | {"prompt": f"Consider the function {call}: what is the output for {text}?", "completion": said}
                | {"parsed": said, "outcome": "correct" if right else "wrong"}
            )
    return made
