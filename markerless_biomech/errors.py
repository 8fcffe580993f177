"""The one exception that users see: a sentence that says what, where, what was expected and how to mend it."""

LONGEST = 1600
"""Characters of a sentence; what is cut is in its middle, where names and values of others stand."""


class InputError(ValueError):
    """Bad input. The message is one sentence for a person; the commands print it and exit with 1.

    It is one line that can be printed, whatever of a damaged file or message it repeats.
    """

    def __init__(self, sentence: str) -> None:
        line = "".join(letter if letter.isprintable() else " " for letter in sentence)
        if len(line) > LONGEST:
            line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
        super().__init__(line)
