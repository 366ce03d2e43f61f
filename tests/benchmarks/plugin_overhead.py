"""What the plugin adds to `import verl`, and what `import mrt_verl` costs: medians of whole processes, alternating.

Prints one JSON line; seconds.
"""

import json
import os
import statistics
import subprocess
import sys
import time

RUNS = 5


def seconds(code: str, **environment: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, check=True, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - started


def main() -> None:
    cases = {
        "python": ("pass", {}),
        "import_mrt_verl": ("import mrt_verl", {}),
        "import_verl_without_plugin": ("import verl", {"VERL_USE_EXTERNAL_PLUGINS": "none"}),
        "import_verl": ("import verl", {}),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(RUNS + 1):
        for name, (code, environment) in cases.items():
            times[name].append(seconds(code, **environment))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}  # the first round warms up
    result = {name: round(value, 3) for name, value in medians.items()}
    result["plugin_share_of_import_verl"] = round(medians["import_verl"] / medians["import_verl_without_plugin"] - 1, 3)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
