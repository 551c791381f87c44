"""The one kind of error that is the user's to mend."""


class UserError(ValueError):
    """A mistake in the input: its text is one sentence that names what is wrong and what to change.

    Programs print the sentence without a traceback; every other exception is a bug and keeps its traceback.
    """
