"""What a person sees while a build runs: stage, share done, rate, time left. On stderr."""

import sys
import time
from dataclasses import dataclass, field


def span(seconds: float) -> str:
    """Seconds as a person says them: 40 s, 3 min 20 s, 5 h 10 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def amount(count: float, unit: str = "") -> str:
    """A count with a thousand's letter: 950, 12.3k, 4.5M, 1.2B; bytes (unit B) count in G."""
    for size, letter in ((1e12, "T"), (1e9, "G" if unit == "B" else "B"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= size:
            return f"{count / size:.3g}{letter}{unit}"
    return f"{count:.0f}{unit}"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass
class Progress:
    """One stage: `total` pieces of the given weight in all (bytes, documents), told as they end."""

    label: str
    pieces: int
    weight: float
    unit: str = "B"
    every: float = 10.0  # seconds between lines when nobody watches a terminal
    done: int = 0
    passed: float = 0.0
    began: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def step(self, weight: float) -> None:
        """One piece is done."""
        self.done += 1
        self.passed += weight
        if self.done < self.pieces:
            self.beat()

    def beat(self) -> None:
        """Tells how far it is, unless it was told just now."""
        now = time.monotonic()
        live = sys.stderr.isatty()
        if now - self.told < (0.2 if live else self.every):
            return
        self.told = now
        rate = self.passed / max(now - self.began, 1e-9)
        left = f"{amount(rate, self.unit)}/s, {span((self.weight - self.passed) / rate)} left" if rate else "at work"
        text = f"  {self.label}: {self.done} of {self.pieces} after {span(now - self.began)}, {left}"
        print(f"{text:<79}", end="\r" if live else "\n", file=sys.stderr, flush=True)

    def end(self, made: int) -> None:
        """The stage's last line; `made` is how many of the pieces were not there already."""
        took = time.monotonic() - self.began
        if made:
            text = f"  {self.label}: {made} of {self.pieces} made in {span(took)}"
            text += f" ({amount(self.passed / max(took, 1e-9), self.unit)}/s)"
        else:
            text = f"  {self.label}: {self.pieces} there already"
        say(f"{text:<79}")
