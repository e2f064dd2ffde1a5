"""What the journeys need with other drug-discovery servers, as their own documents say.

Nothing here was measured: a peer's platform or licence cannot be had by a benchmark. A number counts the calls that the
documents name; where they say nothing of something, that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NO_TOOL = "not possible: no tool for it"


@dataclass(frozen=True)
class Peer:
    """A server that others have published.

    Attributes:
        name: with its version.
        source: the documents that were read.
        needs: what a journey takes, by the name of the task.
    """

    name: str
    source: str
    needs: Mapping[str, str]


PEERS = (
    Peer(
        "rowan-mcp 2.3.2",
        "README and tool descriptions in its package on PyPI",
        {
            "dock-my-hits": "not possible: reads no SDF, saves no pose; scores of SMILES that the model writes, in a "
            "protein whose PDB text it writes: 4 calls",
            "pockets-of-my-model": NO_TOOL,
            "admet-of-my-list": "1 call with 120 SMILES that the model writes, for 120 workflows; 1 more call to read "
            "each; no price before",
            "free-energy-of-best-pose": NO_TOOL,
            "price-of-my-series": NO_TOOL,
            "prepare-my-model": "not possible: `sanitize_protein` makes a file fit for Vina; none comes back",
            "pockets-of-a-colleagues-protein": NO_TOOL,
            "pockets-of-an-entry": "not possible: importing the entry is 1 call, finding pockets has no tool",
            "export-poses": "not possible: no tool saves a file",
            "read-a-patent": NO_TOOL,
        },
    ),
    Peer(
        "schrodinger-mcp",
        "README and tool descriptions on GitHub, Nimieeee/schrodinger-mcp at 0dfd70a; needs a Schrödinger licence",
        {
            "dock-my-hits": "at least 17 calls: 5 jobs, each started, asked for and fetched, a summary and a "
            "conversion; how a site that was found becomes the centre of the grid is not documented",
            "pockets-of-my-model": "at least 6 calls (2 jobs); whether the volume can be read is not documented",
            "admet-of-my-list": "not possible: no AMES; hERG alone at least 6 calls (2 jobs)",
            "free-energy-of-best-pose": "not possible: FEP+ is left out on purpose",
            "price-of-my-series": "not possible: FEP+ is left out on purpose",
            "prepare-my-model": "at least 4 calls: 1 job and a conversion",
            "pockets-of-a-colleagues-protein": "not possible: knows the files of one machine, and no prices",
            "pockets-of-an-entry": "not possible: fetching the entry is 1 call, prices are not known",
            "export-poses": "at least 3 calls, for whatever poses the job kept",
            "read-a-patent": NO_TOOL,
        },
    ),
)
