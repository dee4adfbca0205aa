"""Short ways through the registry for its tests."""

import hashlib
import io
from typing import Any

from apps.identity.models import Project, User
from apps.registry import actions
from apps.registry.models import ArtifactFile, ModelVersion, RegisteredModel, Upload
from placet.kernel.actor import Actor
from tests.support.factories import ApiClient, actor_of, api, person, project

CHUNK = "application/offset+octet-stream"
SIGNATURE = {
    "inputs": [{"name": "age", "type": "long"}, {"name": "income", "type": "double"}],
    "outputs": [{"name": "prediction", "type": "long"}],
}
EXAMPLE = [{"age": 30, "income": 1000.5}]
FACTS: dict[str, Any] = {
    "signature": SIGNATURE,
    "example": EXAMPLE,
    "expected": [1],
    "requirements": ["scikit-learn==1.7.2"],
}


def sha256(data: bytes) -> str:
    """Return the SHA-256 of ``data`` as hex."""
    return hashlib.sha256(data).hexdigest()


class Lab:
    """A project with a data scientist, their model, and a stranger from another project."""

    def __init__(self) -> None:
        self.project: Project = project("risk")
        self.ada: User = person("Ada", roles={"contributor": self.project})
        self.victor: User = person("Victor", roles={"viewer": self.project})
        self.stranger: User = person("Sam", roles={"contributor": project("elsewhere")})
        self.model: RegisteredModel = actions.create_model(
            self.project, name="churn", actor=self.actor
        )

    @property
    def actor(self) -> Actor:
        """The data scientist, who has just signed in."""
        return actor_of(self.ada)

    @property
    def api(self) -> ApiClient:
        """The data scientist's client."""
        return api(self.ada)

    @property
    def address(self) -> str:
        """Where the model lives."""
        return "/projects/risk/models/churn"

    def at(self, version: ModelVersion) -> str:
        """Where ``version`` lives."""
        return f"{self.address}/versions/{version.number}"

    def draft(self, **fields: Any) -> ModelVersion:
        """Create a draft with everything a scikit-learn version needs but its file."""
        return actions.create_version(self.model, actor=self.actor, **{**FACTS, **fields})

    def put(self, version: ModelVersion, path: str, data: bytes, **more: Any) -> list[ArtifactFile]:
        """Upload a whole file."""
        started = actions.start_upload(
            version, path=path, size=len(data), sha256=sha256(data), actor=self.actor, **more
        )
        if isinstance(started, ArtifactFile):
            return [started]
        return actions.receive_chunk(
            started, offset=0, stream=io.BytesIO(data), actor=self.actor
        ).files

    def start(self, version: ModelVersion, path: str, data: bytes, **more: Any) -> Upload:
        """Announce a file whose bytes are not here yet."""
        started = actions.start_upload(
            version, path=path, size=len(data), sha256=sha256(data), actor=self.actor, **more
        )
        assert isinstance(started, Upload)
        return started

    def finalised(self, data: bytes = b"a model", **fields: Any) -> ModelVersion:
        """Create a version and freeze it."""
        version = self.draft(**fields)
        self.put(version, "model.joblib", data)
        return actions.finalise(version, actor=self.actor)


def chunk(client: ApiClient, upload: str, offset: int, data: bytes) -> Any:
    """Send a chunk over HTTP."""
    return client.patch(
        f"/uploads/{upload}", raw=data, content_type=CHUNK, upload_offset=str(offset)
    )
