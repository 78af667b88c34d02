"""The threads of a sidecar that several of its parts share."""

from concurrent.futures import ThreadPoolExecutor

from liq_provider.core.one_thread import OneThread

_QUESTIONS_AT_ONCE = 8


class Threads:
    """
    :ivar writing: the only one that writes to the store, so that what was received before a
        minute was settled is also stored before it is settled; a call in it may never return
    :ivar computing: reads and measures a settled minute, while ``writing`` stores what comes; what
        it reads may never return either
    :ivar asking: wait for REST APIs, and read what no decision waits for
    :ivar looking: looks at the running minute
    """

    def __init__(self) -> None:
        self.writing = OneThread("store")
        self.computing = OneThread("computing")
        self.asking = ThreadPoolExecutor(_QUESTIONS_AT_ONCE, thread_name_prefix="exchange")
        self.looking = ThreadPoolExecutor(1, thread_name_prefix="running")

    def close(self) -> None:
        """Take nothing new; what hangs in one of them is not waited for."""
        self.writing.shutdown(wait=False)
        self.computing.shutdown(wait=False, cancel_futures=True)
        self.looking.shutdown(wait=False, cancel_futures=True)
        self.asking.shutdown(wait=False, cancel_futures=True)
