"""Bundles: which files of a folder travel, which never do, and that archives are checked as strictly."""

from __future__ import annotations

import builtins
import gzip
import io
import json
import logging
import os
import sys
import tarfile
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from muxi import bundles
from muxi.bundles import BundlePlan, LeftOut, pack, plan, prepare
from muxi.errors import ConfigurationError, ValidationError
from tests.server.bench import AFS, archive, folder

CREDENTIALS = [
    ".aws/credentials",
    ".azure/x",
    ".kube/config",
    ".docker/config.json",
    ".ssh/known_hosts",
    ".gnupg/x",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".pgpass",
    ".dockercfg",
    ".dockerconfigjson",
    ".htpasswd",
    ".vault-token",
    "credentials.json",
    "client_secret_1.json",
    "service-account.json",
    "service_account-prod.json",
    "secrets.yaml",
    "secrets.json",
    "secrets.toml",
    "kubeconfig",
    "x.kubeconfig",
    "auth.json",
    "bot-firebase-adminsdk-a1.json",
    "local.settings.json",
    "prod.tfvars",
    "secret.yml",
    ".config/gcloud/credentials.db",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".databrickscfg",
    ".snowsql/config",
    ".vercel/auth.json",
    "rclone.conf",
    "pip.conf",
    ".bash_history",
]
PRIVATE_KEYS = [
    "id_rsa",
    "id_ed25519",
    "id_ed25519_sk",
    "id_ecdsa_sk",
    "tls.pem",
    "SERVER.KEY",
    "a.p12",
    "a.pfx",
    "a.jks",
    "a.keystore",
    "a.ppk",
    "a.p8",
]
OTHERS = {
    "version control": [".git/config", ".hg/x", ".svn/x", "CVS/x"],
    "cache": ["__pycache__/a.pyc", "a.pyc", ".mypy_cache/x", "node_modules/x", ".tox/x"],
    "environment": [".venv/x", "venv/x", ".env", ".env.local", ".ENV", ".envrc"],
    "state": ["a.tfstate", "a.tfstate.backup", ".terraform/x"],
    "local file": [".muxi/x", "a.log", "a.tmp"],
    "editor": [".idea/x", ".vscode/x", "a.swp", "a~", ".DS_Store"],
}
NEVER = [
    *(("credentials", name) for name in CREDENTIALS),
    *(("private key", name) for name in PRIVATE_KEYS),
    *((reason, name) for reason, names in OTHERS.items() for name in names),
]


def put(path: Path, *names: str, text: str = "x") -> Path:
    for name in names:
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def refusal(bundle: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        prepare(bundle)
    assert caught.value.code == "INVALID_BUNDLE"
    return caught.value.message


def reasons(path: Path) -> dict[str, str]:
    return {item.name: item.reason for item in plan(path).left_out}


@pytest.mark.parametrize(("reason", "name"), NEVER)
@pytest.mark.parametrize("below", ["", "deep/er/"])
def test_what_never_travels_is_left_out_with_its_reason(tmp_path: Path, below: str, reason: str, name: str) -> None:
    path = put(folder(tmp_path), below + name, below + "stays.txt")
    planned = plan(path)
    top = name.partition("/")[0] + ("/" if "/" in name else "")
    assert planned.left_out == (LeftOut(below + top, reason),)
    assert sorted(planned.files) == sorted([below + "stays.txt", "formation.afs"])


def test_a_private_key_is_known_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    path = folder(tmp_path)
    for index, kind in enumerate(("RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY")):
        put(path, f"key{index}.txt", text=f"-----BEGIN {kind}-----\nAAAA\n")
    put(path, "putty.txt", text="PuTTY-User-Key-File-3: ssh-ed25519")
    put(path, "mark.txt", text="\ufeff-----BEGIN PRIVATE KEY-----\nAAAA\n")
    put(path, "exported.txt", text="Bag Attributes\n    localKeyID: 01\n-----BEGIN PRIVATE KEY-----\nAAAA\n")
    account = {"type": "service_account", "project_id": "p", "private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n"}
    put(path, "account.json", text=json.dumps(account))
    put(path, "tool.json", text='{"help": "paste the -----BEGIN CERTIFICATE-----"}')
    put(path, "public.txt", text="-----BEGIN PUBLIC KEY-----\n")
    put(path, "notes.md", text="How to make a -----BEGIN PRIVATE KEY----- file")
    assert set(reasons(path).values()) == {"private key"}
    assert plan(path).files == ("formation.afs", "notes.md", "public.txt", "tool.json")
    data = archive({"bot/formation.afs": AFS, "bot/account.json": json.dumps(account)})
    assert "bot/account.json' (private key), which must not travel" in refusal(data)


def test_a_virtual_environment_is_known_by_its_configuration(tmp_path: Path) -> None:
    assert reasons(put(folder(tmp_path), "env39/pyvenv.cfg", "env39/bin/python")) == {"env39/": "environment"}


def test_secrets_travel_from_the_top_of_the_folder_only(tmp_path: Path) -> None:
    path = put(
        folder(tmp_path), ".key", "secrets.enc", "secrets", "memory.db", "sub/.key", "sub/secrets.enc", "sub/secrets"
    )
    assert reasons(path) == {"secrets": "credentials", "memory.db": "memory", "sub/.key": "private key"}


def test_packing_reports_what_travels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "muxi.bundles")
    path = put(folder(tmp_path), ".env", ".git/config", "agents/a.afs")
    buffer = io.BytesIO()
    report = pack(path, buffer)
    assert report == plan(path) == prepare(path).plan
    assert report.files == ("agents/a.afs", "formation.afs")
    assert report.size == 1 + len(AFS)
    line = f"{path}: 2 files, {1 + len(AFS)} bytes; left out: .env (environment), .git/ (version control)"
    assert str(report) == line
    assert caplog.messages == [f"packing {line}"] * 2
    with tarfile.open(fileobj=io.BytesIO(buffer.getvalue())) as packed:
        assert [member.name for member in packed if member.isfile()] == [f"my-bot/{name}" for name in report.files]


def test_the_line_names_the_first_of_many(tmp_path: Path) -> None:
    path = put(folder(tmp_path), *(f"{index}.log" for index in range(20)))
    assert str(plan(path)).endswith("(local file) and 12 more")


def test_an_archive_has_no_plan(tmp_path: Path) -> None:
    assert prepare(archive({"b/formation.afs": AFS})).plan is None
    assert isinstance(bundles.plan, type(plan))
    assert isinstance(plan(folder(tmp_path)), BundlePlan)


# -- ignore files ------------------------------------------------------------------------------------------------------


def test_ignore_files_are_honoured_as_git_does(tmp_path: Path) -> None:
    path = put(folder(tmp_path), "a.csv", "keep.csv", "data/x.bin", "data/y.txt", "docs/draft.md", "docs/deep/draft.md")
    (path / ".gitignore").write_text("# data\n*.csv\n!keep.csv\n/data/*.bin\n")
    (path / "docs" / ".gitignore").write_text("draft.md\n!deep/draft.md\n")
    assert reasons(path) == {"a.csv": ".gitignore", "data/x.bin": ".gitignore", "docs/draft.md": "docs/.gitignore"}


def test_muxiignore_decides_before_gitignore_and_nothing_brings_back_what_never_travels(tmp_path: Path) -> None:
    path = put(folder(tmp_path), "model.bin", "notes.md", ".env", ".key", "secrets.enc")
    (path / ".gitignore").write_text("*.bin\n.key\n.env\n")
    (path / ".muxiignore").write_text("!model.bin\nnotes.md\n!.env\n")
    assert reasons(path) == {".env": "environment", "notes.md": ".muxiignore"}
    assert {"model.bin", ".key", "secrets.enc"} <= set(plan(path).files)
    (path / ".muxiignore").write_text(".key\n")
    assert reasons(path)[".key"] == ".muxiignore"


def repository(tmp_path: Path) -> Path:
    """A folder two levels below the root of a repository."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "bots" / "my-bot").mkdir(parents=True)
    return put(folder(tmp_path / "bots" / "my-bot"), "a.csv", "b.bin", "c.txt", "deep/a.csv")


def test_ignore_files_above_the_folder_are_honoured_up_to_the_root_of_its_repository(tmp_path: Path) -> None:
    path = repository(tmp_path)
    (tmp_path / ".gitignore").write_text("*.csv\n*.bin\n/c.txt\n")
    (tmp_path / "bots" / ".gitignore").write_text(f"!b.bin\n/{path.name}/c.txt\n")
    top, below = str(tmp_path / ".gitignore"), str(tmp_path / "bots" / ".gitignore")
    assert reasons(path) == {"a.csv": top, "deep/a.csv": top, "c.txt": below}
    (path / ".muxiignore").write_text("!a.csv\n")
    assert reasons(path) == {"c.txt": below}


def test_they_are_not_beyond_it_nor_without_a_repository(tmp_path: Path) -> None:
    path = repository(tmp_path)
    (tmp_path / "bots" / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.csv\n")
    assert reasons(path) == {}
    (tmp_path / "bots" / ".git").rmdir()
    assert reasons(path) != {}
    (tmp_path / ".git").rmdir()
    assert reasons(path) == {}


def test_a_folder_that_its_repository_ignores_whole_is_packed_by_its_own_rules(tmp_path: Path) -> None:
    path = repository(tmp_path)
    (tmp_path / ".gitignore").write_text("bots/\n*.csv\n")
    assert reasons(path) == {}


def test_the_key_of_secrets_travels_though_the_repository_ignores_it(tmp_path: Path) -> None:
    path = put(repository(tmp_path), ".key", "secrets.enc")
    (tmp_path / ".gitignore").write_text(".key\n")
    assert reasons(path) == {}


def test_packing_reports_its_progress_by_files_and_bytes(tmp_path: Path) -> None:
    path = put(folder(tmp_path), "a", "b")
    seen: list[tuple[int, int]] = []
    prepare(path, packing=lambda done, total: seen.append((done, total)))
    size = plan(path).size
    assert seen == [(1, size), (2, size), (size, size)]


def test_an_excluded_directory_is_left_out_whole(tmp_path: Path) -> None:
    path = put(folder(tmp_path), "build/a", "build/b/c")
    (path / ".muxiignore").write_text("build/\n")
    assert reasons(path) == {"build/": ".muxiignore"}


def test_without_pathspec_a_folder_with_an_ignore_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pathspec", None)
    path = folder(tmp_path)
    assert plan(path).files == ("formation.afs",)
    (path / "sub").mkdir()
    (path / "sub" / ".gitignore").write_text("x")
    with pytest.raises(ConfigurationError, match=r"sub/\.gitignore .*pip install 'muxi-client\[bundles\]'"):
        pack(path, io.BytesIO())


def test_an_excluded_formation_file_is_reported(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / ".gitignore").write_text("*.afs\n")
    assert "formation file" in refusal(path)
    assert "excluded by its ignore files" in refusal(path)


# -- links -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [".env", ".git/config", "ignored.csv", "sub/.ssh/config", ".key", "hidden-key.txt"])
def test_a_link_is_judged_by_its_target(tmp_path: Path, target: str) -> None:
    path = put(folder(tmp_path), ".env", ".git/config", "ignored.csv", "sub/.ssh/config", ".key")
    put(path, "hidden-key.txt", text="-----BEGIN PRIVATE KEY-----")
    (path / ".gitignore").write_text("ignored.csv")
    (path / "link").symlink_to(target)
    assert "link" not in plan(path).files
    assert "link" in reasons(path)


# -- archives ----------------------------------------------------------------------------------------------------------


def special(name: str, kind: bytes, link: str = "", **rest: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", **rest) as made:
        info = tarfile.TarInfo("bot/formation.afs")
        info.size = len(AFS)
        made.addfile(info, io.BytesIO(AFS.encode()))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        made.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (special("bot/link", tarfile.SYMTYPE, "/etc/passwd"), "the link 'bot/link' to '/etc/passwd'"),
        (special("bot/link", tarfile.SYMTYPE, "formation.afs"), "the link 'bot/link'"),
        (special("bot/hard", tarfile.LNKTYPE, "bot/formation.afs"), "the link 'bot/hard'"),
        (special("bot/null", tarfile.CHRTYPE), "neither a file nor a directory"),
        (special("bot/disk", tarfile.BLKTYPE), "neither a file nor a directory"),
        (special("bot/pipe", tarfile.FIFOTYPE), "neither a file nor a directory"),
        (archive({"bot/formation.afs": AFS, "/etc/x": ""}), "'/etc/x', which is not relative"),
        (archive({"bot/formation.afs": AFS, "C:/x": ""}), "'C:/x', which is not relative"),
        (archive({"bot/formation.afs": AFS, "bot/a/../../x": ""}), "leads out"),
        (archive({"bot/formation.afs": AFS, "other/x": ""}), "'other/x' beside its top directory 'bot'"),
        (archive({"bot/formation.afs": AFS, "bot/.env": "K=1"}), "'bot/.env' (environment)"),
        (archive({"bot/formation.afs": AFS, "bot/.git/config": ""}), "'bot/.git/config' (version control)"),
        (archive({"bot/formation.afs": AFS, "bot/x/.aws/credentials": ""}), "(credentials)"),
        (archive({"bot/formation.afs": AFS, "bot/secrets": ""}), "'bot/secrets' (credentials)"),
        (archive({"bot/formation.afs": AFS, "bot/x.pem": ""}), "(private key)"),
        (archive({"bot/formation.afs": AFS, "bot/n.txt": "-----BEGIN RSA PRIVATE KEY-----"}), "(private key)"),
        (archive({"bot/formation.afs": AFS, "bot/x/a.tfstate": ""}), "(state)"),
    ],
)
def test_an_archive_is_checked_as_strictly_as_a_folder(data: bytes, problem: str) -> None:
    assert problem in refusal(data)


def test_an_archive_may_have_what_only_a_folder_leaves_out() -> None:
    files = {"bot/formation.afs": AFS, "bot/memory.db": "x", "bot/a.log": "x", "bot/.key": "x", "bot/secrets.enc": "x"}
    assert prepare(archive(files)).identity.id == "my-bot"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04 a zip", "a zip"),
        (b"BZh9", "a bzip2 file"),
        (b"\xfd7zXZ\x00", "an xz file"),
        (archive({"b/formation.afs": AFS}, compressed=""), "a tar that is not compressed"),
        (b"%PDF", "a file of another kind"),
    ],
)
def test_another_format_is_named(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "my.bundle"
    path.write_bytes(data)
    assert refusal(path).startswith(f"{path} is {kind}; a bundle is a .tar.gz (tar -czf my-bot.tar.gz my-bot)")
    assert refusal(data).startswith(f"the bundle is {kind}")


@pytest.mark.parametrize("path", ["", Path()])
def test_a_path_that_is_none_is_explained(path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(path) == (
        "the path is empty; give that of a .tar.gz, or of a folder"
        if path == ""
        else ". has no formation file (looked for formation.afs, formation.yaml, formation.yml)"
    )
    assert "not a path" in refusal("a\0b")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_extended_headers_are_bounded(kind: bytes) -> None:
    info = tarfile.TarInfo("bot/x")
    info.type, info.size = kind, 64 * 1024 * 1024
    bomb = gzip.compress(info.tobuf() + bytes(info.size))
    tracemalloc.start()
    try:
        assert "extended headers have more than 1048576 bytes" in refusal(bomb)
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_chain_of_extended_headers_is_refused() -> None:
    info = tarfile.TarInfo("bot/x")
    info.type, info.size = tarfile.XHDTYPE, 512
    record = b"11 a=bcdef\n"
    assert "not a readable .tar.gz" in refusal(gzip.compress((info.tobuf() + record.ljust(512, b"\0")) * 5000))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = archive({"b/formation.afs": AFS})
    writer = threading.Thread(target=lambda: pipe.write_bytes(data))
    writer.start()
    body = prepare(pipe).body
    writer.join()
    assert b"".join(body.chunks()) == b"".join(body.chunks()) == data


@pytest.mark.skipif(not Path("/dev/zero").is_char_device(), reason="this system has no /dev/zero: run it on Linux")
def test_a_device_without_an_end_is_refused_by_its_beginning() -> None:
    assert "/dev/zero is a file of another kind" in refusal("/dev/zero")
    with Path("/dev/zero").open("rb", buffering=0) as device:
        assert "is a file of another kind" in refusal(device)


# -- files that cannot be read -----------------------------------------------------------------------------------------


def failing(monkeypatch: pytest.MonkeyPatch, path: Path, error: OSError) -> None:
    """Let one file fail when it is opened."""
    real = builtins.open

    def opened(name: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(name, str | os.PathLike) and os.fspath(name) == str(path):
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", opened)


@pytest.mark.parametrize("name", ["data.txt", "formation.afs", ".gitignore"])
def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = put(folder(tmp_path), "data.txt", ".gitignore")
    failing(monkeypatch, path / name, PermissionError(13, "Permission denied"))
    assert refusal(path) == f"{path / name} cannot be read: Permission denied"


def test_a_file_that_vanishes_or_shrinks_while_it_is_packed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(folder(tmp_path), "data.txt", text="x" * 100_000)
    planned = plan(path)
    monkeypatch.setattr("muxi.bundles.packing.plan", lambda _: planned)
    (path / "data.txt").unlink()
    assert refusal(path) == f"{path / 'data.txt'} cannot be read: No such file or directory"
    (path / "data.txt").write_text("x" * 100_000)
    real = os.fstat

    def grown(file: int) -> Any:
        found = real(file)
        return os.stat_result((*found[:6], 200_000, *found[7:10])) if found.st_size == 100_000 else found

    monkeypatch.setattr("muxi.bundles.packing.os.fstat", grown)
    assert refusal(path) == f"{path / 'data.txt'} became shorter while it was packed; try again"


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(ValidationError, match=r"cannot be written: No space left on device"):
        pack(folder(tmp_path), Full())


@pytest.mark.parametrize("change", ["unlink", "truncate"])
def test_an_archive_that_changes_before_it_is_sent_is_named(tmp_path: Path, change: str) -> None:
    path = tmp_path / "my.tar.gz"
    path.write_bytes(archive({"b/formation.afs": AFS}))
    body = prepare(path).body
    path.unlink() if change == "unlink" else path.write_bytes(b"x")
    with pytest.raises(ValidationError, match=r"the file .*my\.tar\.gz (cannot be read|became shorter)"):
        list(body.chunks())


def test_a_closed_file_is_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "my.tar.gz"
    path.write_bytes(archive({"b/formation.afs": AFS}))
    with path.open("rb") as file:
        body = prepare(file).body
    with pytest.raises(ValidationError, match=r"my\.tar\.gz cannot be read"):
        list(body.chunks())
    assert "cannot be read" in refusal(file)


@pytest.mark.parametrize("kind", [tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"Z"])
def test_an_archive_has_plain_files_and_directories_only(kind: bytes) -> None:
    buffer = io.BytesIO(gzip.decompress(archive({"bot/formation.afs": AFS})))
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        info = tarfile.TarInfo("bot/x")
        info.type = kind
        tar.addfile(info)
    assert "which is neither a file nor a directory" in refusal(gzip.compress(buffer.getvalue()))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", [".gitignore", ".muxiignore", "formation.yaml", "data"])
def test_nothing_in_a_folder_makes_packing_wait(tmp_path: Path, name: str) -> None:
    path = folder(tmp_path)
    os.mkfifo(path / name)
    assert "cannot be read: it is no regular file" in (found := refusal(path)) or "neither a file" in found


def test_an_error_about_a_formation_file_does_not_keep_its_text(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "formation.afs").write_bytes(b"key: s3cret-s3cret\n\xff")
    with pytest.raises(ValidationError, match="is not UTF-8") as caught:
        prepare(path)
    error: BaseException | None = caught.value
    while error is not None:
        assert not hasattr(error, "object")
        error = error.__cause__
