"""The one exception that users see: a sentence that says what, where, what was expected and how to mend it."""


class InputError(ValueError):
    """Bad input. The message is one sentence for a person; the commands print it and exit with 1."""
