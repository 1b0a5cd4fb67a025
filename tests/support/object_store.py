"""An S3-compatible server on loopback, in its own process. It checks credentials as the real one does."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"
SERVER = """
import sys
from moto.server import ThreadedMotoServer
ours, sys.stdout = sys.stdout, sys.stderr  # the server prints a line when it starts
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
print("http://%s:%d" % server.get_host_and_port(), file=ours, flush=True)
sys.stdin.read()
"""
"""The server ends when its stdin is closed, so it also ends when a test run is killed."""


@dataclass(frozen=True)
class Credentials:
    """The access key of a user. user: empty if no such user exists."""

    key: str
    secret: str
    user: str = ""


WRONG = Credentials("AKIANOSUCHKEY0000000", "x" * 40)


class ObjectStore:
    """The server with its buckets and users. url: such as `http://127.0.0.1:40123`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._users = 0
        self.credentials = WRONG  # not checked yet
        self.credentials = self.new_credentials()
        self._check_credentials_from_now_on()

    def environment(self, credentials: Credentials | None = None) -> dict[str, str]:
        """The environment of a process that uses the server."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return others | self.settings(credentials)

    def settings(self, credentials: Credentials | None = None) -> dict[str, str]:
        """The environment variables that concern the server."""
        credentials = credentials or self.credentials
        return {
            "AWS_ACCESS_KEY_ID": credentials.key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }

    def make_bucket(self, name: str) -> str:
        """Returns its URI."""
        with self._client("s3") as s3:
            s3.create_bucket(Bucket=name)
        return f"s3://{name}"

    def upload(self, folder: Path, uri: str) -> str:
        """Put every file below `folder` under `uri`, and return the URI."""
        with self._client("s3") as s3:
            bucket, _, prefix = uri.removeprefix("s3://").partition("/")
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    key = "/".join(filter(None, (prefix, path.relative_to(folder).as_posix())))
                    s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
        return uri

    def put(self, uri: str, data: bytes) -> str:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        with self._client("s3") as s3:
            s3.put_object(Bucket=bucket, Key=key, Body=data)
        return uri

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        with self._client("s3") as s3, s3.get_object(Bucket=bucket, Key=key)["Body"] as body:
            return bytes(body.read())

    def delete(self, uri: str) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        with self._client("s3") as s3:
            s3.delete_object(Bucket=bucket, Key=key)

    def keys(self, bucket: str) -> list[str]:
        """The keys of all objects except the markers of folders."""
        with self._client("s3") as s3:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
            return [key for key in keys if not key.endswith("/")]

    def new_credentials(self, actions: str = "*") -> Credentials:
        """The credentials of a new user with permission for `actions`, such as `s3:Get*`."""
        self._users += 1
        user = f"user{self._users}"
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        with self._client("iam") as iam:
            iam.create_user(UserName=user)
            iam.put_user_policy(UserName=user, PolicyName="allowed", PolicyDocument=json.dumps(allowed))
            key = iam.create_access_key(UserName=user)["AccessKey"]
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"], user)

    def revoke(self, credentials: Credentials) -> None:
        """From now on the server refuses them."""
        with self._client("iam") as iam:
            iam.delete_access_key(UserName=credentials.user, AccessKeyId=credentials.key)

    @contextmanager
    def _client(self, service: str) -> Iterator[Any]:
        client = boto3.client(
            service,
            aws_access_key_id=self.credentials.key,
            aws_secret_access_key=self.credentials.secret,
            region_name=REGION,
            endpoint_url=self.url,
            config=Config(proxies={}),
        )
        try:
            yield client
        finally:
            client.close()

    def _check_credentials_from_now_on(self) -> None:
        address = f"{self.url}/moto-api/reset-auth"
        request = urllib.request.Request(address, b"0", {"Content-Type": "text/plain"}, method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60):
            pass


@contextmanager
def start_object_store() -> Iterator[ObjectStore]:
    """A new server without buckets. It takes seconds to start, so share it: use the fixture `object_store`."""
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", SERVER], text=True, **pipes) as server:
        try:
            assert server.stdout is not None
            yield ObjectStore(server.stdout.readline().strip())
        finally:
            server.kill()
