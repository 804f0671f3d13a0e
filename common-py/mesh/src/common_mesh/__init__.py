"""Send Pydantic models to a data mesh: once per process an engine, per unit of work a session.

from common_mesh import MeshEngine

with MeshEngine(base_url="http://data-mesh:8675") as engine:
    session = engine.create_session("org", "module", "model")
    report = session.send_all_models(models)
"""

from common_mesh.engine import MeshEngine
from common_mesh.errors import MeshError, ProtocolError, Refused, SourceFailed, Unavailable
from common_mesh.policy import Policy
from common_mesh.reading import MeshReader
from common_mesh.report import Rejection, Report
from common_mesh.session import MeshSession

__all__ = [
    "MeshEngine",
    "MeshError",
    "MeshReader",
    "MeshSession",
    "Policy",
    "ProtocolError",
    "Refused",
    "Rejection",
    "Report",
    "SourceFailed",
    "Unavailable",
]
