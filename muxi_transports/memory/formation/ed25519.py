"""Ed25519 signatures (RFC 8032), verified by the library of the extra ``[test]``."""

from __future__ import annotations

from muxi.errors import MissingExtraError

__all__ = ["verify"]


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """True if a signature of this message verifies with this key.

    Args:
        public_key: 32 bytes.
        signature: 64 bytes.
        message: what was signed.

    Raises:
        ConfigurationError: the library is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as missing:
        raise MissingExtraError(
            f"signatures of distilleries need a library ({missing}): pip install 'muxi-client[test]'"
        ) from missing
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
