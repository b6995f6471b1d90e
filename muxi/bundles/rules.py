"""The files of a folder that never travel to a server, by their names and by what is in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from functools import cache

__all__ = [
    "IGNORED",
    "KEY_HEAD",
    "NEVER",
    "NEVER_AT_TOP",
    "REFUSED_REASONS",
    "SECRET_FILES",
    "is_private_key",
    "reason_never",
]

#: Files of the top directory that the server requires of a formation that uses secrets.
SECRET_FILES = ("secrets.enc", ".key")

#: Patterns of names that never travel, wherever they are in the folder, by reason. Upper and lower case are the same.
NEVER: dict[str, tuple[str, ...]] = {
    "version control": (".git", ".hg", ".svn", ".jj", ".bzr", "CVS", "_darcs"),
    "cache": (
        *("__pycache__", "*.pyc", "*.pyo", ".*_cache", ".cache", "*.egg-info", ".tox", ".nox", ".eggs"),
        *("node_modules", ".ipynb_checkpoints", ".parcel-cache", ".gradle"),
    ),
    "environment": (".venv", "venv", ".env", ".env.*", ".envrc", ".direnv"),
    "credentials": (
        *(".aws", ".azure", ".kube", ".docker", ".ssh", ".gnupg", ".gcloud", ".oci", ".password-store"),
        *(".netrc", "_netrc", ".npmrc", ".yarnrc.yml", ".pypirc", ".git-credentials", ".pgpass", ".my.cnf", ".boto"),
        *(".s3cfg", ".dockercfg", ".dockerconfigjson", ".htpasswd", ".vault-token", ".terraformrc", "kubeconfig"),
        *("*.kubeconfig", "credentials.json", "credentials.tfrc.json", "client_secret*.json", "token.json"),
        *("service-account*.json", "service_account*.json", "application_default_credentials.json"),
        *("*-firebase-adminsdk-*.json", "local.settings.json", "auth.json", "*.tfvars", "*.tfvars.json"),
        *("secret.yaml", "secret.yml", "secret.json", "secret.toml", "*.kdbx"),
        *("secrets.yaml", "secrets.yml", "secrets.json", "secrets.toml"),
        *(".config", ".cargo", ".gem", ".composer", ".age", ".sops", ".snowsql", ".snowflake", ".databrickscfg"),
        *(".fly", ".vercel", ".netlify", ".ngrok2", "ngrok.yml", "rclone.conf", ".rclone.conf", ".sentryclirc"),
        *("pip.conf", "pip.ini", ".condarc", ".mylogin.cnf", ".msmtprc", ".clasprc.json", ".*_history"),
    ),
    "private key": (
        *("*.key", "*.pem", "*.p12", "*.pfx", "*.p8", "*.ppk", "*.jks", "*.keystore"),
        *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk", "id_xmss"),
    ),
    "state": ("*.tfstate", "*.tfstate.*", ".terraform"),
    "local file": (".muxi", "*.log", "*.tmp"),
    "editor": (
        *(".idea", ".vscode", "*.swp", "*.swo", "*~", ".#*", "#*#", ".DS_Store", "._*", "Thumbs.db", "desktop.ini"),
    ),
}

#: Patterns of names that never travel from the top of the folder.
NEVER_AT_TOP: dict[str, tuple[str, ...]] = {
    # The template of the secrets in plain text.
    "credentials": ("secrets",),
    # It would replace the memory of the live formation.
    "memory": ("memory.db", "memory.db-*"),
}

#: Reasons for which an archive that has such an entry is refused; of others, it is the author's choice.
REFUSED_REASONS = frozenset({"version control", "environment", "credentials", "private key", "state"})

#: All patterns of :data:`NEVER`.
IGNORED: tuple[str, ...] = tuple(pattern for patterns in NEVER.values() for pattern in patterns)

#: Bytes of a file that are searched for the head of a private key.
KEY_HEAD = 2048

_KEY_HEADS = (b"-----BEGIN ", b"PuTTY-User-Key-File-")

#: Lines that OpenSSL puts before a key that it exports.
_EXPORTED = (b"Bag Attributes", b"Key Attributes")


def reason_never(name: str, *, at_top: bool) -> str | None:
    """Return the reason why a file or directory of this name never travels; None if it may.

    ``secrets.enc`` and ``.key`` travel from the top of the folder: the server takes no secrets without both.
    """
    if at_top and name in SECRET_FILES:
        return None
    rules = (*_compile(at_top=False), *(_compile(at_top=True) if at_top else ()))
    return next((reason for reason, matches in rules if matches(name.lower())), None)


@cache
def _compile(*, at_top: bool) -> tuple[tuple[str, Callable[[str], object]], ...]:
    rules = NEVER_AT_TOP if at_top else NEVER
    return tuple(
        (reason, re.compile("|".join(translate(pattern.lower()) for pattern in patterns)).fullmatch)
        for reason, patterns in rules.items()
    )


def is_private_key(head: bytes) -> bool:
    """Tell whether a file begins as a private key does, by itself, as exported by OpenSSL, or in a JSON object."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return b'"-----BEGIN ' in text and b"PRIVATE KEY-----" in text
    if text.startswith(_EXPORTED):
        return any(_is_key_head(line) for line in text.splitlines())
    return _is_key_head(text.partition(b"\n")[0])


def _is_key_head(line: bytes) -> bool:
    return line.startswith(_KEY_HEADS[1]) or (line.startswith(_KEY_HEADS[0]) and b"PRIVATE KEY" in line)
