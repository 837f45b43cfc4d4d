"""Reads the source of a reader's own function, without running it, and says what is wrong with it.

A program here is one plain function: it depends on nothing outside itself, keeps nothing between calls and returns
one value. What can be seen from the source alone is checked here; `pbb.programs.own` runs it and checks the rest.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import keyword
import re
import symtable
import textwrap
from dataclasses import dataclass

from pbb.programs.names import BASE_NAMES
from pbb.programs.tracing_worker import BUILTINS

MAX_SOURCE = 10_000  # characters
MAX_NAME = 40
MAX_DEPTH = 100  # of expressions and blocks in one another; an elif is one more
_PLAIN = "one plain function, def name(x): ..., or its source as text"
_EXAMPLES = re.compile(r"^\s*(>>>|(For )?[Ee]xamples?\b)|=>|==>|->", re.MULTILINE)

# All that a program may be made of: `BUILTINS`, syntax by its names in `ast`, and attributes by their names. Nothing
# leads from plain values to anything but plain values: the first wall (the second is `pbb.programs.execution`).
_SYNTAX = frozenset(
    """
    Module FunctionDef arguments arg Return Delete Assign AugAssign AnnAssign For While If Raise Try Assert Expr Pass
    Break Continue ExceptHandler Match match_case MatchValue MatchSingleton MatchSequence MatchMapping MatchStar MatchAs
    MatchOr BoolOp NamedExpr BinOp UnaryOp Lambda IfExp Dict Set ListComp SetComp DictComp GeneratorExp comprehension
    Compare Call keyword FormattedValue JoinedStr Constant Attribute Subscript Slice Starred Name List Tuple Load Store
    Del And Or Add Sub Mult Div Mod Pow LShift RShift BitOr BitXor BitAnd FloorDiv Invert Not UAdd USub Eq NotEq Lt LtE
    Gt GtE Is IsNot In NotIn
    """.split()  # noqa: SIM905
)
METHODS = frozenset(
    """
    capitalize casefold center count endswith expandtabs find index isalnum isalpha isascii isdecimal isdigit
    isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip maketrans partition
    removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip
    swapcase title translate upper zfill
    append clear copy extend insert pop remove reverse sort
    fromkeys get items keys popitem setdefault update values
    add difference difference_update discard intersection intersection_update isdisjoint issubset issuperset
    symmetric_difference symmetric_difference_update union
    bit_count bit_length is_integer
    """.split()  # noqa: SIM905
)
_REFUSED = dict.fromkeys(("Import", "ImportFrom"), ("imports a module", "no import; builtins and methods do much"))
_REFUSED |= dict.fromkeys(("Yield", "YieldFrom"), ("is a generator (yield)", "return one value, such as a list"))
_REFUSED |= dict.fromkeys(("AsyncFunctionDef", "Await", "AsyncFor", "AsyncWith"), ("is asynchronous", _PLAIN))
_REFUSED |= dict.fromkeys(("Global", "Nonlocal"), ("uses global state", "variables of the function's own"))
_REFUSED |= {
    "ClassDef": ("defines a class", _PLAIN),
    "MatchClass": ("takes objects apart (case)", "isinstance(x, int)"),
}


class OwnProgramError(ValueError):
    """A program that cannot be taught; the message says what is wrong with it and what would be valid."""

    def __init__(self, name: str, wrong: str, valid: str) -> None:
        wrong = wrong if len(wrong) < 500 else f"{wrong[:500]}…"  # it may quote what somebody else wrote
        super().__init__(f"{f'program {name[:MAX_NAME]!r}' if name else 'the program'} {wrong}; valid: {valid}")


@dataclass(frozen=True)
class OwnSource:
    """One checked function. `text` is its source without comments, docstring and annotations, as Python lays it out.

    `docstring` is what that says before its first example, which would show answers; `least` how many arguments a call
    needs.
    """

    name: str
    text: str
    docstring: str
    parameters: tuple[str, ...]
    least: int


class _Strip(ast.NodeTransformer):
    """Leaves out annotations, and calls the function by its new name."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.Assign([node.target], node.value, lineno=node.lineno) if node.value else ast.Pass()

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.new if node.id == self.old else node.id
        return node


def source_text(program: object) -> str:
    """Return the source of a Python function, or `program` itself if it is text.

    Raises:
        OwnProgramError: it is not a function, or none whose source can be read.
    """
    if isinstance(program, str):
        return textwrap.dedent(program).strip()
    name = getattr(program, "__name__", "")
    if hasattr(program, "__wrapped__"):
        raise OwnProgramError(name, "has a decorator", "the function without it")
    if inspect.isclass(program):
        raise OwnProgramError(name, "is a class, not a function", _PLAIN)
    if inspect.ismethod(program):
        raise OwnProgramError(name, "is a method, which needs its object", _PLAIN)
    if not inspect.isfunction(program):
        if inspect.isroutine(program):
            raise OwnProgramError(name, "is built in and has no Python source", _PLAIN)
        raise OwnProgramError("", f"is not a function but of type {type(program).__name__}", _PLAIN)
    if name == "<lambda>":
        raise OwnProgramError("", "is a lambda, which has no name", _PLAIN)
    if outside := [free for free in program.__code__.co_freevars if free != name]:
        raise OwnProgramError(name, f"uses {outside[0]!r} of the function around it", "pass it as an argument")
    try:
        return textwrap.dedent(inspect.getsource(program)).strip()
    except (OSError, TypeError, ValueError, SyntaxError):  # typed at a prompt, or made by exec
        raise OwnProgramError(name, "has no source that can be read", "its source as text, in quotes") from None


def check_source(text: str, name: str | None, taught: frozenset[str]) -> OwnSource:
    """Return the one function of `text`, called `name` if that is given.

    Raises:
        OwnProgramError: the source is not one plain function, or its name is not free.
    """
    try:
        return _checked(text, name, taught)
    except (RecursionError, MemoryError):
        raise OwnProgramError("", "is nested too deeply to be read", _PLAIN) from None


def _checked(text: str, name: str | None, taught: frozenset[str]) -> OwnSource:
    function = _one_function(text)
    old, new = function.name, function.name if name is None else name
    _check_name(new, taught)
    _check_signature(function)
    nodes = list(ast.walk(function))
    variables = {node.arg for node in nodes if isinstance(node, ast.arg)}
    variables |= {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    if {old, new} & variables:
        raise OwnProgramError(new, "is called like one of its own variables", "a name that none of them has")
    if not any(isinstance(node, ast.Return) and node.value for node in nodes):
        raise OwnProgramError(new, "returns no value", "end it in return <value>")
    docstring = ast.get_docstring(function)
    if docstring is not None:
        del function.body[0]
    function.name, function.returns = new, None
    _Strip(old, new).visit(function)
    try:
        text = ast.unparse(ast.fix_missing_locations(function))
    except ValueError:  # quotes in quotes, which Python can read and not write
        raise OwnProgramError(new, "has a text in braces that Python cannot write down", "simpler f-strings") from None
    _check_words(new, text)
    arguments = function.args.posonlyargs + function.args.args
    return OwnSource(
        name=new,
        text=text,
        docstring=_without_examples(docstring or "", old),
        parameters=tuple(argument.arg for argument in arguments),
        least=len(arguments) - len(function.args.defaults),
    )


def says_none(source: str) -> bool:
    """Whether a function returns None in so many words."""
    returned = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Return) and node.value]
    return any(isinstance(n, ast.Constant) and n.value is None for value in returned for n in ast.walk(value))


def _parse(text: str) -> ast.Module:
    if not 0 < len(text) <= MAX_SOURCE:
        raise OwnProgramError("", f"has a source of {len(text)} characters", f"1 to {MAX_SOURCE} characters")
    try:
        symtable.symtable(text, "<own program>", "exec")
        return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        where = f"{error.msg} (line {error.lineno})" if isinstance(error, SyntaxError) else error
        raise OwnProgramError("", f"is not Python: {where}", _PLAIN) from None


def _one_function(text: str) -> ast.FunctionDef:
    tree = _parse(text)
    functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    name = functions[0].name if functions else ""
    _check_syntax(name, tree)
    if not functions:
        lambdas = any(isinstance(node, ast.Lambda) for node in ast.walk(tree))
        raise OwnProgramError("", "is a lambda" if lambdas else "defines no function", _PLAIN)
    if len(functions) > 1:
        names = ", ".join(function.name for function in functions)
        raise OwnProgramError("", f"has {len(functions)} functions ({names})", "one function, that needs no other")
    (function,) = functions
    if outside := [statement for statement in tree.body if statement is not function]:
        line = ast.unparse(outside[0]).splitlines()[0]
        raise OwnProgramError(name, f"has {line!r} outside the function", "move it into the function")
    assert isinstance(function, ast.FunctionDef)  # `_check_syntax` refuses the other kind
    return function


def _check_name(name: object, taught: frozenset[str]) -> None:
    valid = f"a Python name of at most {MAX_NAME} plain letters, digits and _, such as Blorp; give it as name='...'"
    if not isinstance(name, str):
        raise OwnProgramError("", f"has name={name!r}", valid)
    if not (name.isidentifier() and name.isascii()) or len(name) > MAX_NAME or name.startswith("_"):
        raise OwnProgramError(name, "has a name that is not valid", valid)
    if keyword.iskeyword(name) or hasattr(builtins, name):
        raise OwnProgramError(name, "is called like a part of Python", valid)
    if name in taught:
        raise OwnProgramError(name, "has a name that is already taught", "another name, name='...'")
    if name in BASE_NAMES:
        raise OwnProgramError(name, "has a name that base models were pretrained with", "another name, name='...'")


def _check_signature(function: ast.FunctionDef) -> None:
    name, arguments = function.name, function.args
    if function.decorator_list:
        raise OwnProgramError(name, "has a decorator", "the function without it")
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
        raise OwnProgramError(name, "takes *, ** or keyword arguments", "plain arguments, def name(x, y)")
    if not arguments.posonlyargs + arguments.args:
        raise OwnProgramError(name, "takes no argument, so that there is nothing to ask", "one argument or more")
    for default in arguments.defaults:
        if not isinstance(default.operand if isinstance(default, ast.UnaryOp) else default, ast.Constant):
            wrong = f"has the default value {ast.unparse(default)}, which may keep state between calls"
            raise OwnProgramError(name, wrong, "numbers, texts, True, False and None as defaults")


def _check_syntax(name: str, tree: ast.AST) -> None:
    found = [(tree, 0, 1)]
    for node, depth, line in found:  # which grows on the way
        line, kind = getattr(node, "lineno", line), type(node).__name__
        if kind not in _SYNTAX or getattr(node, "is_async", False):
            valid = "assignments, if, for, while, match, try, return and plain expressions"
            wrong, valid = _REFUSED.get(kind, (f"uses what Python calls {kind}", valid))
            raise OwnProgramError(name, f"{wrong} in line {line}", valid)
        if depth > MAX_DEPTH:
            raise OwnProgramError(name, f"is nested too deeply in line {line}", f"at most {MAX_DEPTH} levels")
        if isinstance(node, ast.Constant) and type(node.value) not in (int, float, str, bool, type(None)):
            raise OwnProgramError(
                name, f"uses {node.value!r:.40} in line {line}", "numbers, texts, True, False and None"
            )
        found += [(part, depth + 1, line) for part in ast.iter_child_nodes(node)]


def _check_words(name: str, text: str) -> None:
    """Check `text`, which is what will run: its syntax once more, and each of its names."""
    tree = _parse(text)
    if ast.unparse(tree) != text or unprintable(text):
        raise OwnProgramError(name, "is not read as it is written", "plain letters, and simpler texts in f-strings")
    _check_syntax(name, tree)
    tables, outside = [symtable.symtable(text, "<own program>", "exec")], set[str]()
    for table in tables:  # which grows on the way
        tables += table.get_children()
        if table.get_type() == "function":
            outside |= {s.get_name() for s in table.get_symbols() if s.is_global()}
    for unknown in sorted(outside - {name, *BUILTINS}):
        known = hasattr(builtins, unknown)
        wrong = f"the builtin {unknown!r}, which programs may not" if known else f"the name {unknown!r}"
        raise OwnProgramError(
            name, f"uses {wrong}{'' if known else ', which is defined nowhere in it'}", ", ".join(sorted(BUILTINS))
        )
    for node in ast.walk(tree):
        words = [] if isinstance(node, ast.Constant) else [w for w in vars(node).values() if isinstance(w, str)]
        if strange := [word for word in words if not word.isascii()]:
            raise OwnProgramError(name, f"uses the name {strange[0]!r}", "names of the letters a to z, digits and _")
        if private := [word for word in words if word.startswith("_") and word != "_"]:
            kind = "attribute" if isinstance(node, ast.Attribute) else "name"
            raise OwnProgramError(name, f"uses the private {kind} {private[0]!r}", "names without _ before them")
        if isinstance(node, ast.Attribute) and (node.attr not in METHODS or not isinstance(node.ctx, ast.Load)):
            valid = "methods of texts, lists, dicts, sets and numbers; f'{x}' in place of format"
            raise OwnProgramError(name, f"uses the attribute {node.attr!r} ({ast.unparse(node):.60})", valid)


def unprintable(text: str) -> str:
    """Return the first control character or lone surrogate of `text`, as Python writes it; empty if there is none."""
    return next((repr(letter) for letter in text if not letter.isprintable() and letter != "\n"), "")


def _without_examples(docstring: str, name: str) -> str:
    """Return the lines of `docstring` before the first that shows an example, as one line."""
    call = rf"\b{re.escape(name)}\(\s*[-\d'\"\[({{]"  # with a literal: name(n) may be part of a definition
    examples = [re.search(call, docstring), _EXAMPLES.search(docstring)]
    first = min((match.start() for match in examples if match), default=len(docstring))
    kept = docstring[:first] if first == len(docstring) else docstring[: docstring.rfind("\n", 0, first) + 1]
    return re.sub(r"\s*[,;(]?\s*\b(for )?examples?:$", "", " ".join(kept.split()), flags=re.IGNORECASE)
