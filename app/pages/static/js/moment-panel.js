/**
 * The record over time: a slider over its moments, the record as it was at the chosen one, or what differs between
 * two of them.
 */
import { ApiError, call } from "./api.js";
import { difference, drawDifference } from "./diff.js";
import { announce, byId, fill, h, icon, settled } from "./dom.js";
import { count, moment, plural, short } from "./format.js";
import { drawState } from "./record-state.js";

const SHOWN = 12; // actions between two moments that are listed
const TEXTS = { a: "Moment A", b: "Moment B" };

const actor = (entry) => entry.actorUserName ?? (entry.actorUserId ? short(entry.actorUserId) : "System");
const titleOf = (entry) => entry.actionLabel ?? entry.commandId;

/**
 * Start the panel on the page. `moments` are those of `momentsOf`, `path` the record's history in the API.
 * `chosen()` is called when other moments are looked at, `restore(action)` when the record shall go back to one.
 */
export function momentPanel({ moments, path, mayRestore, chosen, restore }) {
  let isComparing = false;
  let place = 0; // of the moment that is looked at; moment B of a comparison
  let other = 0; // moment A of a comparison
  let turn = 0;
  let kept = new Map(); // comparisons that were fetched since the last refresh
  const sliders = { a: byId("slider-a"), b: byId("slider-b") };
  const total = () => moments.total();

  const compared = settled(60, show);

  async function compare(from, to) {
    const key = `${from.id} ${to.id}`;
    const mine = kept;
    const found = mine.get(key) ?? (await call("GET", `${path}/compare`, { query: { from: from.id, to: to.id } }));
    mine.set(key, found);
    return found;
  }

  /** Show what is chosen: captions at once as far as they are known, then the record. */
  function draw() {
    byId("compare-a").hidden = !isComparing;
    byId("label-b").textContent = isComparing ? "Moment B" : "Moment";
    for (const [name, value] of [["a", other], ["b", place]]) {
      const slider = sliders[name];
      slider.max = String(Math.max(1, total()));
      slider.value = String(value);
      slider.disabled = total() < 2;
      caption(name, value, moments.known(value));
      for (const step of [-1, 1]) byId(`step-${name}-${step < 0 ? "back" : "on"}`).disabled = value + step < 1 || value + step > total();
    }
    compared();
    chosen();
  }

  function caption(name, value, entry) {
    const text = entry ? `After “${titleOf(entry)}” by ${actor(entry)}` : "…";
    const when = entry ? moment(entry.createdAt) : "";
    const number = `${count(value)} of ${count(total())}`;
    sliders[name].setAttribute("aria-valuetext", entry ? `${number}: ${text}, ${when}` : number);
    fill(byId(`caption-${name}`), h("strong", {}, text), h("span", {}, when), h("span", {}, number), value === total() && h("span.badge", { data: { tone: "good" } }, "now"));
  }

  async function show() {
    const mine = (turn += 1);
    const box = byId("state");
    try {
      const [first, last] = await Promise.all(isComparing ? [moments.at(other), moments.at(place)] : [moments.at(place), moments.at(total())]);
      if (mine !== turn) return;
      if (!first || !last) return fill(box, h("p.quiet", {}, "There is no such moment."));
      caption("b", place, isComparing ? last : first);
      if (isComparing) caption("a", other, first);
      const found = await compare(first, last);
      if (mine !== turn) return;
      fill(box, isComparing ? between(found) : past(found));
      const target = isComparing ? last : first;
      const button = byId("restore");
      button.hidden = !mayRestore || place === total();
      button.onclick = () => restore(target);
      byId("restore-text").textContent = isComparing ? "Restore to moment B" : "Restore to this moment";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (mine === turn) fill(box, h("p.notice.notice-bad", { role: "alert" }, error.message));
    } finally {
      if (mine === turn) box.setAttribute("aria-busy", "false");
    }
  }

  function past({ before, after, changes }) {
    if (before.exists) return drawState(before.state, after.exists ? changes : null, after.exists);
    return h("p.state-gone", {}, icon("trash"), "It was not there at this moment.");
  }

  function between({ before, after, changes, actions, total: number }) {
    const found = difference({ snapshotBefore: before.state, snapshotAfter: after.state, changes: before.exists && after.exists ? changes : null });
    const none = before.exists || after.exists ? "Nothing differs between these two moments." : "It was there at neither of these moments.";
    const rows = found.mode === "change" ? found.rows : found.rows.filter(({ quiet }) => !quiet);
    return [
      h("h3", {}, { create: "It came into being", delete: "It was deleted", change: "From A to B" }[before.exists || after.exists ? found.mode : "change"]),
      rows.length ? drawDifference({ ...found, rows }) : h("p.quiet", {}, none),
      number > 0 && h("details.between-actions", { open: number <= SHOWN }, h("summary", {}, `${plural(number, "action", "actions")} between`),
        h("ol", {}, actions.slice(0, SHOWN).map((entry) => h("li", {}, h("span", {}, titleOf(entry)), h("small", {}, ` ${actor(entry)} · ${moment(entry.createdAt)}`)))),
        number > SHOWN && h("p.quiet", {}, `and ${plural(number - SHOWN, "more", "more")}`)),
    ];
  }

  /** Look at a moment; `side` "a" is the first of a comparison. */
  function look(value, side = "b") {
    const next = Math.min(Math.max(1, value), Math.max(1, total()));
    if (side === "a") other = next;
    else place = next;
    draw();
  }

  function setComparing(isWanted, first = null) {
    isComparing = isWanted;
    byId("mode-compare").checked = isWanted;
    byId("mode-look").checked = !isWanted;
    if (isWanted) other = first ?? Math.max(1, (other && other !== place ? other : place - 1));
    announce(isWanted ? "Comparing two moments" : "Looking at one moment");
    draw();
  }

  for (const name of ["a", "b"]) {
    sliders[name].addEventListener("input", () => look(Number(sliders[name].value), name));
    for (const [end, step] of [["back", -1], ["on", 1]]) byId(`step-${name}-${end}`).addEventListener("click", () => look((name === "a" ? other : place) + step, name));
    sliders[name].setAttribute("aria-label", name === "a" ? TEXTS.a : "Moment");
  }
  byId("mode-look").addEventListener("change", () => setComparing(false));
  byId("mode-compare").addEventListener("change", () => setComparing(true));

  return {
    look,
    setComparing,
    step: (by) => look(place + by),
    isComparing: () => isComparing,
    place: () => place,
    other: () => other,
    restoreNow: () => !byId("restore").hidden && byId("restore").click(),
    /** After the moments were read again: follow the newest one if that was looked at. */
    refreshed(before) {
      kept = new Map();
      if (place === 0 || place === before) place = total();
      draw();
    },
  };
}
