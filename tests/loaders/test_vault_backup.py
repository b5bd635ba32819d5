"""`assay vault backup` and `restore`: bronze and a backup are all that a home is made of."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
from pathlib import Path

import duckdb
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from landed import ASSAY, assay, says_one_line

from loaders import vault
from loaders.errors import AssayError
from loaders.home import Home, init_home
from loaders.vault import backup as vault_backup

WORDS = "correct horse battery staple"


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text(f"{WORDS}\nwhat follows the first line is a remark\n")
    return file


@pytest.fixture
def saved(home: Home, tmp_path: Path) -> Path:
    """A backup of a home's vault."""
    file = tmp_path / "vault.backup"
    vault_backup.backup(home, file, WORDS)
    return file


def keys_of(home: Home) -> list[vault.Key]:
    return vault.read_keys(home.vault)


def test_a_backup_makes_the_keys_again(home: Home, tmp_path: Path, passphrase: Path):
    """In another home, all of them; tests/faults/test_recovery.py builds gold with them."""
    vault.add_key(home.vault, "eu")
    backup = tmp_path / "vault.backup"
    done = assay("vault", "backup", backup, "--passphrase-file", passphrase, home=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Wrote 2 keys to {backup}. Keep file and passphrase apart.\n"
    assert backup.stat().st_mode & 0o777 == 0o600

    again = Home(tmp_path / "again")
    assert assay("init", home=again).returncode == 0
    done = assay("vault", "restore", backup, "--passphrase-file", passphrase, home=again)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Restored 2 keys from {backup}. Next: assay refresh.\n"
    assert keys_of(again) == keys_of(home)
    assert again.vault.stat().st_mode & 0o777 == 0o600


def test_the_file_opens_with_the_passphrase_and_nothing_else(home: Home, saved: Path):
    """Read here without Assay's own code; no byte of a pad or of the passphrase is in it."""
    sealed = json.loads(saved.read_text())
    content = base64.b64decode(sealed.pop("content"))
    cost = sealed["scrypt"]
    assert cost["n"] >= 2**17
    key = Scrypt(base64.b64decode(cost["salt"]), 32, cost["n"], cost["r"], cost["p"]).derive(
        WORDS.encode()
    )
    head = json.dumps(sealed, sort_keys=True).encode()
    opened = json.loads(AESGCM(key).decrypt(base64.b64decode(sealed["nonce"]), content, head))
    (held,) = keys_of(home)
    assert base64.b64decode(opened["keys"][0]["ipad"]) == held.ipad
    for secret in (held.ipad, held.ipad.hex().encode(), base64.b64encode(held.ipad)[:20]):
        assert secret not in saved.read_bytes()
    assert WORDS.encode() not in saved.read_bytes()


def test_two_backups_share_nothing(home: Home, saved: Path, tmp_path: Path):
    """Salt and nonce are new each time."""
    vault_backup.backup(home, tmp_path / "second", WORDS)
    first, second = (json.loads((tmp_path / f).read_text()) for f in ("vault.backup", "second"))
    assert first["nonce"] != second["nonce"]
    assert first["scrypt"]["salt"] != second["scrypt"]["salt"]


def refused(home: Home, file: Path, passphrase: Path) -> str:
    before = home.vault.read_bytes()
    result = assay("vault", "restore", file, "--passphrase-file", passphrase, home=home)
    assert result.returncode == 1
    assert home.vault.read_bytes() == before
    return says_one_line(result)


def test_a_wrong_passphrase_opens_nothing(home: Home, saved: Path, passphrase: Path):
    passphrase.write_text("correct horse battery stable\n")
    assert refused(home, saved, passphrase) == (
        f"{saved} does not open: the passphrase is wrong, or the file is damaged."
    )


def test_every_part_of_the_file_is_guarded(home: Home, saved: Path):
    """One byte changed in each field, the file cut short, and what is no backup at all."""
    whole = json.loads(saved.read_text())
    changed = [
        {**whole, "format": "another"},
        {**whole, "version": "1"},
        {**whole, "nonce": "AAAA" + whole["nonce"][4:]},
        {**whole, "content": "AAAA" + whole["content"][4:]},
        {**whole, "content": "?"},
        {**whole, "more": 1},
        {**whole, "scrypt": {**whole["scrypt"], "salt": "AAAA" + whole["scrypt"]["salt"][4:]}},
        {**whole, "scrypt": {**whole["scrypt"], "n": 2**16}},
        {**whole, "scrypt": {**whole["scrypt"], "n": 2**40}},
        {**whole, "scrypt": {**whole["scrypt"], "n": -1}},
        {**whole, "scrypt": {**whole["scrypt"], "p": 9}},
        {key: value for key, value in whole.items() if key != "nonce"},
    ]
    texts = [json.dumps(content).encode() for content in changed]
    before = home.vault.read_bytes()
    vault.add_key(home.vault, "eu")
    after = home.vault.read_bytes()
    assert before != after
    for text in [*texts, saved.read_bytes()[:-9], b"", b"[]", b"null", b"\xff\xfe"]:
        saved.write_bytes(text)
        with pytest.raises(AssayError) as error:
            vault_backup.restore(home, saved, WORDS)
        assert str(saved) in str(error.value)
        assert "damaged" in str(error.value)
    assert home.vault.read_bytes() == after


def test_a_later_format_is_named(home: Home, saved: Path, passphrase: Path):
    saved.write_text(json.dumps({**json.loads(saved.read_text()), "version": 2}))
    assert "is a backup of version 2, and this Assay reads version 1" in refused(
        home, saved, passphrase
    )


def test_keys_stay_in_their_residency(saved: Path, passphrase: Path, tmp_path: Path):
    american, _ = init_home(tmp_path / "us", "us")
    line = refused(american, saved, passphrase)
    assert "holds keys of residency eu" in line
    assert "is us. Keys never leave their residency." in line


def with_silver(home: Home, key_id: str | None) -> None:
    """A warehouse as a build leaves it, with the key that it notes."""
    with duckdb.connect(str(home.warehouse)) as warehouse:
        warehouse.execute("create schema if not exists silver")
        warehouse.execute("create table silver.stg_access__attempts (email_key varchar)")
        if key_id:
            warehouse.execute(f"create table silver_key as select '{key_id}' as key_id")


def test_a_vault_that_silver_needs_is_not_replaced(home: Home, tmp_path: Path, passphrase: Path):
    """Another home's backup, and one from before a rotation, are refused; a later one is not."""
    other, _ = init_home(tmp_path / "other")
    for name, source in (("other", other), ("before", home)):
        vault_backup.backup(source, tmp_path / f"{name}.backup", WORDS)
    first = keys_of(home)
    with_silver(home, first[0].info.key_id)
    assert "lacks the key that silver in" in refused(home, tmp_path / "other.backup", passphrase)

    vault.add_key(home.vault, "eu")
    vault_backup.backup(home, tmp_path / "after.backup", WORDS)
    assert "lacks version 2 of the vault in" in refused(
        home, tmp_path / "before.backup", passphrase
    )
    vault.replace_keys(home.vault, first)
    keys, is_changed = vault_backup.restore(home, tmp_path / "after.backup", WORDS)
    assert (len(keys), is_changed) == (2, True)
    assert vault_backup.restore(home, tmp_path / "after.backup", WORDS)[1] is False


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_lost_or_damaged_vault_is_restored(home: Home, saved: Path, is_noted: bool):
    """Beside silver that says its key; where it does not, any key could be the wrong one."""
    held = keys_of(home)
    with_silver(home, held[0].info.key_id if is_noted else None)
    for content in (b"not a database" * 999, None):
        home.vault.unlink(missing_ok=True)
        if content:
            home.vault.write_bytes(content)
            home.vault.chmod(0o600)
        if is_noted:
            assert vault_backup.restore(home, saved, WORDS)[1] is True
            assert keys_of(home) == held
        else:
            with pytest.raises(AssayError, match="lacks the key that silver"):
                vault_backup.restore(home, saved, WORDS)


def test_what_cannot_be_backed_up_is_said(home: Home, saved: Path, passphrase: Path):
    """A file that exists, a short passphrase, an empty passphrase file, a folder that is gone."""
    kept = saved.read_bytes()

    def line(file: Path) -> str:
        return says_one_line(
            assay("vault", "backup", file, "--passphrase-file", passphrase, home=home)
        )

    assert line(saved) == f"{saved} exists. Name a new file: a backup never replaces another."
    assert saved.read_bytes() == kept
    nowhere = saved.parent / "nowhere" / "file"
    assert "cannot be written: No such file or directory" in line(nowhere)
    passphrase.write_text("short\n")
    assert "The passphrase has fewer than 12 characters." in line(saved.parent / "new")
    passphrase.write_text("\n")
    assert line(saved.parent / "new").endswith("has no first line. Put the passphrase there.")
    assert sorted(path.name for path in saved.parent.glob("*.new")) == []


def test_the_passphrase_is_asked_for_and_not_shown(home: Home, tmp_path: Path):
    """At a terminal: twice for a backup. It is no argument, and no variable is read."""
    file = tmp_path / "typed.backup"
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [ASSAY, "vault", "backup", file, "--home", home.path],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    ) as process:
        os.close(follower)
        shown = b""
        for prompt in (b"Passphrase: ", b"Repeat for confirmation: "):
            while not shown.endswith(prompt):
                shown += os.read(leader, 1024)
            os.write(leader, f"{WORDS}\n".encode())
        assert process.wait() == 0
    os.close(leader)
    assert WORDS.encode() not in shown
    assert vault_backup.restore(home, file, WORDS)[1] is False
