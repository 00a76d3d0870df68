"""Loads a workload: the document checked, with the texts and files that it refers to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from provisioner.documents import BadWorkload, Document, read_yaml
from provisioner.params import MISSING, Param, check_value
from provisioner.spec import NAME, PARAM, ParamModel, WorkloadModel
from provisioner.templates import is_template


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A checked workload with its texts.

    Attributes:
        model: the document.
        folder: where its steps and files are.
        document: values and line numbers as written.
        params: the declared parameters.
        texts: each role's steps by file name.
        files: content of each role's files by file name.
        digest: of the document and everything it refers to; ``sha256:...``.
    """

    model: WorkloadModel
    folder: Path
    document: Document
    params: Mapping[str, Param]
    texts: Mapping[str, str]
    files: Mapping[str, bytes]
    digest: str

    @property
    def name(self) -> str:
        """What it is called."""
        return self.model.workload

    def source(self, *path: str) -> str:
        """``file:line`` of a key."""
        return self.document.source(*path)


def find_workload(name: str) -> Path:
    """The folder of a workload: a path, or the name of one that is shipped.

    Raises:
        BadWorkload: there is none; names those that are shipped.
    """
    given = Path(name)
    if given.is_dir():
        return given
    if given.is_file():
        return given.parent
    shipped = Path(str(files("provisioner") / "workloads"))
    if NAME.fullmatch(name) and (shipped / name / "workload.yaml").is_file():
        return shipped / name
    known = sorted(path.parent.name for path in shipped.glob("*/workload.yaml"))
    raise BadWorkload(name, "", f"no such workload; known: {', '.join(known) or 'none'}")


def load_workload(name: str) -> Workload:
    """Read and check a workload by path or name.

    Raises:
        BadWorkload: one line with file, path of the key and what was expected.
    """
    folder = find_workload(name)
    return check_workload(read_yaml(folder / "workload.yaml"), folder)


def check_workload(document: Document, folder: Path) -> Workload:
    """Check a document that was read; its steps and files are taken from *folder*."""
    value = dict(document.value)
    if "version" in document.texts:
        value["version"] = document.texts["version"]
    try:
        model = WorkloadModel.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        message = str(first["msg"]).removeprefix("Value error, ")
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise BadWorkload(
            document.file, path, f"{message[:1].lower()}{message[1:]}{more}"
        ) from error
    params = {name: _param(name, spec, document) for name, spec in model.params.items()}
    _check_names(model, document)
    texts: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    for role, spec in model.roles.items():
        for number, step in enumerate(spec.steps):
            raw = _beside(folder, step, document, f"roles.{role}.steps.{number}")
            try:
                texts[step] = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                where = f"roles.{role}.steps.{number}"
                raise BadWorkload(document.file, where, f"{step} is not UTF-8 text") from error
        for number, file in enumerate(spec.files):
            where = f"roles.{role}.files.{number}.from"
            contents[file.source] = _beside(folder, file.source, document, where)
    return Workload(
        model=model,
        folder=folder,
        document=document,
        params=params,
        texts=texts,
        files=contents,
        digest=_digest(model, texts, contents),
    )


def _param(name: str, spec: ParamModel, document: Document) -> Param:
    source = document.source("params", name)
    if not PARAM.fullmatch(name):
        raise BadWorkload(document.file, f"params.{name}", "expected a name such as app.port")
    param = Param(
        name=name,
        type=spec.type,
        default=spec.default,
        minimum=spec.minimum,
        maximum=spec.maximum,
        pattern=spec.pattern,
        enum=tuple(spec.enum),
        doc=spec.doc,
        secret=spec.secret,
        compose=spec.compose,
        role=spec.role.removeprefix("role:"),
        source=source,
    )
    if spec.pattern:
        try:
            re.compile(spec.pattern)
        except re.error as error:
            where = f"params.{name}.pattern"
            raise BadWorkload(document.file, where, f"no regular expression: {error}") from error
    if spec.secret and spec.default is not MISSING and spec.default != "":
        raise BadWorkload(document.file, f"params.{name}.default", "a secret has no default")
    if spec.default is not MISSING and not is_template(spec.default):
        problem = check_value(param, spec.default)
        if problem:
            raise BadWorkload(document.file, f"params.{name}.default", problem)
    return param


def _check_names(model: WorkloadModel, document: Document) -> None:
    """Names are safe as hostnames and tags, and every name that is referred to is there."""

    def refuse(where: str, expected: str) -> BadWorkload:
        return BadWorkload(document.file, where, expected)

    for table in ("networks", "volumes", "groups", "roles"):
        for name in getattr(model, table):
            if not NAME.fullmatch(name):
                raise refuse(f"{table}.{name}", "expected lower-case letters, digits and hyphens")
    if not NAME.fullmatch(model.workload):
        raise refuse("workload", "expected lower-case letters, digits and hyphens")
    taken = set(model.params)
    for name in taken:
        above = name.split(".")
        for n in range(1, len(above)):
            if ".".join(above[:n]) in taken:
                raise refuse(f"params.{name}", f"{'.'.join(above[:n])} is a parameter itself")
    for group, spec in model.groups.items():
        for number, role in enumerate(spec.roles):
            if role not in model.roles:
                known = ", ".join(model.roles) or "none"
                raise refuse(f"groups.{group}.roles.{number}", f"no role {role!r}; known: {known}")
    for volume, wanted in model.volumes.items():
        if wanted.group not in model.groups:
            raise refuse(f"volumes.{volume}.group", f"no group {wanted.group!r}")
    for group in model.place:
        if group not in model.groups:
            raise refuse(f"place.{group}", f"no group {group!r}")
    members = {f"{g}-{n}" for g, spec in model.groups.items() for n in range(1, spec.count + 1)}
    for member in model.members:
        if member not in members:
            raise refuse(f"members.{member}", "no such member")
    tables = [("set", model.set)]
    tables += [(f"groups.{n}.set", g.set) for n, g in model.groups.items()]
    tables += [(f"members.{n}.set", m.set) for n, m in model.members.items()]
    for where, values in tables:
        for name in values:
            if name not in model.params:
                raise refuse(f"{where}.{name}", "not declared in params")


def _beside(folder: Path, name: str, document: Document, where: str) -> bytes:
    """A file of the workload's folder; no path leads out of it."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise BadWorkload(document.file, where, f"{name} is outside the workload's folder")
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadWorkload(document.file, where, f"{name}: {reason}") from error


def _digest(model: WorkloadModel, texts: Mapping[str, str], contents: Mapping[str, bytes]) -> str:
    """Of everything that decides what will stand; ``place`` is the site's business."""
    total = hashlib.sha256()
    parts = [(f"step {n}", t.encode()) for n, t in sorted(texts.items())]
    parts += [(f"file {n}", c) for n, c in sorted(contents.items())]
    parts.append(("model", repr(sorted(model.model_dump(exclude={"place"}).items())).encode()))
    for name, data in parts:
        total.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"
