"""What holds in every domain: texts agree, equal seeds give equal data, nothing leaks, guessing does not pay."""

from __future__ import annotations

import ast
import itertools
import os
import random
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import cipher_reader, composition_reader, grammar_reader, interpreter, reading_agrees

from pbb import arms
from pbb.experiments.base_data import BaseMixture, _document, base_programs
from pbb.experiments.curricula import curriculum
from pbb.experiments.documents import (
    ANSWER_MODES,
    DISTILLED,
    REPRESENTATIONS,
    VALUES,
    WITH_IO,
    WITHOUT_IO,
    answer,
    declaration,
    declarative_prompt,
    execution_document,
    parse_answer,
    question,
)
from pbb.experiments.experiment import Experiment
from pbb.experiments.groups import groups
from pbb.experiments.leakage import LeakageError, guarded
from pbb.programs import (
    DOMAINS,
    Algorithms,
    Arithmetic,
    Ciphers,
    Composition,
    Grammars,
    Program,
    Sums,
    generate,
)
from pbb.programs.ciphers import NATURAL_WEIGHTS
from pbb.programs.composition import KINDS
from pbb.programs.domains import Own, accepts, base_may_have_seen, normal_form
from pbb.programs.grammars import obeys
from pbb.programs.names import BASE_NAMES, EXPERIMENT_NAMES
from pbb.programs.program import belongs_to_base, on_inputs
from pbb.programs.settings import ExperimentError
from pbb.runs.keys import stage_keys
from pbb.streams import stream

# The defaults of every domain that draws programs, and settings that use its other knobs.
VARIANTS: dict[str, tuple[Any, ...]] = {
    "arithmetic": (
        Arithmetic(),
        Arithmetic(statements=3, control=("if", "for", "while"), arguments=2, high=4),
        Arithmetic(statements=2, wrap=None, low=-5, high=5),
        Arithmetic(statements=5, operations=4, control=("while",), wrap=16, operators=("if", "abs", "*", "//")),
    ),
    "sums": (Sums(), Sums(largest=2000)),
    "algorithms": (
        Algorithms(),
        Algorithms(sizes=("medium", "long"), inputs=16),
        Algorithms(sizes=("short", "medium", "long")),
    ),
    "ciphers": (
        Ciphers(),
        Ciphers(alphabet=8, longest=6, case="upper"),
        Ciphers(distribution="natural", demonstrations=20),
        Ciphers(alphabet=10, case="digits", longest=3),
    ),
    "grammars": (Grammars(), Grammars(nonterminals=2, terminals=5, alternatives=4, longest=6, inputs=6)),
    "composition": (
        Composition(),
        Composition(parts=(Algorithms(), Ciphers(longest=2)), depth=3),
        Composition(composites="named"),
        Composition(taught_parts="w/o IO and a builtin", composites="named"),
    ),
}
DRAWN = tuple(VARIANTS)
SMALL: dict[str, Any] = {"with_io_programs": 8, "without_io_programs": 4, "asked": ("direct", "cot")}
any_settings = st.sampled_from([(name, knobs) for name, variants in VARIANTS.items() for knobs in variants])
every_domain = pytest.mark.parametrize("domain", DRAWN)


def test_every_domain_that_draws_programs_is_tested_here() -> None:
    assert set(DRAWN) == {name for name, domain in DOMAINS.items() if domain.generate}
    assert set(DOMAINS) - set(DRAWN) == {"own"}
    for name, variants in VARIANTS.items():
        settings_class = DOMAINS[name].settings
        assert settings_class is not None
        assert variants[0] == settings_class(), "the first variant is the default"


def by_plain_python(program: Program, text: str) -> str:
    """The output for `text`, by executing the source without any code of pbb."""
    names: dict[str, Any] = {}
    for source in [part["source"] for part in program.made_by.get("parts", ())] + [program.source]:
        exec(source, names)
    return repr(names[program.name](*ast.literal_eval(f"({text},)")))


@settings(max_examples=18, deadline=None, derandomize=True, database=None)
@given(any_settings, st.integers(0, 10**6))
def test_texts_of_a_program_agree_on_every_input(chosen: tuple[str, Any], seed: int) -> None:
    """Source, description, trace and stored output agree; the right answer alone is accepted; prompts tell none."""
    domain, knobs = chosen
    programs = generate(knobs, 4, seed)
    assert len({p.name for p in programs}) == len({normal_form(p) for p in programs}) == 4
    for program in programs:
        assert program.domain == domain
        assert program.name in EXPERIMENT_NAMES
        assert not base_may_have_seen(program)
        assert Program.from_json(program.to_json()) == program
        assert len(set(program.inputs)) == len(program.inputs) == len(program.executions)
        outputs = {execution.output for execution in program.executions}
        for text, execution in zip(program.inputs, program.executions, strict=True):
            if domain == "grammars":
                assert obeys(program.source, ast.literal_eval(execution.output))
            else:
                assert by_plain_python(program, text) == execution.output
                assert not accepts(program, text, (outputs - {execution.output}).pop())
            agrees = reading_agrees(program, text)
            assert agrees or (agrees is None and "algorithms" in str((domain, knobs)).lower()), program
            assert accepts(program, text, execution.output)
            assert not accepts(program, text, "'no such answer'")
            for mode in ANSWER_MODES:
                assert parse_answer(answer(program, text, mode), mode) == execution.output
        prompts = [declarative_prompt(program, template, form) for template in (0, 9, 19) for form in REPRESENTATIONS]
        for mode, style in itertools.product(ANSWER_MODES, DOMAINS[domain].ask):
            prompts += [question(program, text, 7, mode, style) for text in program.inputs]
        for prompt in prompts:
            assert (program.problem or program.name) in prompt
            assert program.source.splitlines()[1].strip() not in prompt
            assert program.description not in prompt
            assert "{" not in prompt


@pytest.mark.parametrize("domain", ["arithmetic", "ciphers", "grammars"])
def test_a_wrong_description_is_found_out(domain: str) -> None:
    """The comparison has teeth: another program's description is found out, and one whose first number is one off."""
    programs = generate(VARIANTS[domain][0], 30, "wrong")
    found, tried = Counter[str](), Counter[str]()
    for one, other in itertools.pairwise(programs):
        off = re.sub(r"\d+", lambda match: str(int(match[0]) + 1), one.description, count=1)
        for how, wrong in (("another's", other.description), ("one off", off)):
            if wrong != one.description:
                lying = replace(one, description=wrong)
                tried[how] += 1
                found[how] += not all(reading_agrees(lying, text) for text in lying.inputs)
    assert found["another's"] > 0.9 * tried["another's"] > 20
    assert found["one off"] > 0.8 * tried["one off"] or domain == "grammars"


def test_readers_share_no_code_with_what_they_read() -> None:
    for reader in (interpreter, cipher_reader, grammar_reader, composition_reader):
        tree = ast.parse(Path(str(reader.__file__)).read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        imported = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        imported |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
        allowed = {"__future__", "collections", "functools", "lark", "re", "typing"}
        assert {name.partition(".")[0] for name in imported} <= allowed
        calls = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        assert not calls & {"eval", "exec", "__import__", "compile"}


@every_domain
def test_pointers_and_requests_are_complete(domain: str) -> None:
    entry = DOMAINS[domain]
    assert len(entry.pointers) == len(set(entry.pointers)) == 20
    assert all(text.count("{name}") + text.count("{problem}") == 1 for text in entry.pointers)
    assert all(text[-1] not in ".:!?" for text in entry.pointers)
    assert set(entry.ask) == set(DOMAINS["arithmetic"].ask)
    assert all(set(texts) == set(ANSWER_MODES) for texts in entry.ask.values())
    assert all(text.count("{input}") == 1 for texts in entry.ask.values() for text in texts.values())
    assert set(entry.declare) == set(REPRESENTATIONS)
    assert all(len(set(requests)) == len(requests) > 0 for requests in entry.declare.values())


@every_domain
def test_equal_seeds_give_equal_programs_and_neighbours_share_no_stream(domain: str) -> None:
    knobs = VARIANTS[domain][0]
    first, more, other = (generate(knobs, count, seed) for count, seed in ((20, 5), (40, 5), (20, 6)))
    assert [p.name for p in first] == [p.name for p in more[:20]] or domain == "composition"
    same = [[(normal_form(p), p.inputs) for p in programs] for programs in (first, more[:20])]
    assert same[0] == same[1] or domain == "composition", "more programs begin with the same ones"
    triples = [
        {tuple(forms[i : i + 3]) for i in range(18)}
        for forms in (list(map(normal_form, first)), list(map(normal_form, other)))
    ]
    assert not triples[0] & triples[1], "one seed's programs are the other's, moved along"
    assert len({p.name for p in first} & {p.name for p in other}) <= 3  # of 6,800 names


FRESH = """
import hashlib
from pbb.programs import DOMAINS, generate
for name, domain in DOMAINS.items():
    if domain.generate:
        text = "".join(program.to_json() for program in generate(domain.settings(), 4, 7, "fresh"))
        print(name, hashlib.sha256(text.encode()).hexdigest())
"""


def test_equal_keys_give_equal_programs_in_any_process(capsys: pytest.CaptureFixture[str]) -> None:
    exec(FRESH, {})
    here = capsys.readouterr().out
    assert here.count("\n") == len(DRAWN)
    for hash_seed in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        output = subprocess.run([sys.executable, "-c", FRESH], env=environment, capture_output=True, check=True).stdout
        assert output.decode() == here


@every_domain
def test_pools_share_nothing_and_programs_can_be_left_out(domain: str) -> None:
    knobs = VARIANTS[domain][0]
    base, first = (generate(knobs, 20, "tests", pool=pool) for pool in ("base", "experiment"))
    assert {p.name for p in base} <= set(BASE_NAMES)
    assert all(belongs_to_base(normal_form(p)) for p in base)
    assert not any(belongs_to_base(normal_form(p)) for p in first)
    taken = frozenset(map(normal_form, first))
    assert not taken & set(map(normal_form, generate(knobs, 20, "tests", without=taken)))
    assert generate(knobs, 0, "tests") == []
    with pytest.raises(ValueError, match="pool='bse' is not valid; valid: 'experiment', 'base'"):
        generate(knobs, 1, 0, pool="bse")


@every_domain
def test_a_constant_guess_is_seldom_right(domain: str) -> None:
    """Under 19 % with the default knobs, whatever one says: arithmetic has ten different answers, small ones often."""
    programs = generate(VARIANTS[domain][0], 100 if domain in ("arithmetic", "composition") else 40, 0)
    asked = [(p, text) for p in programs for text in p.inputs]
    for output, _ in Counter(p.execution(text).output for p, text in asked).most_common(3):
        assert sum(accepts(p, text, output) for p, text in asked) < 0.19 * len(asked)


# -------------------------------------------------------------------------------------------- base models


def test_base_documents_of_any_domain_give_all_that_one_needs() -> None:
    shares = tuple((0.2, variants[0]) for variants in VARIANTS.values())
    rng = stream("tests", "base documents")
    for program in base_programs(60, "tests", "documents", shares=shares):
        document = _document(rng, program, BaseMixture())
        given, _, request = document.prompt.rpartition("\n")
        needed = [program, *program.made_by.get("parts", ())]
        texts = [
            (p.source, p.description) if isinstance(p, Program) else (p["source"], p["description"]) for p in needed
        ]
        assert all(source in given or description in given for source, description in texts)
        assert (program.problem or program.name) in request
        if document.answer_mode:
            assert accepts(program, document.input, parse_answer(document.completion, document.answer_mode) or "")


# ------------------------------------------------------------------------------------------------ curricula
QUIET = {f"{budget}_general": 0.0 for budget in ("stage_1", "stage_2", "exposure", "execution")}
ARMS = ("stage_1_only", "stage_2_only", "no_demonstrations", "homogeneous", "proactive", "retroactive", "skip_exposure")
COMBINED = tuple(arm for arm, row in arms.ARMS.items() if row.measured == "AD")


@pytest.mark.parametrize("number", range(30))
def test_nothing_leaks_in_any_domain(number: int) -> None:
    rng = random.Random(f"leak {number}")
    domain = DRAWN[number % len(DRAWN)]
    arm = rng.choice(ARMS + COMBINED)
    changes, programs = dict[str, Any](), DOMAINS[domain].settings()
    if domain == "grammars" and arm == "distillation_values":
        with pytest.raises(ExperimentError, match=r"arm='distillation_values' is not valid; .* domain='grammars'"):
            Experiment.of("cpu", programs=programs, arm=arm)
        return
    if domain == "arithmetic":
        programs = Arithmetic(statements=rng.choice([1, 2, 3]))
    if domain == "composition":
        both = arm in ("pbb_and_distillation", "distillation_after_stage_1")
        taught = "w/ IO" if both else rng.choice(list(KINDS))
        parts = rng.choice([(Arithmetic(),), (Arithmetic(), Algorithms()), (Ciphers(),)])
        if taught == "w/o IO and a builtin":
            parts = (Arithmetic(),)  # the length of a cipher's text says nothing
        programs = Composition(parts=parts, taught_parts=taught, with_io_composites=2)
        changes = {"with_io_programs": 20}  # parts of two domains seldom fit each other
    if domain == "ciphers":
        programs = Ciphers(distilled_distribution="natural")
        changes = {"distilled_demonstrations": rng.choice([0, 20])}
    experiment = Experiment.of(
        "cpu",
        programs=programs,
        arm=arm,
        seed=rng.randrange(10**6),
        representation=rng.choice(["code", "description"]),
        demonstrations=rng.randint(2, 6),
        templates=rng.randint(1, 20),
        trained_modes=rng.choice([("direct",), ("cot",), ("cot", "direct")]),
        **QUIET,
        replay=rng.choice([0.0, 0.3]),
        **(SMALL | changes),
    )
    found = groups(experiment)
    named = {p.name: (group, p) for group in found for p in group.programs}
    assert len(named) == sum(len(group.programs) for group in found)
    forms = [normal_form(p) for _, p in named.values()]
    assert len(set(forms)) == len(forms), "two programs, or two groups, share what they do"
    assert not any(base_may_have_seen(p) for _, p in named.values())
    kinds = Counter[str]()
    for stage in curriculum(experiment):
        for document in itertools.islice(stage.documents(), 60):
            group, program = named[document.program]
            kinds[document.kind] += 1
            if document.kind == "declarative":
                assert document.completion == declaration(program, experiment.documents.representation)
                assert group.name != DISTILLED or arm == "pbb_and_distillation"
            else:
                assert group.name in (WITH_IO, DISTILLED)
                assert document.input in group.shown[program.name]
                assert document.input not in group.held_out(program)
                form = VALUES if arm == "distillation_values" else experiment.documents.representation
                assert document.completion == answer(program, document.input, document.answer_mode, form)
    assert kinds


@every_domain
def test_a_held_out_input_is_not_trained_on(domain: str) -> None:
    experiment = Experiment.of("cpu", programs=DOMAINS[domain].settings(), **SMALL)
    with_io = groups(experiment)[0]
    program = with_io.programs[0]
    shown = execution_document(program, WITH_IO, 0, with_io.shown[program.name][0], "direct")
    assert list(guarded(iter([shown]), groups(experiment))) == [shown]
    held_out = execution_document(program, WITH_IO, 0, with_io.held_out(program)[0], "direct")
    with pytest.raises(LeakageError, match="is held out"):
        list(guarded(iter([held_out]), groups(experiment)))


def test_every_arm_is_asked_the_same_about_ciphers_whatever_was_demonstrated() -> None:
    """Demonstrations are skewed as text is; questions come from all shifts, and none was demonstrated."""
    from pbb.experiments.questions import questions

    base = Experiment.of("cpu", programs=Ciphers(), distilled_demonstrations=40, **SMALL)
    asked = {}
    for arm, shifts in itertools.product(("proactive", "distillation", "pbb_and_distillation"), ("uniform", "natural")):
        experiment = base.changed(arm=arm, distilled_distribution=shifts)
        measured = next(g for g in groups(experiment) if g.name in (WITHOUT_IO, DISTILLED))
        for program in measured.programs:
            pool = measured.held_out(program)
            assert [ast.literal_eval(text)[1] for text in pool] == list(range(26))
            assert not set(pool) & set(measured.shown.get(program.name, ()))
        asked[arm, shifts] = {(q.prompt, q.expected) for q in questions(experiment, ("direct",)) if q.group != WITH_IO}
        if arm != "proactive":
            drawn = Counter(ast.literal_eval(text)[1] for texts in measured.shown.values() for text in texts)
            assert drawn.total() == 4 * 40
            often = sum(drawn[shift] for shift in NATURAL_WEIGHTS) / drawn.total()
            assert (often > 0.75) == (shifts == "natural")
    assert len(set(map(frozenset, asked.values()))) == 1


def test_pbb_and_distillation_is_proactive_and_then_both() -> None:
    base = Experiment.of("cpu", programs=Ciphers(distilled_distribution="natural"), stage_2_general=0.0, **SMALL)
    both, alone = base.changed(arm="pbb_and_distillation"), base.changed(arm="proactive")
    assert stage_keys(both)[0] == stage_keys(alone)[0], "Stage 1 is trained once"
    assert stage_keys(both)[1] != stage_keys(alone)[1]
    for ratio in (0.2, 0.5):
        _, two = curriculum(both.changed(distillation_ratio=ratio))
        drawn = Counter((d.group, d.kind) for d in itertools.islice(two.documents(), 400))
        assert set(drawn) == {(DISTILLED, "declarative"), (DISTILLED, "execution")}
        assert drawn[DISTILLED, "execution"] / 400 == pytest.approx(ratio, abs=0.08)
        assert {d.answer_mode for d in itertools.islice(two.documents(), 400)} == {"", "direct"}, "outputs alone"
    with pytest.raises(ExperimentError, match=r"distillation_ratio=0\.9 is not valid; valid: at most 0\.85"):
        Experiment.of("cpu", arm="pbb_and_distillation", distillation_ratio=0.9)


# ------------------------------------------------------------------------------------------- one's own programs
OWN = "def Mine(x):\n    return (x * 7 + 3) % 11"


@pytest.fixture(scope="module")
def mine() -> Program:
    return Program.from_function(OWN, description="Mine of x: take x, multiply by 7, add 3, modulo 11, return it.")


@pytest.mark.parametrize("arm", ["proactive", "homogeneous", "retroactive", "distillation", "pbb_and_distillation"])
def test_ones_own_program_is_taught_beside_the_drawn_ones(mine: Program, arm: str) -> None:
    experiment = Experiment.of("cpu", arm=arm, own_programs=(mine.to_json(),), **SMALL, **QUIET)
    *_, measured = groups(experiment)
    without = groups(experiment.changed(own_programs=()))[-1]
    assert measured.programs == (*without.programs, mine)
    stages = [list(itertools.islice(stage.documents(), 200)) for stage in curriculum(experiment)]
    ours = [d for stage in stages for d in stage if d.program == "Mine"]
    assert {d.kind for d in ours} == {
        "distillation": {"execution"},
        "pbb_and_distillation": {"declarative", "execution"},
    }.get(arm, {"declarative"})


def test_no_drawn_program_is_ones_own_under_another_name() -> None:
    drawn = groups(Experiment.of("cpu", with_io_programs=30, without_io_programs=4))[0].programs
    copy = drawn[7].renamed("Mine")
    experiment = Experiment.of("cpu", with_io_programs=30, without_io_programs=4, own_programs=(copy.to_json(),))
    others = [p for group in groups(experiment) for p in group.programs if p.name != "Mine"]
    assert len(others) == 34
    assert normal_form(copy) not in {normal_form(p) for p in others}


def test_a_set_of_own_programs_is_a_domain(mine: Program) -> None:
    drawn = generate(Arithmetic(), 11, "own")
    given = [mine, *(Program(**{**p.__dict__, "domain": "own"}) for p in drawn)]
    experiment = Experiment.of("cpu", programs=Own(), own_programs=tuple(p.to_json() for p in given), **SMALL)
    with_io, without_io = groups(experiment)
    assert (len(with_io.programs), len(without_io.programs)) == (8, 4)
    assert groups(experiment.changed(seed=1))[1] != without_io
    with pytest.raises(ExperimentError, match=r"own_programs holds 12 programs; valid: 14 or more"):
        experiment.changed(with_io_programs=10)


def test_own_programs_that_cannot_be_taught_are_refused(mine: Program) -> None:
    def refused(*programs: Program, **changes: Any) -> str:
        with pytest.raises(ExperimentError) as caught:
            groups(Experiment.of("cpu", own_programs=tuple(p.to_json() for p in programs), **SMALL, **changes))
        return str(caught.value)

    assert "'Mine' is given twice" in refused(mine, mine)
    assert "'Yours' does the same as 'Mine'" in refused(mine, mine.renamed("Yours"))
    assert "base models know it" in refused(mine.renamed(BASE_NAMES[0]))
    taken = groups(Experiment.of("cpu", **SMALL))[0].programs[0].name
    assert f"{taken!r} is taken by another program" in refused(mine.renamed(taken))
    silent = Program(**{**mine.__dict__, "description": ""})
    assert "has no description" in refused(silent, representation="description")
    (short,) = on_inputs([mine], [["1", "2", "3"]])
    assert "demonstrations=7 is not valid for Mine; valid: at most 2" in refused(short, arm="distillation")
