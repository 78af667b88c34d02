"""The exceptions of LiqTrend, arranged by what the caller should do about them.

::

    LiqError
    ├── UsageError          the user must change something; never retried
    │   ├── SettingsError       a configuration key is wrong; names the key
    │   └── ImportRefused       a file cannot be read at all; names the file
    ├── StoreError          the store cannot serve; entries stop, exits go on
    │   ├── StoreBusy           locked by somebody else; the same call may work later
    │   ├── StoreTooNew         written by a newer LiqTrend; nothing was touched
    │   ├── StoreRefused        what was to be written cannot be stored; the store is well
    │   └── StoreUnusable       unwritable, full or corrupt; needs a person
    │       └── NoStore             somebody else's file; nothing was touched
    ├── JudgeError          no usable verdict; on_llm_unavailable says what then
    │   └── ModelFailure        a language model: unreachable, over budget, or nonsense
    └── FeedError           an exchange connection; reconnected by the stream
        └── FeedRefused         the exchange says no (403, 429, 451); retried slowly
"""


class LiqError(Exception):
    """Base of everything that LiqTrend raises on purpose."""


class UsageError(LiqError):
    """The user has to change something before a retry makes sense."""


class SettingsError(UsageError):
    """A configuration value is wrong. The message names the key and the remedy."""


class ImportRefused(UsageError):
    """A whole file was refused. The message names the file and the reason."""


class StoreError(LiqError):
    """The store cannot be read or written."""


class StoreBusy(StoreError):
    """The store is locked by another process; trying again later may work."""


class StoreTooNew(StoreError):
    """The store's schema is newer than this program; nothing was changed."""


class StoreRefused(StoreError):
    """The store takes other records but not these; trying again changes nothing."""


class StoreUnusable(StoreError):
    """The store is unwritable, full or corrupt."""


class NoStore(StoreUnusable):
    """The file is another program's, or no database at all; nothing was changed."""


class FeedError(LiqError):
    """A connection to an exchange failed; the stream reconnects."""


class FeedRefused(FeedError):
    """The exchange refuses this client (HTTP 403, 429 or 451); retried slowly."""


class JudgeError(LiqError):
    """A judge gave no usable answer; ``on_llm_unavailable`` says what then."""


class ModelFailure(JudgeError):
    """
    A language model gave no usable answer.

    :param kind: in words that are counted, see ``judge.failures`` and who raises it
    :param call_id: of the question in ``model_calls``, once it is on record there
    """

    def __init__(self, kind: str, detail: str, call_id: str = "") -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.call_id = call_id
