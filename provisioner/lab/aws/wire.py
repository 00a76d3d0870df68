"""The EC2 query protocol as it goes over the wire: form bodies in, XML documents out. No I/O."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring


def parameters(body: bytes) -> dict[str, str]:
    """The fields of a form body."""
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def numbered(fields: Mapping[str, str], name: str) -> list[str]:
    """The values of a list: ``Name.1``, ``Name.2``, in order."""
    found = [
        (int(key.rpartition(".")[2]), value)
        for key, value in fields.items()
        if key.startswith(f"{name}.") and key[len(name) + 1 :].isdigit()
    ]
    return [value for _, value in sorted(found)]


def filter_values(fields: Mapping[str, str], wanted: str) -> list[str] | None:
    """The values of the filter called *wanted*; None where there is no such filter."""
    for key, value in fields.items():
        if key.startswith("Filter.") and key.endswith(".Name") and value == wanted:
            return numbered(fields, f"{key.removesuffix('.Name')}.Value")
    return None


def without_filter(fields: Mapping[str, str], unwanted: str) -> dict[str, str]:
    """The fields without one filter."""
    for key, value in fields.items():
        if key.startswith("Filter.") and key.endswith(".Name") and value == unwanted:
            prefix = key.removesuffix("Name")
            return {k: v for k, v in fields.items() if not k.startswith(prefix)}
    return dict(fields)


class Document:
    """An answer, to be read and changed by local names whatever its namespace."""

    def __init__(self, body: bytes) -> None:
        self.root: Element = fromstring(body)
        tag = self.root.tag
        self._prefix = tag[: tag.index("}") + 1] if tag.startswith("{") else ""

    def all(self, path: str, under: Element | None = None) -> Iterator[Element]:
        """The elements at a path of local names."""
        top = self.root if under is None else under
        names = "/".join(f"{self._prefix}{name}" for name in path.split("/"))
        yield from top.findall(names)

    def text(self, path: str, under: Element | None = None) -> str:
        """The text of the first element at a path; empty where there is none."""
        for element in self.all(path, under):
            return element.text or ""
        return ""

    def put(self, path: str, text: str, under: Element) -> None:
        """Set the text of an element, made where it is missing."""
        here = under
        for name in path.split("/"):
            found = next(self.all(name, here), None)
            here = SubElement(here, f"{self._prefix}{name}") if found is None else found
        here.text = text

    def render(self) -> bytes:
        """The document as it is now."""
        plain: bytes = tostring(
            self.root,
            encoding="utf-8",
            xml_declaration=True,
            default_namespace=self._prefix.strip("{}") or None,
        )
        return plain


def failure(code: str, message: str, request: str) -> bytes:
    """An error as EC2 words it."""
    root = Element("Response")
    error = SubElement(SubElement(root, "Errors"), "Error")
    SubElement(error, "Code").text = code
    SubElement(error, "Message").text = message
    SubElement(root, "RequestID").text = request
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def user_data_bytes(fields: Mapping[str, str]) -> int:
    """The length of a request's user data, decoded; -1 where it is not base64."""
    try:
        return len(base64.b64decode(fields.get("UserData", ""), validate=True))
    except ValueError:
        return -1
