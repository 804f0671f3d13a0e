"""Telling a certificate that is not trusted from an outage: waiting does not mend it, somebody must look."""

import ssl


def distrusted(error: BaseException | None) -> bool:
    """Whether an error comes of a certificate that is not trusted, or is made out to another name."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None
