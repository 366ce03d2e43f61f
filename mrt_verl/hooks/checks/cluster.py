"""Ray: the cluster that the run joins, or the one that it starts beside another."""

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)

RUNNING_CLUSTER = Path("/tmp/ray/ray_current_cluster")
"""Where `ray start` writes the address of a cluster on this machine, and Ray looks for one to join."""
PROCESSES = Path("/proc")
HEAD = "gcs_server"
"""The process that every cluster has once."""


def joins_a_cluster(config: Any) -> bool:
    """Whether Ray joins a cluster that is there; else it starts one on this machine."""
    address = os.environ.get("RAY_ADDRESS") or config.ray_kwargs.ray_init.get("address")
    return bool(address) or RUNNING_CLUSTER.exists()


def check_address(settings: MRTSettings, config: Any) -> Iterator[str]:
    """An address that nobody answers at makes Ray wait for ever."""
    address = os.environ.get("RAY_ADDRESS", "").removeprefix("ray://")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError as error:
        yield f"RAY_ADDRESS={address}: {error}; allowed: a cluster that runs, or unset it to start one on this machine"


def check_other_clusters(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A warning: verl names the socket of the weights by Ray's job alone, the first one in every cluster."""
    if not joins_a_cluster(config) and (others := sorted(_heads())):
        logger.warning(
            "another Ray runs on this machine (process %s), and this run starts its own: if that one trains with verl "
            "and vLLM, too, either may take the other's weights (docs/operations.md). Join it with RAY_ADDRESS, or "
            "give each a /tmp of its own",
            ", ".join(map(str, others)),
        )
    yield from ()


def _heads() -> Iterator[int]:
    for path in PROCESSES.glob("[0-9]*/comm"):
        try:
            if path.read_text(encoding="utf-8", errors="replace").strip() == HEAD:
                yield int(path.parent.name)
        except OSError:  # it has ended
            continue


CHECKS = (check_address, check_other_clusters)
