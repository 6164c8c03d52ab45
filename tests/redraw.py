"""Draw all that is published below the folder where it is called: `python redraw.py`.

Prints what this process calculated with, as JSON: `features`, the processor's features that NumPy
uses, and `kernels`, those of OpenBLAS.
"""

import contextlib
import json
import sys
from pathlib import Path

import numpy as np
import threadpoolctl

from bnrepro import report
from bnrepro.lab.exact import EXACT_CLAIMS
from bnrepro.lab.figures import draw


def calculated_with() -> dict[str, list[str]]:
    """What NumPy and OpenBLAS have chosen for this processor, or were told to."""
    features = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    libraries = threadpoolctl.threadpool_info()
    kernels = {each["architecture"] for each in libraries if each["internal_api"] == "openblas"}
    return {"features": features, "kernels": sorted(kernels)}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        for claim in EXACT_CLAIMS:
            draw(claim, Path("results", "published", "claims"))
        report.main()
    print(json.dumps(calculated_with()))
