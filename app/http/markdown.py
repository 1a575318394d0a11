"""The OpenAPI document in a form to read: Markdown, one section for each operation, with a curl example."""

import json
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

_JSON = "application/json"


def render(document: dict[str, Any], address: str = "http://127.0.0.1:8000") -> str:
    """The whole document; `address` is the server that the curl examples talk to."""
    return "\n".join(_lines(document, address)) + "\n"


def curl(document: dict[str, Any], path: str, method: str, address: str) -> str:
    """A curl command that calls an operation with its example values."""
    operation = document["paths"][path][method]
    parameters = [_resolved(document, one) for one in operation["parameters"]]
    target = path
    for one in parameters:
        if one["in"] == "path":
            target = target.replace("{" + one["name"] + "}", quote(str(one.get("example", "")), safe=""))
    required = [
        f"{one['name']}={quote(str(one.get('example', '')), safe='')}"
        for one in parameters
        if one["in"] == "query" and one["required"]
    ]
    url = f"{address}{target}" + (f"?{'&'.join(required)}" if required else "")
    parts = [f"curl -X {method.upper()} {shlex.quote(url)}"]
    if operation["security"]:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        example = content.get("example")
        text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)
        parts += [f"-H {shlex.quote(f'Content-Type: {media_type}')}", f"--data {shlex.quote(text)}"]
    return " \\\n  ".join(parts)


def _lines(document: dict[str, Any], address: str) -> Iterator[str]:
    info = document["info"]
    yield f"# {info['title']} {info['version']}"
    yield f"\n{info['description']}"
    yield "\nEvery path below is served as it stands and under `/api`."
    for tag in document["tags"]:
        yield f"\n## {tag['name']}"
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(document, path, method, address)


def _operation(document: dict[str, Any], path: str, method: str, address: str) -> Iterator[str]:
    operation = document["paths"][path][method]
    yield f"\n### {method.upper()} {path}"
    yield f"\n**{operation['summary']}**"
    if operation["description"] != operation["summary"]:
        yield f"\n{operation['description']}"
    needs = ", ".join(f"`{feature}`" for feature in operation["x-features"])
    access = "sign-in" if operation["security"] else "nothing"
    yield f"\nRequires: {f'features {needs}' if needs else access}"
    parameters = [_resolved(document, one) for one in operation["parameters"]]
    if parameters:
        yield "\n| parameter | in | required | meaning |\n| --- | --- | --- | --- |"
        for one in parameters:
            meaning = one.get("description", "").replace("|", "\\|")
            yield f"| `{one['name']}` | {one['in']} | {'yes' if one['required'] else 'no'} | {meaning} |"
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"\nBody, `{media_type}`:"
        yield from _block(content.get("example"))
    yield "\n```sh\n" + curl(document, path, method, address) + "\n```"
    for status, response in operation["responses"].items():
        answer = _resolved(document, response)
        yield f"\n**{status}** {answer['description']}"
        if "$ref" not in response:
            for content in answer.get("content", {}).values():
                yield from _block(content.get("example"))


def _block(example: Any) -> Iterator[str]:
    if isinstance(example, str):
        yield f"\n```\n{example}\n```"
    elif example is not None:
        yield f"\n```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```"


def _resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    if reference is None:
        return node
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    resolved: dict[str, Any] = found
    return resolved
