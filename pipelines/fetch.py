"""Fetch what publishers offer, into one folder per source, as `pipelines.build --raw` reads it.

    python -m pipelines.fetch pubmed pmc --dest raw

Interrupted, the same command goes on where it stopped; finished, it fetches what is new.
"""

import argparse
import difflib
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

from corpus.sources import Source
from corpus.sources.instructions import Instructions
from pipelines.download import fetch_source
from pipelines.recipe import find


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.fetch", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="pubmed, pmc, mimic, redpajama, guidelines, …")
    parser.add_argument("--dest", type=Path, default=Path("raw"), help="where the sources' folders lie (raw)")
    parser.add_argument("--limit", type=int, help="at most so many files (of pmc: articles) of each source")
    parser.add_argument("--since", metavar="DATE", help="of pubmed: only files published on YYYY-MM-DD or later")
    parser.add_argument("--recipe", default="me-llama", help="whose sources: a recipe's name or its Python file")
    parser.add_argument("--base", help="another address of the one source that is named: a mirror, a folder, s3://…")
    given = parser.parse_args(arguments)
    failed = False
    try:
        for source in chosen(given.recipe, given.sources, given.since, given.base, given.limit):
            try:
                folder = source.folder if isinstance(source, Instructions) else source.name
                fetch_source(source, given.dest / folder, limit=given.limit)
            except (ValueError, OSError) as error:  # the next source has another publisher
                failed = _told(error)
    except (ValueError, OSError) as error:
        failed = _told(error)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    if failed:
        return 2
    print(f"next: python -m pipelines.build --mix 15:1:4 --raw {given.dest}")
    return 0


def _told(error: Exception) -> bool:
    print(f"error: {error}", *getattr(error, "__notes__", []), sep="\n  ", file=sys.stderr)
    return True


def chosen(
    recipe: str, names: Sequence[str], since: str | None = None, base: str | None = None, limit: int | None = None
) -> list[Source]:
    """The recipe's sources of these names, as the other options want them. Raises ValueError."""
    known = {stream.source.name: stream.source for stream in find(recipe).streams}
    found = []
    if limit is not None and limit < 1:
        raise ValueError(f"--limit {limit}: expected at least 1")
    if since is not None:
        try:
            since = date.fromisoformat(since).isoformat()
        except ValueError:
            raise ValueError(f"--since {since}: expected a date as YYYY-MM-DD") from None
    if base is not None and len(names) != 1:
        raise ValueError(f"--base is the address of one source, but {len(names)} are named; fetch them one by one")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"the recipe {recipe} has no source {name!r}{hint} It has {', '.join(known)}")
        source = known[name]
        if base is not None:
            slash = "/" if str(getattr(source, "base", "")).endswith("/") else ""
            source = replace(source, base=base.rstrip("/") + slash)  # type: ignore[type-var]
        if since is not None:
            if not any(one.name == "since" for one in fields(source)):  # type: ignore[arg-type]
                raise ValueError(f"--since: {name} publishes no dated updates; leave the option out for it")
            source = replace(source, since=since)  # type: ignore[type-var]
        found.append(source)
    return found


if __name__ == "__main__":
    sys.exit(main())
