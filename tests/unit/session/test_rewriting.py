"""Rewritten code behaves as written; only its calls pass the gate."""

from __future__ import annotations

import ast
import builtins
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from hookline_runner.compiled import compile_source
from hookline_runner.rewriting import AWAIT_GATE, CALL_GATE, DECORATOR_GATE, ENTER_GATE, rewrite

PROGRAMS = {
    "nested calls": "def main():\n    return max(abs(-3), len([f(g(1)), f(2)]))\ndef f(x):\n    return x\ndef g(x):\n    return x + 1\n",
    "method chains": "def main():\n    return 'a-b'.upper().split('-')[0].join(['x', 'y']).center(9, '*')\n",
    "star arguments": "def f(*a, k=0, **kw):\n    return a, k, kw\ndef main():\n    return f(*[1, 2], *(3,), k=4, **{'z': 5}, y=6)\n",
    "keyword named func": "def f(func, self=1, decision=2):\n    return func, self, decision\ndef main():\n    return f(func=3, self=4)\n",
    "comprehensions": "def f(x):\n    return x\ndef main():\n    return [f(i) for i in map(f, range(3)) if f(i)], {f(i): f(i) for i in (1, 2)}, set(f(i) for i in 'ab') == {'a', 'b'}\n",
    "generators": "def g(n):\n    got = yield n\n    yield from h(got)\ndef h(x):\n    yield x\n    return 1\ndef main():\n    it = g(1)\n    return [next(it), it.send(5), list(it)]\n",
    "lambdas and defaults": "def f(x=len('abc')):\n    return x\ndef main(y=[].copy()):\n    return f(), (lambda a, b=f(): a + b)(1), y\n",
    "zero argument super": "class A:\n    def __init__(self, x):\n        self.x = x\n    def who(self):\n        return 'A'\nclass B(A):\n    def __init__(self, x):\n        super().__init__(x + 1)\n    def who(self):\n        return 'B' + super().who() + __class__.__name__\ndef main():\n    return B(1).x, B(2).who()\n",
    "private names": "class A:\n    def __hidden(self):\n        return 1\n    def open(self):\n        return self.__hidden()\ndef main():\n    return A().open()\n",
    "class in function": "def deco(c):\n    c.extra = 1\n    return c\ndef main():\n    @deco\n    class C(dict, metaclass=type):\n        x = len('ab')\n        def m(self):\n            return self.x\n    return C().m(), C.extra, C.__qualname__, C.__module__ == __name__\n",
    "decorators in order": "log = []\ndef d(n):\n    log.append(('made', n))\n    def apply(f):\n        log.append(('applied', n))\n        return f\n    return apply\ndef main():\n    @d(1)\n    @d(2)\n    def f():\n        return 3\n    return f(), log\n",
    "properties": "class C:\n    @property\n    def p(self):\n        return self._p\n    @p.setter\n    def p(self, v):\n        self._p = v\n    @staticmethod\n    def s(x):\n        return x\n    @classmethod\n    def c(cls):\n        return cls.__name__\ndef main():\n    o = C()\n    o.p = 4\n    return o.p, C.s(1), o.c()\n",
    "locals and globals": "y = 1\ndef main():\n    a = 2\n    b = sorted(locals())\n    return b, globals()['y'], eval('a + y'), 'main' in vars(__import__(__name__)) if False else True\n",
    "exec": "def main():\n    space = {}\n    exec('z = 5', space)\n    return space['z']\n",
    "formatted strings": "def f(x):\n    return x\ndef main():\n    w = 5\n    return f'{f(1)!r:>{f(w)}} {f(\"a\").upper()}'\n",
    "walrus": "def f(x):\n    return x\ndef main():\n    return [y := f(3), y * 2, (z := f(4)) + z]\n",
    "match": "class P:\n    __match_args__ = ('x', 'y')\n    def __init__(self, x, y):\n        self.x, self.y = x, y\ndef main():\n    out = []\n    for v in (P(1, 2), [1, 2, 3], {'k': 'v', 'r': 1}, 'str', 5):\n        match v:\n            case P(1, y=b): out.append(('P', b))\n            case [a, *rest]: out.append((a, rest))\n            case {'k': k, **more}: out.append((k, more))\n            case str() as s: out.append(s)\n            case n if abs(n) > 3: out.append(n)\n    return out\n",
    "shadowed builtin": "def len(x):\n    return 99\ndef main():\n    return len([1]), max(1, 2)\n",
    "shadowed locally": "def main():\n    sum = lambda x: 'mine'\n    return sum([1]), (lambda print: print(2))(abs)\n",
    "exceptions": "def f():\n    raise KeyError('x')\ndef main():\n    try:\n        f()\n    except KeyError as e:\n        return repr(e)\n    finally:\n        str(1)\n",
    "with": "class M:\n    def __enter__(self):\n        return self\n    def __exit__(self, *a):\n        return True\n    def make(self):\n        return self\ndef main():\n    with M().make() as m, M():\n        raise ValueError(m)\n    return 'out'\n",
    "nonlocal and closures": "def main():\n    n = 0\n    def inc(k=1):\n        nonlocal n\n        n += k\n        return n\n    return inc(), inc(2), n\n",
    "annotations stay text": "from __future__ import annotations\ndef make(x):\n    return x\ndef main():\n    def f(a: make(1), *, b: make('x') = 3) -> make(2):\n        c: make(4) = make(5)\n        return c\n    class C:\n        z: make(6) = make(7)\n    return f.__annotations__, C.__annotations__, f(0), C.z\n",
    "annotations evaluated": "def make(x):\n    return x\ndef main():\n    def f(a: make(1)) -> make(2):\n        pass\n    return f.__annotations__\n",
    "async": "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x\nasync def agen():\n    for i in range(3):\n        yield await f(i)\nclass CM:\n    async def __aenter__(self):\n        return await f('in')\n    async def __aexit__(self, *a):\n        await f(0)\nasync def go():\n    out = [await f(await f(1))]\n    out += [await f(x) async for x in agen() if await f(True)]\n    async with CM() as c:\n        out.append(c)\n    async for v in agen():\n        out.append(v)\n    out += await asyncio.gather(f(1), f(2))\n    coro = f(9)\n    out.append(await coro)\n    return out\ndef main():\n    return asyncio.run(go())\n",
    "recursion": "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\ndef main():\n    return fib(12)\n",
    "attribute targets": "class O:\n    pass\ndef get(o):\n    return o\ndef main():\n    o = O()\n    get(o).a = [1, 2]\n    get(o).a[get(0)] += get(5)\n    del get(o).a[1]\n    for get(o).b in range(3):\n        pass\n    return o.a, o.b\n",
    "wrong arguments": "def f(a):\n    return a\ndef main():\n    try:\n        f()\n    except TypeError as e:\n        return str(e)\n",
    "not callable": "def main():\n    try:\n        (5)()\n    except TypeError as e:\n        return str(e)\n",
    "dataclass and enum": "import dataclasses, enum\n@dataclasses.dataclass(frozen=True)\nclass D:\n    x: int = dataclasses.field(default_factory=lambda: int('3'))\nclass E(enum.Enum):\n    A = enum.auto()\n    B = str(2)\ndef main():\n    return D().x, E('2').name, [e.name for e in E], dataclasses.replace(D(), x=4).x\n",
}  # fmt: skip


@pytest.fixture(autouse=True)
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A gate that lets everything pass, and counts."""
    passed: list[Any] = []

    def call(func: Any, /, *args: Any, **kwargs: Any) -> Any:
        passed.append(func)
        return func(*args, **kwargs)

    monkeypatch.setattr(builtins, CALL_GATE, call, raising=False)
    monkeypatch.setattr(builtins, AWAIT_GATE, call, raising=False)
    monkeypatch.setattr(
        builtins, DECORATOR_GATE, lambda d: lambda target: call(d, target), raising=False
    )
    monkeypatch.setattr(builtins, ENTER_GATE, lambda manager: manager, raising=False)
    return passed


def run(source: str, *, rewritten: bool) -> Any:
    code = compile_source(source.encode(), "main.py", rewritten=rewritten)
    space: dict[str, Any] = {"__name__": "program", "__builtins__": builtins}
    exec(code, space)  # noqa: S102 - that is what is tested
    return space["main"]()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_the_same_rewritten(name: str):
    plain = run(PROGRAMS[name], rewritten=False)

    assert run(PROGRAMS[name], rewritten=True) == plain


def calls_in(statement: str) -> list[str]:
    tree = compile_tree(f"def main():\n    {statement}\n")
    return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def compile_tree(source: str) -> ast.Module:
    return rewrite(ast.parse(source))


@pytest.mark.parametrize(
    ("written", "rewritten"),
    [
        ("a(b(1))", "__hookline_call__(a, __hookline_call__(b, 1))"),
        ("print(a(1))", "print(__hookline_call__(a, 1))"),
        (
            "x.y(b(1)).z(2)",
            "__hookline_call__(__hookline_call__(x.y, __hookline_call__(b, 1)).z, 2)",
        ),
        ("super().f(1)", "__hookline_call__(super().f, 1)"),
        ("a(*b, **c)", "__hookline_call__(a, *b, **c)"),
        ("x: a(1) = b(2)", "x: a(1) = __hookline_call__(b, 2)"),
    ],
)
def test_calls_are_rewritten(written: str, rewritten: str):
    tree = compile_tree(f"def main():\n    {written}\n")

    assert ast.unparse(tree).splitlines()[1].strip() == rewritten


def test_awaited_calls_are_told_apart():
    tree = compile_tree("async def main():\n    await a(b(1))\n    await c\n")

    assert ast.unparse(tree).splitlines()[1:] == [
        "    await __hookline_await__(a, __hookline_call__(b, 1))",
        "    await c",
    ]


def test_module_level_statements_stay_as_written():
    source = "x = f(1)\ny = [g(i) for i in h()]\nz = lambda: k()"

    assert ast.unparse(compile_tree(source)) == source


def test_a_star_import_makes_every_builtin_name_doubtful():
    tree = compile_tree("from x import *\ndef main():\n    len(1)\n")

    assert "__hookline_call__(len, 1)" in ast.unparse(tree)


def test_lines_of_a_multi_line_chain_are_those_of_the_plain_code():
    source = (
        "class O:\n    def a(self):\n        return self\n    def boom(self):\n        raise ValueError\n"
        "def main():\n    return (O()\n        .a()\n        .boom(\n        ))\n"
    )

    def lines(rewritten: bool) -> list[tuple[int | None, str]]:
        try:
            run(source, rewritten=rewritten)
        except ValueError as exc:
            frames = traceback.extract_tb(exc.__traceback__)
            return [(frame.lineno, frame.name) for frame in frames if frame.filename == "main.py"]
        return []

    assert lines(True) == lines(False)


NAMES = ["f", "g", "abs", "len", "o.m"]


def expressions() -> st.SearchStrategy[str]:
    atoms = st.sampled_from(["1", "2", "x", "[1, 2]", "'ab'", "o"])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds(lambda n, a: f"{n}({a})", st.sampled_from(NAMES), inner),
            st.builds(lambda a, b: f"f({a}, *[{b}])", inner, inner),
            st.builds(lambda a, b: f"f({a}, key={b})", inner, inner),
            st.builds(lambda a: f"[f(x) for x in [{a}, {a}] if f(x)]", inner),
            st.builds(lambda a: f"(lambda x: g(x))({a})", inner),
            st.builds(lambda a, b: f"({a} if g({b}) else {b})", inner, inner),
            st.builds(lambda a: f"{{'k': {a}}}", inner),
            st.builds(lambda a: f"str(f'{{g({a})}}')".replace("'ab'", '"ab"'), atoms),
        )

    return st.recursive(atoms, grow, max_leaves=8)


@settings(deadline=None, max_examples=150)
@given(st.lists(expressions(), min_size=1, max_size=4))
def test_generated_programs_do_the_same_rewritten(parts: list[str]):
    body = "".join(f"    try:\n        out.append({part})\n    except Exception as e:\n        out.append(repr(e))\n" for part in parts)  # fmt: skip
    source = (
        "log = []\nclass O:\n    def m(self, *a):\n        log.append(a)\n        return a\n    def __repr__(self):\n        return 'O'\n"
        "def f(*a, key=None):\n    log.append((a, key))\n    return a[0]\n"
        "def g(x):\n    log.append(x)\n    return x\n"
        f"def main():\n    out, x, o = [], 3, O()\n{body}    return repr((out, log))\n"
    )
    assert run(source, rewritten=True) == run(source, rewritten=False)
