"""Models that CellTypist publishes: their list, and where converted ones are cached."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from sc_annotate._core.codec import shown
from sc_annotate._core.settings import logger
from sc_annotate._data.addresses import check_url, is_url, without_login
from sc_annotate._data.download import LIST, MODEL, cache_folder, fetch, write_note
from sc_annotate.errors import DownloadError, InputError

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "https://celltypist.cog.sanger.ac.uk/models/models.json"
INDEX_VARIABLE = "SC_ANNOTATE_CELLTYPIST_INDEX"
"""Environment variable with the address of another list, of a mirror for example."""
PREFIX = "celltypist:"
MOST_MODELS = 10_000
_NAME = re.compile(r"[\w][\w .+-]{0,150}\.pkl", flags=re.ASCII)
_OFFLINE_FIX = (
    "Without a connection: download the model on another machine from https://www.celltypist.org/models, and convert it here with "
    "`sca.tl.convert_celltypist(path, trust_pickle=True)`."
)
HUB_LIST, HUB_MODEL = replace(LIST, offline_fix=_OFFLINE_FIX), replace(MODEL, offline_fix=_OFFLINE_FIX)


@dataclass(frozen=True)
class Listed:
    """A model as the list has it."""

    name: str
    url: str
    details: str
    n_types: int | None
    version: str
    date: str
    source: str
    default: bool


@dataclass(frozen=True)
class KeptModel:
    """A converted model, and the checksum of the pickle that it was made from."""

    path: Path
    sha256: str


def index_address() -> str:
    """Where the list is."""
    address = os.environ.get(INDEX_VARIABLE) or INDEX
    if not is_url(address):
        raise InputError(f"{INDEX_VARIABLE} must be the https address of a list of models, not {shown(address)}.")
    return address


def check_address(model: Listed, *, checked: bool) -> None:
    """Refuse a model that the list has at a third machine: it comes from where the list is, or from CellTypist itself."""
    address, host = index_address(), urlsplit(model.url).hostname
    check_url(model.url, checked=checked, after=address)
    if host not in (urlsplit(address).hostname, urlsplit(INDEX).hostname):
        raise InputError(
            f"the list of models at {without_login(address)!r} leads to another machine, {without_login(model.url)!r}. If that is "
            "right, download the model from there and convert it: `sca.tl.convert_celltypist(path, trust_pickle=True)`."
        )


def file_name(name: str) -> str:
    """The name as the list has it, which ends in .pkl."""
    return name if name.endswith(".pkl") else f"{name}.pkl"


def listed(*, refresh: bool) -> dict[str, Listed]:
    """The models by name, from the cached list if there is one, unless `refresh` is requested."""
    address = index_address()
    path = fetch(
        address,
        sha256=None,
        refresh=refresh,
        check=lambda path: parse(path, address),
        kind=HUB_LIST,
        may_change=True,
    )
    return parse(path, address)


def find(name: str, *, refresh: bool) -> Listed:
    """The model of a name; an unknown one lists the near ones, of the newest list that is available."""
    found = listed(refresh=refresh)
    if name not in found and not refresh:
        try:
            found = listed(refresh=True)
        except DownloadError as error:
            logger.warning(f"the cached list of models is used: {error}")
    if name in found:
        return found[name]
    lower = {known.lower(): known for known in found}
    near = [lower[each] for each in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
    hint = f"Did you mean {' or '.join(repr(PREFIX + each) for each in near)}? " if near else ""
    raise InputError(
        f"CellTypist has no model {shown(name)} ({without_login(index_address())}). {hint}`sca.models.available()` lists its {len(found)} models."
    )


def parse(path: Path, address: str) -> dict[str, Listed]:
    """The models in a list that is at an address; their own addresses may be relative to that."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig"))["models"]
        if not isinstance(entries, list) or not 0 < len(entries) <= MOST_MODELS:
            raise ValueError("no models")
        found = [_entry(entry, address) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise InputError(f"{address!r} is not a list of CellTypist's models ({reason}).") from error
    return {model.name: model for model in found}


def _entry(entry: Any, address: str) -> Listed:
    name, url = entry["filename"], entry["url"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{str(name)[:60]!r} is no name of a model")
    if not isinstance(url, str):
        raise ValueError(f"{name!r} has no address")
    number = _text(entry.get("No_celltypes"))
    return Listed(
        name,
        urljoin(address, url),
        _text(entry.get("details")),
        int(number) if re.fullmatch(r"\d{1,7}", number, flags=re.ASCII) else None,
        _text(entry.get("version")),
        _text(entry.get("date")),
        _text(entry.get("source")),
        entry.get("default") is True,
    )


def _text(value: Any, longest: int = 2000) -> str:
    """A string on one line, that no terminal takes for a command."""
    if not isinstance(value, str | int | float):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)[:longest]).split())


# ---- converted models


def converted(sha256: str) -> Path:
    """Where the model is kept that was converted from the pickle of a checksum."""
    return cache_folder() / f"celltypist-{sha256}.safetensors"


def _note(name: str) -> Path:
    """The file that records the checksum of a name, one for each list."""
    hub = hashlib.sha256(index_address().encode()).hexdigest()[:16]
    return cache_folder() / f"celltypist-{hub}-{name}.json"


def kept_model(name: str, sha256: str | None = None) -> KeptModel | None:
    """The converted model of a name, or of a checksum; None where it is not kept."""
    if not _NAME.fullmatch(name):
        return None
    try:
        found = sha256 or json.loads(_note(name).read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(found, str) or not re.fullmatch(r"[0-9a-f]{64}", found) or not converted(found).is_file():
        return None
    return KeptModel(converted(found), found)


def note_model(name: str, sha256: str, url: str) -> None:
    """Remember which pickle a name stood for."""
    write_note(_note(name), {"url": without_login(url), "sha256": sha256})
