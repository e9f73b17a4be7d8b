"""What RFC 9293 asks of applications: the headers say it, and ours do it (SHLD-13, SHLD-23)."""
# ctest: native

import os
import pathlib
import re
import sys

SOURCE = pathlib.Path(os.environ["HF_SOURCE_DIR"])
HEADER = SOURCE / "include/handfast/handfast.h"
TOOLS = ["cli", "examples", "bench", "src/host"]


# SHLD-13
def urgent_data_is_advised_against_and_not_used():
    words = " ".join(HEADER.read_text().split())
    assert re.search(r"HF_SEND_URGENT[^}]*New applications should not use it", words)
    for folder in TOOLS:
        for path in (SOURCE / folder).glob("*.c"):
            assert "HF_SEND_URGENT" not in path.read_text(), path


# SHLD-23
def the_diffserv_field_is_set_once_if_at_all():
    assert re.search(r"HF_TOS,[^}]*?Best set once", HEADER.read_text(), re.S)
    for folder in TOOLS:
        for path in (SOURCE / folder).glob("*.c"):
            assert len(re.findall(r"set_option\([^;]*HF_TOS", path.read_text())) <= 1, path


def main():
    for check in (urgent_data_is_advised_against_and_not_used,
                  the_diffserv_field_is_set_once_if_at_all):
        try:
            check()
        except AssertionError as error:
            print(f"FAILED: {check.__name__}: {error}")
            return 1
    return 0


sys.exit(main())
