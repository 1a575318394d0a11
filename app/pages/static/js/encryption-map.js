/** The part of the designer that says which fields of an entity are stored encrypted. */
import { ApiError, call } from "./api.js";
import { change } from "./change.js";
import { byId, h, note } from "./dom.js";
import { pageForm } from "./page-form.js";
import { repeater } from "./repeater.js";
import { toast } from "./toast.js";

const PATH = "/entities/encryption";

/** Show the map of an entity in the form #encryption; `keys()` are its fields' keys, offered while typing. */
export async function encryptionMap(entityId, keys) {
  try {
    const map = await call("GET", PATH, { query: { entityId } });
    byId("encryption-part").hidden = false;
    draw(map);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    byId("encryption-part").hidden = error.status === 403;
    note(byId("encryption-problem"), error.message);
  }

  function draw(map) {
    const list = h("datalist", { id: "encryption-keys" });
    list.append(...keys().map((key) => h("option", { value: key })));
    const element = h("form.encryption", { id: "encryption" });
    byId("encryption").replaceWith(element);
    pageForm(element, {
      fields: [
        { name: "isActive", label: "Encrypt what is saved from now on", type: "checkbox", value: map.isActive },
        { name: "fields", label: "Fields", hint: "A field that is looked up by its exact value also needs a field for its fingerprint.", control: repeater({
          columns: [{ name: "field", label: "Field", list: list.id }, { name: "hashField", label: "Field of the fingerprint", placeholder: "Fingerprint, if looked up" }],
          rows: map.fields, add: "Add a field", isWhole: ({ field }) => field !== "",
          wrong: (rows) => (rows.length ? "" : "Name at least one field. To stop encrypting, take the tick away."),
        }) },
      ],
      action: "Save encryption",
      submit: (values) => save(map, values, draw),
    });
    element.append(list);
  }

  async function save(map, { isActive, fields }, redraw) {
    const body = { entityId, isActive, fields: fields.map(({ field, hashField }) => ({ field, hashField: hashField || null })) };
    const answer = await change("POST", PATH, { updatedAt: map.updatedAt, body, what: "The encryption of this entity" });
    redraw(await call("GET", PATH, { query: { entityId } }));
    if (answer) toast("Encryption saved", { kind: "good", detail: "This cannot be undone: values keep the form in which they were saved." });
  }
}
