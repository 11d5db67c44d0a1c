"""Where downloads are kept between data folders: the only writing outside of DIR.

Everything in it can be fetched again; deleting it is always safe.
"""

import os
from pathlib import Path


def cache_folder() -> Path:
    asked = os.environ.get("PRECIS_CACHE_DIR")
    return Path(asked) if asked else Path.home() / ".cache" / "precis"
