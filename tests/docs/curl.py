"""As much of curl as the pages use, for machines that have none: -s -i -X -H -d and an address."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request


def main(words: list[str]) -> None:
    """Send one request and print the reply."""
    method, headers, data, address, shown = "", {}, None, "", False
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(":")
            headers[name] = value.strip()
        elif word == "-d":
            data = words.pop(0).encode()
        elif word.startswith("-"):
            shown = shown or "i" in word
        else:
            address = word
    request = urllib.request.Request(address, data, headers, method=method or None)
    try:
        reply = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        reply = error
    with reply:
        if shown:
            lines = [f"{name.lower()}: {value}" for name, value in reply.headers.items()]
            sys.stdout.write("\n".join([f"HTTP/1.1 {reply.status} {reply.reason}", *lines, "", ""]))
        sys.stdout.write(reply.read().decode())


if __name__ == "__main__":
    main(sys.argv[1:])
