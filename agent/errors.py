"""The errors that people see. Each message says what is wrong and what to do."""


class SelfhelpError(RuntimeError):
    """An error whose message says what is wrong and what to do.

    It is a RuntimeError because the LangGraph server keeps the messages of other errors from its clients.
    """


class ModelUnavailable(SelfhelpError):
    """A model that cannot be reached or loaded. The next model of the chain is tried."""


class AnswersUnavailable(SelfhelpError):
    """Kept answers that cannot be read or written. The question is asked anew."""


class SettingsError(SelfhelpError):
    """A setting, persona or tool name that cannot be used. The person who configured it mends it."""


class BrokenReply(SelfhelpError):
    """A reply that broke off, or is neither an answer nor calls. The model is asked once more."""
