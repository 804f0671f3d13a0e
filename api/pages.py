"""The page behind `/docs`: the OpenAPI description, readable without JavaScript and without another host."""

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
code, pre { font: 0.875rem/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: .375rem; }
details { border: 1px solid var(--line); border-radius: .375rem; margin: .5rem 0; padding: .5rem .75rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
table { border-collapse: collapse; } td { padding: .125rem 1rem .125rem 0; vertical-align: top; }
"""


def docs_page(schema: Mapping[str, Any]) -> str:
    """The whole page."""
    info = schema["info"]
    groups: dict[str, list[str]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(path, method, operation))
    sections = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(rows)}" for tag, rows in groups.items())
    schemas = "".join(_schema(name, body) for name, body in schema.get("components", {}).get("schemas", {}).items())
    title = html.escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1><p>{html.escape(info.get('summary', ''))}</p>"
        f'<p>Machine-readable: <a href="/openapi.json">openapi.json</a></p>{sections}<h2>schemas</h2>{schemas}'
        "</body></html>"
    )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    summary = html.escape(operation.get("description") or operation.get("summary", ""))
    details = "".join(_parts(operation))
    head = f'<span class="method">{method.upper()}</span> <code>{html.escape(path)}</code>'
    return f"<details><summary>{head}</summary><p>{summary}</p>{details}</details>"


def _parts(operation: Mapping[str, Any]) -> Iterator[str]:
    if parameters := operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{html.escape(one['name'])}</code></td><td>{html.escape(one['in'])}</td>"
            f"<td>{html.escape(one.get('description', ''))}</td></tr>"
            for one in parameters
        )
        yield f"<table>{rows}</table>"
    if body := operation.get("requestBody"):
        yield f"<h4>Body</h4>{_json(body['content'])}"
    for status, response in operation.get("responses", {}).items():
        content = _json(response["content"]) if response.get("content") else ""
        yield f"<h4>{html.escape(status)}: {html.escape(response.get('description', ''))}</h4>{content}"


def _schema(name: str, body: Mapping[str, Any]) -> str:
    return f"<details><summary><code>{html.escape(name)}</code></summary>{_json(body)}</details>"


def _json(value: Any) -> str:
    return f"<pre>{html.escape(json.dumps(value, indent=2))}</pre>"
