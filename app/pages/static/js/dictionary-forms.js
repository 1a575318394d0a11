/** Creating, editing and deleting a dictionary. */
import { ApiError, call } from "./api.js";
import { change } from "./change.js";
import { customFields } from "./custom-fields.js";
import { form } from "./dialogs.js";
import { attempt } from "./parts.js";
import { toast } from "./toast.js";

const ENTITY = "dictionaries:dictionary";
const PROTECTED = new Set(["currency", "currencies"]);
const KEY_RULE = "Small letters, digits, - and _; the first is a letter or a digit.";
const SORT_MODES = [
  ["label_asc", "Label, A to Z"], ["label_desc", "Label, Z to A"], ["value_asc", "Value, A to Z"],
  ["value_desc", "Value, Z to A"], ["created_at_asc", "Oldest first"], ["created_at_desc", "Newest first"],
];

/** Whether the dictionary may neither be deleted nor change its key. */
export const isProtected = ({ key }) => PROTECTED.has(key.trim().toLowerCase());

const fields = (dictionary, keyChanges) => [
  { name: "name", label: "Name", required: true, maxLength: 200, value: dictionary.name },
  { name: "key", label: "Key", required: true, maxLength: 100, value: dictionary.key, readOnly: !keyChanges, hint: keyChanges ? KEY_RULE : "The key of a system or protected dictionary stays as it is.", pattern: keyChanges ? "[a-z0-9][a-z0-9_\\-]*" : ".*", invalid: KEY_RULE },
  { name: "description", label: "Description", type: "textarea", maxLength: 2000, value: dictionary.description ?? "" },
  { name: "entrySortMode", label: "Preferred order for readers", type: "select", options: SORT_MODES, value: dictionary.entrySortMode ?? "label_asc" },
];

/** Ask for a new dictionary, create it and go there. */
export async function createDictionary() {
  await attempt(async () => {
    const custom = await customFields(ENTITY);
    form("New dictionary", {
      fields: [...fields({}, true), ...custom.rows],
      action: "Create dictionary",
      submit: async (values) => {
        const { id } = await call("POST", "/dictionaries", { body: { ...custom.own(values), ...custom.sent(values) } });
        location.assign(`/backend/dictionaries/${id}`);
      },
    });
  });
}

/** Ask for changes of a dictionary and save those that were made. */
export async function editDictionary(dictionary) {
  const keyChanges = !isProtected(dictionary) && !dictionary.isSystem;
  await attempt(async () => {
    const custom = await customFields(ENTITY, dictionary);
    form("Edit dictionary", {
      fields: [...fields(dictionary, keyChanges), ...custom.rows],
      action: "Save",
      opened: custom.opened,
      submit: async (values) => {
        const changed = Object.fromEntries(Object.entries(custom.own(values)).filter(([name, value]) => value !== (dictionary[name] ?? "")));
        const body = { ...changed, ...custom.sent(values) };
        if (!Object.keys(body).length) return;
        await change("PATCH", `/dictionaries/${dictionary.id}`, { updatedAt: dictionary.updatedAt, body, what: `“${dictionary.name}”` });
      },
    });
  });
}

/** Delete a dictionary at once; the message that follows offers the way back. True when it is gone. */
export async function removeDictionary(dictionary) {
  try {
    const answer = await change("DELETE", `/dictionaries/${dictionary.id}`, { updatedAt: dictionary.updatedAt, what: `“${dictionary.name}”` });
    return answer !== null;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(error.message, { kind: "bad" });
    return false;
  }
}
