"""A person's browser: opens the page that it is started with, and says yes. Named by BROWSER."""

import html
import re
import sys
import urllib.parse
import urllib.request
from pathlib import Path


def main() -> None:
    """Follow the file that leads to the page, and send its form."""
    file = urllib.parse.unquote(urllib.parse.urlsplit(sys.argv[-1]).path)
    address = html.unescape(re.findall(r'url=([^"]+)"', Path(file).read_text(encoding="utf-8"))[0])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    page = opener.open(address).read().decode()
    [token] = re.findall(r'name="token" value="([^"]+)"', page)
    form = urllib.parse.urlencode({"token": token, "answer": "yes"}).encode()
    origin = "/".join(address.split("/")[:3])
    opener.open(urllib.request.Request(address, form, {"Origin": origin})).read()


if __name__ == "__main__":
    main()
