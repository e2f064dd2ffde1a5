"""The simulator's own HTTP API, spoken to without a client of it."""

from __future__ import annotations

import threading
from typing import Any

import httpx

from deeporigin_mcp.simulator import ManualClock, Platform, make_token
from deeporigin_mcp.simulator.state.execution import TERMINAL

PROJECT = "09DEMAKNASE01"
ACME_PROJECT = "09ACMEPR0J001"
CLUSTER = "1f6f2c58-31c1-4a55-9a51-000000000001"
ACME_CLUSTER = "2a7b3d69-42d2-4b66-8b62-000000000001"

DOCKING = "deeporigin.docking"
MOLPROPS = "deeporigin.mol-props-combined"
POCKETS = "deeporigin.pocket-finder"
ABFE = "deeporigin.abfe-end-to-end"
RBFE = "deeporigin.rbfe"
ADMET = "deeporigin.admet-properties"

PROTEIN = {"id": "08TARGETPR001", "file_path": "entities/proteins/target.pdb"}
BOX = {"box_size_x": 18.0, "box_size_y": 19.0, "box_size_z": 17.5, "center": [4.0, -2.0, 11.0]}


class Api:
    """Raw requests of one caller to one organisation."""

    def __init__(self, base_url: str, org: str = "deeporigin", token: str | None = None) -> None:
        self.org = org
        token = make_token() if token is None else token
        # verify=False spares each test the reading of certificates that plain HTTP never needs.
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=base_url, headers=headers, timeout=60, verify=False)

    @property
    def is_acme(self) -> bool:
        return self.org == "acme"

    def create(self, key: str, version: str = "latest", **body: Any) -> httpx.Response:
        """POST an execution with a valid cluster and project, unless the body says otherwise."""
        stamped = {
            "clusterId": ACME_CLUSTER if self.is_acme else CLUSTER,
            "projectId": ACME_PROJECT if self.is_acme else PROJECT,
            "app": "test",
            "session": "s-test",
            **body,
        }
        return self.http.post(f"/tools/{self.org}/tools/{key}/{version}/executions", json=stamped)

    def started(self, key: str, version: str = "latest", **body: Any) -> str:
        """The id of an execution that the platform accepted."""
        response = self.create(key, version, **body)
        assert response.status_code == 200, response.text
        return str(response.json()["executionId"])

    def get(self, execution_id: str, *, era: int = 1) -> dict[str, Any]:
        """The DTO of an execution."""
        accept = "application/json;v=2.0" if era == 2 else "application/json"
        response = self.http.get(f"/tools/{self.org}/tools/executions/{execution_id}", headers={"Accept": accept})
        assert response.status_code == 200, response.text
        return dict(response.json())

    def act(self, execution_id: str, action: str) -> httpx.Response:
        """Confirm or cancel."""
        return self.http.patch(f"/tools/{self.org}/tools/executions/{execution_id}:{action}")

    def listed(self, **query: str | int) -> dict[str, Any]:
        """One page of the list."""
        response = self.http.get(f"/tools/{self.org}/tools/executions", params=query)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def search(self, table: str, **body: Any) -> httpx.Response:
        """A data-platform search."""
        return self.http.post(f"/data-platform/{self.org}/{table}/search", json=body)

    def found(self, table: str, **body: Any) -> list[dict[str, Any]]:
        """The rows of a data-platform search."""
        response = self.search(table, **body)
        assert response.status_code == 200, response.text
        return list(response.json()["data"])


def docking_inputs(*smiles: str, sync: bool = False, **extra: Any) -> dict[str, Any]:
    """Inputs of a docking run over these molecules."""
    ligands = [{"id": f"08MADEUP{index:05d}", "smiles": text} for index, text in enumerate(smiles or ("CCO",))]
    return {"effort": 1, "pocket": BOX, "protein": PROTEIN, "ligands": ligands, "sync": sync, **extra}


def abfe_inputs(**extra: Any) -> dict[str, Any]:
    """Inputs of an absolute free energy run."""
    return {"protein": PROTEIN, "pose1": {"id": "0APLACED00001", "file_path": "poses/placed.sdf"}, **extra}


def finish(clock: ManualClock, platform: Platform, execution_id: str) -> None:
    """Move time past the end of a run and its ingestion."""
    timeline = platform.executions[execution_id].timeline
    assert timeline is not None
    clock.advance_to(timeline.ingested)
    assert platform.status(execution_id) in TERMINAL


class Background:
    """Runs a blocking call on a thread and hands back its result."""

    def __init__(self, call: Any) -> None:
        self._result: Any = None
        self._thread = threading.Thread(target=self._work, args=(call,))
        self._thread.start()

    def _work(self, call: Any) -> None:
        self._result = call()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def result(self) -> Any:
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()
        return self._result
