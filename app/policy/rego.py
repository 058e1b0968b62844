"""Reads Rego text far enough to refuse what no engine may be trusted to refuse. Pure; runs nothing.

Engines differ in what they let pass silently: a reference to data that is not there is merely undefined, an unknown
function in a branch that is not reached is not noticed, a builtin that was left out answers with nothing. Each of these
would turn a policy into one that never denies, so they are found here, the same way for every engine.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

CAPABILITIES = Path(__file__).with_name("capabilities.json")
_REACHING = Path(__file__).with_name("reaching_builtins.json")
_OUT_TO_THE_NETWORK = frozenset({"http.send", "net.lookup_ip_addr"})
OUTCOME_RULES = ("deny", "warn")

FORBIDDEN_BUILTINS = frozenset(
    {
        "http.send",
        "io.jwt.decode_verify",
        "io.jwt.encode_sign",
        "io.jwt.encode_sign_raw",
        "json.match_schema",
        "json.verify_schema",
        "net.lookup_ip_addr",
        "opa.runtime",
        "providers.aws.sign_req",
        "rand.intn",
        "rego.parse_module",
        "time.now_ns",
        "trace",
        "uuid.rfc4122",
    }
)
"""Builtins that reach out, read the machine, or answer differently each time: a check must be repeatable."""

_STRING = r"""(?P<string>\$?"(?:[^"\\\n]|\\.)*")
      | (?P<unclosed>\$?"(?:[^"\\\n]|\\.)*)
      |"""


def _pattern(string: str) -> re.Pattern[str]:
    return re.compile(
        rf"""(?P<space>[ \t\r\n]+)
      | (?P<comment>\#[^\n]*)
      | {string} (?P<raw>\$?`[^`]*`)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9][0-9A-Za-z_.+-]*)
      | (?P<mark>.)""",
        re.VERBOSE | re.DOTALL,
    )


_TOKEN, _TOKEN_BUT_STRINGS = _pattern(_STRING), _pattern("")
_KEYWORDS = frozenset(
    {
        *("as", "contains", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package"),
        *("set", "some", "true", "with", "and", "or"),
    }
)
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int
    is_first_in_line: bool


@dataclass(frozen=True)
class Reference:
    """A chain such as ``data.lib.tags`` or ``http["send"]``, as far as it is fixed text."""

    path: tuple[str, ...]
    line: int
    is_call: bool


@dataclass
class Module:
    """What one Rego file declares and refers to."""

    name: str
    package: tuple[str, ...] = ()
    rules: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    references: list[Reference] = field(default_factory=list)


@dataclass(frozen=True)
class Review:
    """The packages that give findings (dotted path to the rules of ``deny`` and ``warn`` it has), and what is wrong.

    ``is_self_contained`` says that no reference ranges over all of ``data``, so the set may share an engine's process
    with others. ``reaching`` are the builtins that it calls and that an operator allowed.
    """

    packages: Mapping[tuple[str, ...], tuple[str, ...]]
    errors: tuple[str, ...]
    is_self_contained: bool
    reaching: frozenset[str] = frozenset()


def review(files: Mapping[str, str], data: str | None, allowed: Collection[str] = ()) -> Review:
    """Read the files of a policy set (name to text) and its ``data.json``; never raises.

    ``allowed`` are those of ``FORBIDDEN_BUILTINS`` that an operator lets policies call.
    """
    modules, errors = [], []
    if unknown := sorted(set(allowed) - FORBIDDEN_BUILTINS):
        errors.append(f"SLUICE_POLICY_ALLOWED_BUILTINS names {', '.join(unknown)}, which is no builtin that is off")
    for name in sorted(files):
        try:
            modules.append(_read(name, files[name]))
        except ValueError as error:
            errors.append(f"{name}: {error}")
    values, data_error = _parse_data(data)
    if data_error:
        errors.append(data_error)
    if not files:
        errors.append("the policy set holds no Rego file")
    rules: dict[tuple[str, ...], set[str]] = {}
    for module in modules:
        rules.setdefault(module.package, set()).update(module.rules)
    for module in modules:
        errors += _check_references(module, rules, values, allowed)
    used = {
        (module.package, reference.path[1:])
        for module in modules
        for reference in module.references
        if reference.path[0] == "data"
    }
    found = {
        package: tuple(name for name in OUTCOME_RULES if name in names)
        for package, names in sorted(rules.items())
        if not names.isdisjoint(OUTCOME_RULES)
    }
    errors += _check_packages(rules, found, used)
    is_self_contained = all(
        path and (path[0] in values or any(path[: len(package)] == package for package in rules)) for _, path in used
    )
    named = {".".join(reference.path) for module in modules for reference in module.references}
    reaching = FORBIDDEN_BUILTINS.intersection(allowed, named)
    return Review(found, tuple(dict.fromkeys(errors)), is_self_contained, reaching)


def dotted(path: tuple[str, ...]) -> str:
    """Return a package path as people write it."""
    return ".".join(path)


def rule_reference(package: tuple[str, ...], rule: str) -> str:
    """Return a reference to ``rule`` that both engines read, whatever characters the package path has."""
    return "data" + "".join(f"[{json.dumps(part)}]" for part in (*package, rule))


@lru_cache(maxsize=1)
def allowed_builtins() -> frozenset[str]:
    """Return the names of the builtins that policies may call."""
    return frozenset(item["name"] for item in json.loads(CAPABILITIES.read_text())["builtins"])


def capabilities(allowed: Collection[str]) -> bytes:
    """Return the file that tells opa what policies may call, for an installation that allows more than is listed."""
    document: dict[str, Any] = json.loads(CAPABILITIES.read_text())
    document["builtins"] += [item for item in json.loads(_REACHING.read_text()) if item["name"] in allowed]
    if not _OUT_TO_THE_NETWORK.isdisjoint(allowed):
        # An empty list would keep them from every host.
        del document["allow_net"]
    return json.dumps(document).encode()


def _check_packages(
    rules: Mapping[tuple[str, ...], set[str]],
    found: Mapping[tuple[str, ...], tuple[str, ...]],
    used: set[tuple[tuple[str, ...], tuple[str, ...]]],
) -> Iterator[str]:
    for package in sorted(set(rules) - set(found)):
        if not any(user != package and _overlaps(path, package) for user, path in used):
            yield f"package {dotted(package)} has neither deny nor warn, and no other package refers to it"
    if rules and not found:
        yield "no package of the policy set has deny or warn"


def _overlaps(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    length = min(len(first), len(second))
    return first[:length] == second[:length]


def _parse_data(data: str | None) -> tuple[dict[str, Any], str | None]:
    if data is None:
        return {}, None
    try:
        values = json.loads(data)
    except ValueError as error:
        return {}, f"data.json is not valid JSON: {error}"
    if not isinstance(values, dict):
        return {}, "data.json must hold an object"
    return values, None


def _tokens(text: str) -> list[_Token]:
    tokens, line, is_first = [], 1, True
    at = no_string_before = 0
    while at < len(text):
        match = (_TOKEN if at >= no_string_before else _TOKEN_BUT_STRINGS).match(text, at)
        assert match is not None
        if match.lastgroup == "unclosed":
            # Nor does any quote close within it; asked again at each, a long row would take the square of its length.
            no_string_before = match.end()
            match = _TOKEN_BUT_STRINGS.match(text, at)
            assert match is not None
        at = match.end()
        kind, value = str(match.lastgroup), match.group()
        if kind not in {"space", "comment"}:
            tokens.append(_Token(kind, value, line, is_first))
            is_first = False
        newlines = value.count("\n")
        if newlines:
            line += newlines
            is_first = True
    return tokens


def _read(name: str, text: str) -> Module:
    tokens = _tokens(text)
    module = Module(name)
    depth, position = 0, 0
    while position < len(tokens):
        token = tokens[position]
        if token.kind == "mark":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
            position += 1
            continue
        if token.kind != "name":
            position += 1
            continue
        if depth == 0 and token.is_first_in_line and token.text in {"package", "import"}:
            position = _declaration(module, tokens, position)
            continue
        path, after = _chain(tokens, position)
        if depth == 0 and token.is_first_in_line:
            head = tokens[position + 1].text if token.text == "default" and position + 1 < len(tokens) else token.text
            module.rules.add(head)
        is_call = after < len(tokens) and tokens[after].text == "("
        if token.text not in _KEYWORDS:
            module.references.append(Reference(path, token.line, is_call))
        position = after
    if not module.package:
        raise ValueError("the file has no package declaration")
    return module


def _chain(tokens: list[_Token], position: int) -> tuple[tuple[str, ...], int]:
    """Return the fixed part of the reference that begins at ``position``, and where it ends."""
    path = [tokens[position].text]
    position += 1
    while position + 1 < len(tokens):
        mark, following = tokens[position], tokens[position + 1]
        if mark.text == "." and following.kind == "name":
            path.append(following.text)
            position += 2
        elif (
            mark.text == "["
            and following.kind in {"string", "raw"}
            and position + 2 < len(tokens)
            and tokens[position + 2].text == "]"
        ):
            path.append(_string(following))
            position += 3
        else:
            break
    return tuple(path), position


def _string(token: _Token) -> str:
    if token.kind == "raw":
        return token.text.strip("$`")
    try:
        return str(json.loads(token.text.lstrip("$")))
    except ValueError:
        return token.text


def _declaration(module: Module, tokens: list[_Token], position: int) -> int:
    keyword = tokens[position]
    if position + 1 >= len(tokens) or tokens[position + 1].kind != "name":
        raise ValueError(f"line {keyword.line}: `{keyword.text}` is not followed by a path")
    path, after = _chain(tokens, position + 1)
    if keyword.text == "package":
        if module.package:
            raise ValueError(f"line {keyword.line}: a second package declaration")
        module.package = path
        return after
    alias = path[-1]
    if after + 1 < len(tokens) and tokens[after].text == "as" and tokens[after + 1].kind == "name":
        alias = tokens[after + 1].text
        after += 2
    module.aliases.add(alias)
    if path[0] == "data":
        module.references.append(Reference(path, keyword.line, is_call=False))
    return after


def _check_references(
    module: Module, rules: Mapping[tuple[str, ...], set[str]], values: dict[str, Any], allowed: Collection[str]
) -> Iterator[str]:
    builtins = allowed_builtins() | FORBIDDEN_BUILTINS.intersection(allowed)
    own = rules[module.package] | module.aliases
    for reference in module.references:
        name, root = ".".join(reference.path), reference.path[0]
        where = f"{module.name}:{reference.line}"
        if name in FORBIDDEN_BUILTINS and name not in allowed and root not in own:
            hint = "use input.time, or have it" if root == "time" else "have it"
            yield f"{where}: {name} is not allowed in policies; {hint} allowed by SLUICE_POLICY_ALLOWED_BUILTINS"
        elif root == "data":
            if not _is_known_data(reference.path[1:], rules, values):
                yield f"{where}: {name} is neither a rule of the policy set nor in its data.json"
        elif reference.is_call and root not in own and name not in builtins:
            yield f"{where}: there is no function {name}"


def _is_known_data(path: tuple[str, ...], rules: Mapping[tuple[str, ...], set[str]], values: dict[str, Any]) -> bool:
    for package, names in rules.items():
        if package[: len(path)] == path:
            return True
        if path[: len(package)] == package and path[len(package)] in names:
            return True
    value: Any = values
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True
