"""Whose certificates are trusted when a connection is opened."""

import ssl
from functools import cache


@cache
def trusted(from_environment: bool, /) -> ssl.SSLContext:
    """
    Reading the certificates takes longer than a request, so they are read once.

    :param from_environment: ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` count
    """
    import httpx2

    return httpx2.create_ssl_context(trust_env=from_environment)
