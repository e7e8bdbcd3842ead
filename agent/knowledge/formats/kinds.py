"""Which files and web pages are documents, and of which format."""

from __future__ import annotations

from pathlib import PurePosixPath

_SUFFIXES = {
    "markdown": "md markdown mdown mkd mdx",
    "text": "txt text rst adoc asciidoc org log",
    "html": "html htm xhtml",
    "pdf": "pdf",
    "docx": "docx",
    "csv": "csv tsv",
    "jsonl": "jsonl ndjson",
    "json": "json geojson",
    "code": """bash bat c cc cfg cl clj cljs cmake conf cpp cs css cu cxx dart el elm erl ex exs f90 fs go gradle
        graphql groovy h hh hpp hrl hs hxx ini ipp java jl js jsx kt kts less lisp lua m mjs ml mli mm nim nix php pl pm
        properties proto ps1 py pyi r rb rs sass scala scm scss sh sol sql svelte swift tf toml ts tsx v vb vim vue xml
        xsd xsl yaml yml zig zsh""",
}
_NAMES = {
    "text": "authors changelog contributing copying install license notice readme",
    "code": "cmakelists.txt containerfile dockerfile gemfile jenkinsfile justfile makefile procfile rakefile",
}
_MEDIA_TYPES = {
    "markdown": "text/markdown text/x-markdown",
    "html": "text/html application/xhtml+xml",
    "pdf": "application/pdf application/x-pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "csv": "text/csv text/tab-separated-values application/csv",
    "jsonl": "application/jsonl application/x-jsonlines application/x-ndjson",
    "json": "application/json application/geo+json",
    "code": "application/xml text/xml application/yaml application/x-yaml text/yaml",
}
# What servers send where they do not know better: the name decides.
_VAGUE = ("text/", "application/octet-stream", "binary/octet-stream")

KINDS = tuple(_SUFFIXES)


def _by_word(words: dict[str, str]) -> dict[str, str]:
    return {word: kind for kind, listed in words.items() for word in listed.split()}


_BY_SUFFIX = _by_word(_SUFFIXES)
_BY_NAME = _by_word(_NAMES)
_BY_MEDIA_TYPE = _by_word(_MEDIA_TYPES)


def kind_of(name: str, media_type: str = "") -> str | None:
    """Return a document's format, one of KINDS, or None where it is no document that can be read.

    Args:
        name: its file name or path.
        media_type: what a server says that it is, such as "text/html; charset=utf-8"; it goes before the name.
    """
    sent = media_type.partition(";")[0].strip().lower()
    if sent in _BY_MEDIA_TYPE:
        return _BY_MEDIA_TYPE[sent]
    if sent and not sent.startswith(_VAGUE):
        return None
    path = PurePosixPath(name.lower())
    unknown = "text" if sent == "text/plain" else None
    return _BY_NAME.get(path.name) or _BY_SUFFIX.get(path.suffix[1:], unknown)
