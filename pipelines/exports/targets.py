"""Where an export goes: a folder, or a bucket of S3. Files there are whole or absent."""

import os
import shutil
import urllib.parse
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from corpus.files import BadInput


@dataclass(frozen=True)
class Folder:
    """A folder of this machine. `mode` is the permission bits of its files."""

    path: Path
    mode: int

    def __str__(self) -> str:
        return str(self.path)

    @property
    def stage(self) -> Path:
        """Where files are written before they are whole: on the same disk, so that they can be renamed."""
        return self.path / ".partial"

    def prepare(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        if self.mode == 0o600 and not any(self.path.iterdir()):  # of a folder in use, its owner decides
            self.path.chmod(0o700)
        shutil.rmtree(self.stage, ignore_errors=True)

    def names(self) -> set[str]:
        return {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()}

    def read(self, name: str) -> bytes | None:
        path = self.path / name
        return path.read_bytes() if path.is_file() else None

    def put(self, staged: Path, name: str) -> None:
        """Moves a written file to its name."""
        with open(staged, "rb+") as file:
            os.fchmod(file.fileno(), self.mode)
            os.fsync(file.fileno())
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.mode == 0o600:
            for above in Path(name).parents[:-1]:
                (self.path / above).chmod(0o700)
        os.replace(staged, path)

    def delete(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def close(self) -> None:
        shutil.rmtree(self.stage, ignore_errors=True)
        empty = self.path / ".export"
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()


@dataclass(frozen=True)
class Bucket:
    """A prefix in a bucket of S3, with the credentials and endpoint of the environment (boto3's rules)."""

    bucket: str
    prefix: str
    stage: Path

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def prepare(self) -> None:
        shutil.rmtree(self.stage, ignore_errors=True)
        self.names()

    def names(self) -> set[str]:
        with _told(self.bucket):
            pages = _client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._key(""))
            return {item["Key"][len(self._key("")) :] for page in pages for item in page.get("Contents", [])}

    def read(self, name: str) -> bytes | None:
        from botocore.exceptions import ClientError

        with _told(self.bucket):
            try:
                return _client().get_object(Bucket=self.bucket, Key=self._key(name))["Body"].read()  # type: ignore[no-any-return]
            except ClientError as error:
                if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                    return None
                raise

    def put(self, staged: Path, name: str) -> None:
        """Uploads a written file (in parts when it is large) and takes it off this disk."""
        with _told(self.bucket):
            _client().upload_file(str(staged), self.bucket, self._key(name))
        staged.unlink()

    def delete(self, name: str) -> None:
        with _told(self.bucket):
            _client().delete_object(Bucket=self.bucket, Key=self._key(name))

    def close(self) -> None:
        shutil.rmtree(self.stage, ignore_errors=True)


Target = Folder | Bucket


def parse(dest: str, mode: int, stage: Path) -> Target:
    """`s3://bucket/prefix` or a folder."""
    if "://" not in dest:
        return Folder(Path(dest), mode)
    parts = urllib.parse.urlsplit(dest)
    if parts.scheme != "s3" or not parts.netloc:
        raise ValueError(f"--dest {dest}: expected a folder or s3://bucket/prefix")
    return Bucket(parts.netloc, parts.path.strip("/"), stage)


@lru_cache(maxsize=1)
def _client() -> Any:
    import boto3

    return boto3.client("s3")


class _told:
    """Turns what S3 refuses into a sentence."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, BotoCoreError | ClientError | S3UploadFailedError):
            raise BadInput(
                f"s3://{self.bucket} cannot be used ({error}); check the bucket's name, your credentials and region, "
                "and run the same command again: what was uploaded is kept"
            ) from error
