"""What code a rule's result depends on, as a digest of its program and of every module of the project that this imports.

The digest is taken of the parsed code. Comments, docstrings, formatting, the order of neighbouring import statements and the
places of files have no part in it: a module may move to another folder, if the statements that import it follow. All else
counts, also what may change no result, such as an annotation, the name of a variable or the text of an error.

An import of a module of the project counts with the digest of that module, and with those of the packages around it whose
__init__.py holds code. Modules imported by a name that is known only when the program runs (import_module) are given to
`ProjectCode.digest` as plug-ins; it refuses to leave out a kind of them.
"""

import ast
import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from robustness.errors import UserError

ANY = ""  # the kind of plug-ins whose whole name is known only when the program runs
PLACES = {"lineno", "col_offset", "end_lineno", "end_col_offset"}
WITHOUT_EFFECT = {"ctx", "kind", "type_comment", "type_ignores"} | PLACES

Label = Callable[[Path], str]  # what stands for a module of the project where another one refers to it


@dataclass(frozen=True)
class Import:
    """One imported name. source: files of the project, the module before its packages, or a module from elsewhere.

    name: what is taken out of the module, '' for the module itself. bound: what it is called from there on.
    """

    source: tuple[Path, ...] | str
    name: str
    bound: str

    def text(self, label: Label) -> str:
        source = self.source if isinstance(self.source, str) else " ".join(map(label, self.source))
        return f"{source}, {self.name}, {self.bound}"


@dataclass(frozen=True)
class Imports:
    """Neighbouring import statements, name by name. Tools sort them by the modules' names, so their order does not count."""

    imports: tuple[Import, ...]

    def text(self, label: Label) -> str:
        return "(import " + "; ".join(sorted(each.text(label) for each in self.imports)) + ")"


@dataclass(frozen=True)
class Code:
    """The parsed code of one file. parts: its text, with the imports of the project's modules kept apart.

    uses: the files of the project that it imports. kinds: packages of which it imports modules by name, or ANY.
    """

    parts: tuple[str | Imports, ...]
    uses: frozenset[Path]
    kinds: frozenset[str]

    def digest(self, label: Label) -> str:
        """SHA-256 of the code, with what `label` gives for each module that it imports."""
        return sha256("".join(part if isinstance(part, str) else part.text(label) for part in self.parts))


def sha256(text: str) -> str:
    """SHA-256 of a text, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file; raises UserError where it is no Python."""
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}," if isinstance(error, SyntaxError) else ""
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise UserError(f"{path}{line} is no Python ({reason}): correct it.") from error


def has_no_effect(node: ast.stmt) -> bool:
    """True of pass and of a lone constant, such as a docstring."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


class ProjectCode:
    """The programs and packages in one folder. Each file is read once, when it is first asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.code = functools.cache(self.code)
        self.reached = functools.cache(self.reached)
        self.holds_code = functools.cache(self.holds_code)
        self.digest_of_file = functools.cache(self.digest_of_file)

    # --- what is asked ---------------------------------------------------------------------------------------------

    def digest(self, program: str, plug_ins: Mapping[str, Iterable[str]] | None = None) -> str:
        """The digest of a program, by its name without .py, and of the modules that it imports by name.

        plug_ins: for each kind, a package as in 'robustness.networks' or ANY, the names of its modules, whole for ANY. The order
        and number of equal ones don't count. Raises UserError where a file is missing or no Python, or where the program or a
        plug-in imports by name modules of a kind that is not given.
        """
        files = [self._file_or_error(program)]
        plug_ins = plug_ins or {}
        for kind, names in plug_ins.items():
            for name in sorted(set(names)):
                files += self._files_of(f"{kind}.{name}" if kind else name)
        kinds = {kind for file in files for other in self.reached(file) | {file} for kind in self.code(other).kinds}
        if left_out := sorted(kinds - set(plug_ins)):
            package = f"of {left_out[0]} " if left_out[0] else ""
            raise UserError(
                f"{program} imports modules {package}by name, and its rule does not say which: name them in its param code."
            )
        return sha256(" ".join([self.digest_of_file(files[0]), *sorted(set(map(self.digest_of_file, files[1:])))]))

    def digest_of_files(self, paths: Iterable[Path]) -> str:
        """The digest of several files with all that they import, whatever their order; files without code don't count."""
        return sha256(" ".join(sorted({self.digest_of_file(path) for path in paths if self.holds_code(path)})))

    def files(self, program: str) -> set[Path]:
        """The program's file and all others of the project that it imports, directly or not, but not by name."""
        file = self._file_or_error(program)
        return self.reached(file) | {file}

    # --- files and what they import -----------------------------------------------------------------------------------

    def code(self, path: Path) -> Code:
        """The parsed code of a file; raises UserError where it is no Python, or imports a module that does not exist."""
        return _Reader(self, path).code(parsed(path))

    def reached(self, path: Path) -> frozenset[Path]:
        """All files that a file imports, directly or not: the file itself only if it imports itself by a detour."""
        found, todo = set(), [path]
        while todo:
            new = self.code(todo.pop()).uses - found
            found |= new
            todo += new
        return frozenset(found)

    def digest_of_file(self, path: Path) -> str:
        """The digest of a file with all that it imports.

        Files that import each other have to be taken together. A first digest of each stands, in a second one, for those that
        it imports of them, and the second ones of all of them count.
        """
        if path not in self.reached(path):
            return self.code(path).digest(self.digest_of_file)
        circle = {path} | {other for other in self.reached(path) if path in self.reached(other)}
        outside = {file: self.digest_of_file(file) for other in circle for file in self.code(other).uses - circle}
        first = {file: self.code(file).digest(lambda used: outside.get(used, "of the circle")) for file in circle}
        second = {file: self.code(file).digest((outside | first).__getitem__) for file in circle}
        return sha256(" ".join([second[path], *sorted(second.values())]))

    def file_of(self, module: str) -> Path | None:
        """The file of a module or package by its dotted name; None where it has none."""
        path = self.folder.joinpath(*module.split("."))
        if (file := path.with_name(f"{path.name}.py")).is_file():
            return file
        return init if (init := path / "__init__.py").is_file() else None

    def is_own(self, module: str) -> bool:
        """Whether a module is the project's, there or not, as its first name tells."""
        first = module.split(".")[0]
        return bool(first) and ((self.folder / first).is_dir() or (self.folder / f"{first}.py").is_file())

    def packages_with_code(self, module: str) -> tuple[Path, ...]:
        """The __init__.py of each package around a module that holds code, which Python runs before the module's."""
        folders = module.split(".")[:-1]
        inits = [self.folder.joinpath(*folders[: i + 1], "__init__.py") for i in range(len(folders))]
        return tuple(path for path in inits if path.is_file() and self.holds_code(path))

    def holds_code(self, path: Path) -> bool:
        """Whether a file has more than comments and docstrings."""
        return any(not has_no_effect(node) for node in parsed(path).body)

    def _files_of(self, module: str) -> tuple[Path, ...]:
        return (self._file_or_error(module), *self.packages_with_code(module))

    def _file_or_error(self, module: str) -> Path:
        if file := self.file_of(module):
            return file
        raise UserError(f"{self.folder} has no module {module}: check its name.")


class _Reader:
    """Makes one file's `Code` of its syntax tree."""

    def __init__(self, project: ProjectCode, path: Path):
        self.project, self.path = project, path
        inside = path.relative_to(project.folder).with_suffix("").parts
        self.package = inside[:-1]  # also of an __init__.py, whose package its folder is
        self.parts: list[str | Imports] = []
        self.uses: set[Path] = set()
        self.kinds: set[str] = set()
        self.roots: set[str] = set()  # top-level packages that are bound to their own name, by `import robustness.x`

    def code(self, tree: ast.Module) -> Code:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names if not alias.asname]
                self.roots.update(filter(self.project.is_own, names))
        self._statements(tree.body)
        joined: list[str | Imports] = []
        for part in self.parts:
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] += part
            else:
                joined.append(part)
        return Code(tuple(joined), frozenset(self.uses), frozenset(self.kinds))

    # --- imports ---------------------------------------------------------------------------------------------------

    def _import(self, module: str, name: str = "", bound: str = "") -> Import:
        """The import of a module, or of a name of it, which may be a module itself."""
        if not self.project.is_own(module):
            return Import(module, name, bound)
        whole = f"{module}.{name}"
        if name and name != "*" and self.project.file_of(whole):
            module, name = whole, ""
        file = self.project.file_of(module)
        empty = file is not None and file.name == "__init__.py" and not self.project.holds_code(file)
        if file is None or (name and empty):
            raise UserError(f"{self.path} imports {whole.rstrip('.')}, which does not exist: correct the import.")
        files = (*(() if empty else (file,)), *self.project.packages_with_code(module))
        self.uses.update(files)
        return Import(files, name, bound)

    def _imports_of(self, node: ast.Import | ast.ImportFrom) -> list[Import]:
        if isinstance(node, ast.Import):
            return [self._import(alias.name, bound=alias.asname or self._root(alias.name)) for alias in node.names]
        module = node.module or ""
        if node.level:
            if node.level > len(self.package):
                raise UserError(
                    f"{self.path}, line {node.lineno}, imports from above its packages: correct the import."
                )
            module = ".".join([*self.package[: len(self.package) - node.level + 1], *filter(None, [module])])
        return [self._import(module, alias.name, alias.asname or alias.name) for alias in node.names]

    def _root(self, module: str) -> str:
        """What `import module` binds; nothing for the project's packages, whose uses are looked up."""
        root = module.split(".")[0]
        return "" if root in self.roots and "." in module else root

    def _module_used(self, node: ast.Attribute) -> tuple[str, list[str]] | None:
        """The module that an attribute such as robustness.x.name begins with, and what follows it."""
        names, inner = [], node
        while isinstance(inner, ast.Attribute):
            names.insert(0, inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name) or inner.id not in self.roots:
            return None
        names.insert(0, inner.id)
        for length in range(len(names), 1, -1):
            if self.project.file_of(module := ".".join(names[:length])):
                return module, names[length:]
        return None

    def _imported_by_name(self, call: ast.Call) -> bool:
        """Takes note of what import_module imports; True if the name has been written, without the project's packages."""
        called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if called not in ("import_module", "__import__") or not call.args:
            return False
        name, package = call.args[0], ""
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            if not self.project.is_own(name.value):
                return False
            self.parts += ["(by name ", Imports((self._import(name.value),)), ")"]
            return True
        rest = name.values if isinstance(name, ast.JoinedStr) and name.values else [name]
        if isinstance(rest[0], ast.Constant) and self.project.is_own(rest[0].value):
            package, _, begun = rest[0].value.rpartition(".")
            rest = [*([ast.Constant(begun)] if begun else []), *rest[1:]]
        self.kinds.add(package)
        self.parts.append("(by name ")
        self._value(rest)
        self.parts.append(")")
        return True

    # --- all else ----------------------------------------------------------------------------------------------------

    def _statements(self, body: list[ast.stmt]) -> None:
        """Statements in brackets, none for those that do nothing: docstrings and other lone constants, and pass."""
        found = [node for node in body if not has_no_effect(node)]
        if not found:
            return
        self.parts.append("[")
        imports: list[Import] = []
        for node in found:
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports += self._imports_of(node)
                continue
            if imports:
                self.parts.append(Imports(tuple(imports)))
                imports = []
            self._node(node)
        if imports:
            self.parts.append(Imports(tuple(imports)))
        self.parts.append("]")

    def _node(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute) and self.roots and (used := self._module_used(node)):
            self.parts += ["(module ", Imports((self._import(used[0]),)), *(f".{name}" for name in used[1]), ")"]
            return
        self.parts.append(f"({type(node).__name__}")
        fields = node._fields
        if isinstance(node, ast.Call) and self._imported_by_name(node):
            fields = ("func", "keywords")
        for field in fields:
            value = getattr(node, field, None)
            # Which fields are empty, and whether they are there at all, depends on the version of Python.
            if value is None or value == [] or field in WITHOUT_EFFECT:
                continue
            self.parts.append(f" {field}=")
            self._value(value)
        self.parts.append(")")

    def _value(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self._node(value)
        elif isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            self._statements(value)
        elif isinstance(value, list):
            self.parts.append("[")
            for item in value:
                self._value(item)
            self.parts.append("]")
        else:
            self.parts.append(repr(value))
