"""The comparison for a terminal and for a CI summary: differences first, the same words in both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from reports.compare.comparison import Comparison
from reports.compare.grouped import disagrees, groups, shared, some
from reports.compare.regressions import KINDS, Kind
from reports.compare.topics import TOPICS
from reports.page import MARKS
from reports.terminal import STYLES, printable

VALUE_CHARS = 120
LONGEST = 400_000  # bytes of markdown: of a step that says more than 1 MiB GitHub shows nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of plain words under a heading; a first column of states is marked and coloured."""

    title: str
    note: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def tables(comparison: Comparison) -> Iterator[Table]:
    """Everything worth printing, most important first; empty parts are left out."""
    yield _members(comparison)
    if comparison.objections:
        said = "grave, compared anyway" if comparison.anyway else "grave"
        rows = tuple((said if o.grave else "note", o.text) for o in comparison.objections)
        yield Table(title="What stands against this comparison", columns=("", "what"), rows=rows)
    yield from _changes(comparison)
    yield from _differences(comparison)
    yield _scores(comparison)
    yield from _facts(comparison)
    yield from _claims(comparison)
    yield from _debt(comparison)
    if comparison.standings:
        yield Table(
            title="By guideline",
            columns=("verdict", "guideline", "platform", "program", "level", "passed"),
            rows=tuple(
                (
                    s.verdict,
                    s.guideline,
                    s.member,
                    s.program,
                    _level(s.level),
                    _of(s.passed, s.required),
                )
                for s in comparison.standings
            ),
        )


def summary(comparison: Comparison) -> str:
    """One line: how much differs, and what got worse."""
    different, every = len(comparison.different), len(comparison.rows)
    weighty = sum(row.weighs for row in comparison.rows)
    text = f"{weighty} of {every} checks differ between {len(comparison.members)} results"
    if different > weighty:
        text += f", {different - weighty} more only in whom they apply to"
    if comparison.baselines:
        changes = comparison.changes
        text += (
            f"; {len(changes.of('regression'))} regressions, {len(changes.of('unknown'))} unknown"
        )
        text += f", {len(changes.of('improvement'))} improvements"
    return f"{text}; level of the set: {_set_level(comparison)}"


def terminal(comparison: Comparison) -> Lines:
    """What is printed on a terminal."""
    parts: list[RenderableType] = []
    for table in tables(comparison):
        parts.append(Text(table.title, style="bold"))
        if table.note:
            parts.append(Text(table.note, style="dim"))
        if table.rows:
            parts.append(_rich(table))
        parts.append(Text(""))
    parts.append(Text(summary(comparison), style="bold"))
    return Lines(*parts)


def markdown(comparison: Comparison) -> str:
    """The same as markdown, for a CI summary; every word from a result is escaped."""
    lines = ["## Interop comparison", "", escape(summary(comparison)), ""]
    for table in tables(comparison):
        lines += [f"### {escape(table.title)}", ""]
        if table.note:
            lines += [escape(table.note), ""]
        if table.rows:
            lines.append("| " + " | ".join(escape(c) for c in table.columns) + " |")
            lines.append("|" + " --- |" * len(table.columns))
            lines += [
                "| " + " | ".join(escape(cell) for cell in _marked(row)) + " |"
                for row in table.rows
            ]
            lines.append("")
    return shortened(lines)


def shortened(lines: Sequence[str]) -> str:
    """Lines of markdown as one text, cut where it grows too long for a build's page."""
    sizes = accumulate(len(line.encode()) + 1 for line in lines)
    fit = sum(size <= LONGEST for size in sizes)
    cut = ["", f"{len(lines) - fit} more lines are left out here."] if fit < len(lines) else []
    return "\n".join((*lines[:fit], *cut)) + "\n"


def _members(comparison: Comparison) -> Table:
    level = comparison.set_level
    note = f"level of the set: {_set_level(comparison)}"
    if level.held_back:
        note += f"; kept from the next by: {'; '.join(level.held_back)}"
    rows = tuple(
        (
            m.verdict or "not judged",
            m.label,
            f"{m.kind}, emulator" if m.emulator else m.kind,
            _level(m.level),
            _of(m.counts.get("passed", 0), m.counts.get("required", 0)),
            f"{m.guideline} {m.program}".strip(),
            m.finished[:16].replace("T", " "),
        )
        for m in comparison.members
    )
    columns = ("verdict", "result", "kind", "level", "passed", "judged by", "finished")
    return Table(title="Results", note=note, columns=columns, rows=rows)


def _changes(comparison: Comparison) -> Iterator[Table]:
    changes = comparison.changes
    if not comparison.baselines:
        return
    rows = [(f.after, f.member, f.what, f.before, "", "") for f in changes.fallen]
    titles = {"regression": "Regressions", "unknown": "Passed before, cannot be told now"}
    for kind in KINDS:
        rows += [
            (c.after, c.member, f"{c.check} {c.title}", c.before, c.reason, c.evidence)
            for c in changes.of(kind)
        ]
        if rows or kind == "regression":
            yield Table(
                title=titles.get(kind, f"{kind.capitalize()}s"),
                note=_note(comparison, kind) if rows else "nothing got worse",
                columns=("now", "result", "what", "before", "reason", "evidence"),
                rows=tuple(rows),
            )
        rows = []
    if changes.facts:
        yield Table(
            title="Behaviour that changed",
            columns=("result", "check", "fact", "before", "now"),
            rows=tuple(
                (f.member, f.check, f.name, _cut(f.before), _cut(f.after)) for f in changes.facts
            ),
        )
    if changes.alone:
        yield Table(title="Without a baseline", note=", ".join(changes.alone))


def _note(comparison: Comparison, kind: Kind) -> str:
    """How to see it again; an improvement needs no second look."""
    lines = comparison.again(kind) if kind in ("regression", "unknown") else ()
    return f"to repeat: {'; '.join(lines)}" if lines else ""


def _differences(comparison: Comparison) -> Iterator[Table]:
    labels = tuple(member.label for member in comparison.members)
    if not comparison.different:
        yield Table(title="Differences", note=f"all {len(comparison.rows)} checks end alike")
    for topic, title in TOPICS.items():
        rows: list[tuple[str, ...]] = []
        for row in comparison.different:
            if row.topic == topic and row.weighs:
                for place, group in enumerate(groups(labels, row.cells)):
                    what = f"{row.id} {row.title}" if not place else ""
                    where = group.evidence if group.state != "passed" else ""
                    rows.append((group.state, group.who, what, group.reason, where))
        if rows:
            columns = ("state", "result", "check", "reason", "evidence")
            yield Table(title=f"Differs: {title}", columns=columns, rows=tuple(rows))
    applies = Counter(row.topic for row in comparison.different if not row.weighs)
    if applies:
        told = [f"{title}: {applies[topic]}" for topic, title in TOPICS.items() if applies[topic]]
        note = f"{'; '.join(told)} (the page and JSON have them one by one)"
        yield Table(title="Differs only in whom it applies to", note=note)


def _scores(comparison: Comparison) -> Table:
    rows = []
    for score in comparison.scores:
        weakest = min(score.member_points, default=0)
        name = score.component if score.shared else f"{score.component} (not held by all)"
        cost = ", ".join(lost.check for lost in score.lost)
        rows.append(
            (
                name,
                score.status,
                f"{score.points}",
                _of(score.joint, score.checks),
                str(weakest),
                cost,
            )
        )
    return Table(
        title="Joint interoperability",
        note="thousandths of the checks that pass on every platform, rounded down",
        columns=("component", "checks", "joint", "passed", "weakest", "lost by"),
        rows=tuple(rows),
    )


def _facts(comparison: Comparison) -> Iterator[Table]:
    labels = tuple(member.label for member in comparison.members)
    rows: list[tuple[str, ...]] = []
    for fact in comparison.facts:
        if fact.sort == "behaviour" and disagrees(fact):
            for place, (value, members) in enumerate(shared(fact.values, labels)):
                who = some(members)
                rows.append(
                    (fact.check, fact.name, who, _cut(value))
                    if not place
                    else ("", "", who, _cut(value))
                )
    if rows:
        columns = ("check", "fact", "result", "value")
        yield Table(title="Behaviour that differs", columns=columns, rows=tuple(rows))


def _claims(comparison: Comparison) -> Iterator[Table]:
    rows = tuple(
        (c.standing, c.member, c.what, c.value, c.by, _cut(c.because))
        for c in comparison.claims
        if c.standing != "proven"
    )
    proven = sum(c.standing == "proven" for c in comparison.claims)
    if comparison.claims:
        columns = ("standing", "result", "claim", "value", "by", "because")
        yield Table(
            title="Claimed, not proven",
            note=f"{proven} claims are proven",
            columns=columns,
            rows=rows,
        )


def _debt(comparison: Comparison) -> Iterator[Table]:
    differing = [debt for debt in comparison.debt if debt.differs]
    labels = tuple(member.label for member in comparison.members)
    if comparison.debt:
        rows = [
            (debt.key, some(who), value or "not set")
            for debt in differing
            for value, who in shared(debt.values, labels)
        ]
        yield Table(
            title="Portability debt",
            note=f"keys of the platforms' profiles that had to differ: {len(differing)}",
            columns=("key", "result", "value"),
            rows=tuple(rows),
        )


def _rich(table: Table) -> RichTable:
    shown = RichTable(box=None, pad_edge=False, header_style="bold")
    for name in table.columns:
        shown.add_column(name, overflow="fold")
    for row in table.rows:
        head, *rest = _marked(row)
        shown.add_row(Text(head, style=STYLES.get(row[0], "")), *(Text(cell) for cell in rest))
    return shown


def _marked(row: Sequence[str]) -> list[str]:
    """A row whose first word, if it is a state, has its mark."""
    mark = MARKS.get(row[0])
    return [f"{mark} {row[0]}" if mark else row[0], *row[1:]]


def escape(text: str) -> str:
    """*text* as one line of markdown that means nothing but itself, and calls nobody."""
    line = printable(" ".join(text.split()))
    for mark in ("\\", "|", "<", ">", "&", "*", "_", "~", "$", "`", "[", "]", "!", "#"):
        line = line.replace(mark, f"\\{mark}")
    return line.replace("@", "@\N{ZERO WIDTH SPACE}")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= VALUE_CHARS else line[: VALUE_CHARS - 1] + "…"


def _set_level(comparison: Comparison) -> str:
    level = comparison.set_level
    return "none" if level.level is None else f"{level.level} ({level.name})"


def _level(level: int | None) -> str:
    return "none" if level is None else str(level)


def _of(part: int, whole: int) -> str:
    return f"{part}/{whole}" if whole else ""
