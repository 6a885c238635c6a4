"""The content that an HTML file embeds."""

import base64
import gzip
import json
import re


def content(path):
    """The content of a page, as the browser reads it."""
    (packed,) = re.findall(
        r'<script type="application/gzip" id="content">([^<]*)</script>', path.read_text()
    )
    return json.loads(gzip.decompress(base64.b64decode(packed)))
