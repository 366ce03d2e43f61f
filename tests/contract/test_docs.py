"""The check of docs/first_run.md that the plugin is loaded, as a user runs it."""

import os
import re
import subprocess
import sys

import pytest

from tests.builders import ROOT


@pytest.mark.parametrize(("plugins", "expected"), [("auto", "mrt:\n"), ("none", "")])
def test_the_config_shows_whether_the_plugin_is_loaded(plugins, expected):
    """Without the plugin verl takes `reward_model=mrt` for the value of a key of its own, and says nothing."""
    page = (ROOT / "docs/first_run.md").read_text()
    command = re.search(r"^python (-m verl.*--cfg job \| grep '\^mrt:')$", page, re.MULTILINE)[1]
    environment = {**os.environ, "VERL_USE_EXTERNAL_PLUGINS": plugins}
    environment.pop("VERL_PLATFORM", None)  # a platform of the plugin's own
    result = subprocess.run(
        f"set -o pipefail; {sys.executable} {command}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert result.stdout == expected, result.stderr
    assert result.returncode == (0 if expected else 1), result.stderr  # grep's
