"""Whether networks fit a device: a program answers, the window shows one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_hubseg.jobs.memory_check import Fit, told

Wait = Callable[[Callable[[], bool]], None]


def answer(fits: bool = True) -> dict[str, Any]:
    rows = [
        {"encoder": "small", "size": 768, "memory_bytes": 4e8},
        {"encoder": "large", "size": 1472, "memory_bytes": 3.14e9},
    ]
    return {"device": "cuda:0", "device_bytes": 8e9, "fits": fits, "networks": rows}


def program(folder: Path, text: str) -> tuple[str, ...]:
    """Return a command that runs `text` as Python."""
    file = folder / "answers.py"
    file.write_text(text, "utf-8")
    return (sys.executable, str(file))


@pytest.mark.parametrize(("fits", "word"), [(True, "fits"), (False, "does not fit")])
def test_the_largest_network_decides(fits: bool, word: str) -> None:
    line = told(answer(fits))
    assert line == f"{word} cuda:0: large at 1472 px takes about 3.1 of 8 GB a view"


def test_the_answer_comes_home_and_is_kept(tmp_path: Path, qapp: Any, wait: Wait) -> None:
    count = tmp_path / "asked"
    fit = Fit(
        program(
            tmp_path,
            f"import pathlib; p = pathlib.Path({str(count)!r})\n"
            "p.write_text(p.read_text() + '.' if p.exists() else '.')\n"
            f"print({json.dumps(answer())!r})",
        )
    )
    fit.ask("some", "auto")
    assert fit.text == "counting what the networks take …"
    wait(lambda: not fit.asking)
    fit.forget()
    assert fit.text == ""
    fit.ask("some", "auto")
    assert fit.text == told(answer())
    assert count.read_text() == "."


def test_the_last_question_counts(tmp_path: Path, qapp: Any, wait: Wait) -> None:
    echo = (
        "import json, sys\n"
        "a = json.loads(sys.argv[1])\n"
        "print(json.dumps({**a, 'device': sys.argv[5]}))"
    )
    fit = Fit((*program(tmp_path, echo), json.dumps(answer())))
    fit.ask("some", "cuda:0")
    fit.ask("some", "cpu")
    wait(lambda: not fit.asking)
    assert fit.text.startswith("fits cpu")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print('no JSON')", "could not start"),
        ("import sys; sys.exit('hubseg: There is no cuda:3.')", "There is no cuda:3."),
    ],
)
def test_what_cannot_be_known_is_said(
    text: str, said: str, tmp_path: Path, qapp: Any, wait: Wait
) -> None:
    fit = Fit(program(tmp_path, text))
    fit.ask("some", "cuda:3")
    wait(lambda: not fit.asking)
    assert fit.text.startswith("not known whether it fits")
    assert said in fit.text


def test_a_program_that_is_not_there_is_said(tmp_path: Path, qapp: Any, wait: Wait) -> None:
    fit = Fit((str(tmp_path / "nowhere"),))
    fit.ask("some", "cpu")
    wait(lambda: not fit.asking)
    assert "not known" in fit.text


def test_closing_ends_the_program(tmp_path: Path, qapp: Any) -> None:
    fit = Fit(program(tmp_path, "import time; time.sleep(60)"))
    fit.ask("some", "cpu")
    fit.close()
    assert not fit.asking
