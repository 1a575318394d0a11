/** The whole API as one Markdown text. */
import { curlOf, pretty } from "./openapi.js";

const cell = (text) => String(text).replaceAll("|", "\\|").replaceAll("\n", " ");
const fenced = (language, text) => ["```" + language, text, "```", ""].join("\n");

/** Write a document that `readDocument` read. */
export function toMarkdown({ title, version, tags, operations }) {
  const parts = [`# ${title} ${version}`.trim(), ""];
  for (const tag of tags) {
    parts.push(`## ${tag}`, "");
    for (const operation of operations.filter((one) => one.tag === tag)) parts.push(...operationText(operation));
  }
  return parts.join("\n");
}

function operationText(operation) {
  const lines = [`### ${operation.method} ${operation.path}`, "", operation.summary, ""];
  if (operation.description && operation.description !== operation.summary) lines.push(operation.description, "");
  lines.push(operation.needsSignIn ? `Signed in${operation.features.length ? `; features: ${operation.features.map((feature) => `\`${feature}\``).join(", ")}` : ""}.` : "Public.", "");
  if (operation.parameters.length) {
    lines.push("| Parameter | In | Type | Required | Description |", "|---|---|---|---|---|");
    for (const { name, in: place, type, required, description } of operation.parameters) lines.push(`| \`${name}\` | ${place} | ${cell(type)} | ${required ? "yes" : ""} | ${cell(description)} |`);
    lines.push("");
  }
  if (operation.body) lines.push(`Request body (${operation.body.contentType}):`, "", fenced("json", pretty(operation.body.example ?? {})));
  lines.push(fenced("sh", curlOf(operation, {}, operation.body ? pretty(operation.body.example ?? {}) : null)));
  for (const { status, description, example } of operation.responses) {
    lines.push(`**${status}** ${description}`, "");
    if (example !== undefined && example !== null) lines.push(fenced("json", pretty(example)));
  }
  return lines;
}
