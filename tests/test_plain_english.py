"""What people read is plain English in American spelling, as in Keras."""

import ast
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import keras_rectifiers
from keras_rectifiers.cli.main import COMMANDS
from keras_rectifiers.cli.main import main

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = Path(keras_rectifiers.__file__).parent

_BRITISH = re.compile(
    r"\b\w*(?:"
    r"(?:normal|initial|regular|modern|recogn|random|penal|capital|standard|vector"
    r"|quant|optim|serial|parametr|summar|general|minim|maxim|organ|real|final|custom"
    r"|character|categor|visual|synchron|local|special|util)is(?:e[drs]?|ing|ations?)"
    r"|colours?|coloured|behaviours?|neighbour\w*|favou?rit|honour|labell(?:ed|ing)"
    r"|marshalled|modell(?:ed|ing)|cancelled|analys(?:e[ds]?|ing)|centre[ds]?|grey"
    r"|licence|artefact|learnt|spelt|whilst|catalogue|judgement|practise[ds]?"
    r")\b",
    re.IGNORECASE,
)

# What was translated word by word, and what to write instead.
_PHRASES = {
    r"\btold\b(?! apart)": "shown, named or reported",
    r"\banew\b": "again",
    r"\bbeside\b": "next to, with, or in addition to",
    r"\bstands\b(?! alone)|\bstood\b": "is",
    r"\bcarried\b": "kept, moved or applied",
    r"\bof (?:its|their) own\b": "its own, their own, custom, separate",
    r"\bgoes? on from\b": "resumes from",
    r"(?<!there )\b(?:is|are|was|were) no (?!longer\b|better\b|more\b|less\b)": "not a",
    r"\b(?:number|which) is none\b": "is not one",
    r"(?:^|[.:] )(?:Kept|Counted|Followed|Found) (?:is|are)\b": "subject, verb, object",
    r"\bto the last unit\b": "all units",
    r"\bso many\b": "this many",
    r"\bof a form of the past\b|\bin a form of the past\b": "in a legacy layout",
    r"\bnobody vouches\b": "untrusted",
}
_TRANSLATED = re.compile("|".join(_PHRASES), re.IGNORECASE)

# Right where they are: what the expressions match, by the words around it.
_ALLOWED = (
    "Analysis",  # titles of books
    "beside: ",  # the name of an argument
    "told: ",
    "by `anew`",  # the name of a function
)


def _faults(text):
    """What to rewrite in a text, each with the words around it."""
    flat = " ".join(text.split())
    found = [*_BRITISH.finditer(flat), *_TRANSLATED.finditer(flat)]
    around = [flat[max(each.start() - 30, 0) : each.end() + 30] for each in found]
    return [words for words in around if not any(ok in words for ok in _ALLOWED)]


def _texts(path):
    """The docstrings and the strings of a module that are sentences, with their lines.

    A string without a space is an identifier, a key or a file name.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [each for each in node.values if isinstance(each, ast.Constant)]
            yield node.lineno, " … ".join(str(each.value) for each in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _documents():
    names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
    return [*(_ROOT / name for name in names), *sorted(_ROOT.glob("docs/**/*.md"))]


def _prose(markdown):
    """A page without its code blocks; what stands between backticks goes, too."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL))


def test_messages_and_docstrings_are_plain_english():
    """No British spelling and no phrase that reads as translated."""
    faults = [
        f"{path.relative_to(_PACKAGE)}:{line}: {fault}"
        for path in sorted(_PACKAGE.rglob("*.py"))
        for line, text in _texts(path)
        if " " in text
        for fault in _faults(text)
    ]

    assert faults == []


def test_documents_are_plain_english():
    """README, contributing guide, changelog and every page."""
    faults = [
        f"{path.relative_to(_ROOT)}: {fault}"
        for path in _documents()
        for fault in _faults(_prose(path.read_text(encoding="utf-8")))
    ]

    assert faults == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_help_of_each_command_is_plain_english(name):
    """The help text with all options."""
    shown = CliRunner().invoke(main, [name, "--help"])

    assert shown.exit_code == 0
    assert _faults(shown.output) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("The colour of dead units.", "colour"),
        ("Weights are initialised once.", "initialised"),
        ("The weights are drawn anew.", "anew"),
        ("The value is no number.", "is no "),
        ("Counted are epochs from 0.", "Counted are"),
        ("A layer of its own.", "of its own"),
        ("A unit that never fired on so many samples.", "so many"),
    ],
)
def test_a_fault_is_found(text, fault):
    """Each kind is found where it is."""
    (found,) = _faults(text)

    assert fault in found


@pytest.mark.parametrize(
    "text",
    [
        "There is no such file.",
        "The layer is no longer shared.",
        "A stand-alone weights file.",
        "Initialize the normalization layer; its behavior is random.",
    ],
)
def test_plain_english_passes(text):
    """What a native speaker writes is no fault."""
    assert _faults(text) == []
