"""What a page of ours may do: run its own scripts and styles, and nothing from other servers."""

import re
from base64 import b64encode
from hashlib import sha256


def page_policy(html: bytes, images: str = "data:") -> str:
    """The header `Content-Security-Policy` for a page. images: where they may come from.

    Injected code does not run, since only scripts and styles with the digests of those in the page do.
    """
    scripts, styles = (_digests(html, tag) for tag in (b"script", b"style"))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src {images}; connect-src 'self'; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        f"trusted-types 'none'"
    )


def disk_policy(html: bytes) -> str:
    """The same for a page that is opened from disk, in an element `meta`: it may load files of the disk, too."""
    scripts, styles = (_digests(html, tag) for tag in (b"script", b"style"))
    return (
        f"default-src 'none'; script-src 'self' file: {scripts}; style-src {styles}; img-src 'self' file: data:; "
        f"base-uri 'none'; form-action 'none'"
    )


def _digests(html: bytes, tag: bytes) -> str:
    contents = re.findall(rb"<%b(?: type=\"module\")?>(.*?)</%b>" % (tag, tag), html, re.DOTALL)
    return " ".join(f"'sha256-{b64encode(sha256(content).digest()).decode()}'" for content in contents)
