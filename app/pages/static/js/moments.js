/**
 * The moments of a record: the actions of its history, fetched in pages as they are needed. The place of a moment
 * counts from the oldest, which is 1, so that it stays what it is when newer ones come.
 */
import { call } from "./api.js";

const PAGE_SIZE = 50;
const MOST_SOUGHT = 20; // pages that are searched for an action

/** The moments behind the address of a record's history in the API. */
export function momentsOf(path) {
  const pages = new Map();
  let shown = 1;
  let total = 0;

  const fetched = (page) => call("GET", path, { query: { page, pageSize: PAGE_SIZE } });
  const pageCount = () => Math.max(1, Math.ceil(total / PAGE_SIZE));

  /** Read the newest pages again. */
  async function refresh() {
    const answers = await Promise.all(Array.from({ length: shown }, (_, index) => fetched(index + 1)));
    pages.clear();
    answers.forEach((answer, index) => pages.set(index + 1, answer.items));
    total = answers[0].total;
  }

  async function page(number) {
    if (!pages.has(number)) pages.set(number, (await fetched(number)).items);
    return pages.get(number);
  }

  const where = (place) => [Math.floor((total - place) / PAGE_SIZE) + 1, (total - place) % PAGE_SIZE];

  /** The action at a place, if it is here already. */
  function known(place) {
    const [number, offset] = where(place);
    return pages.get(number)?.[offset] ?? null;
  }

  return {
    refresh,
    known,
    total: () => total,
    hasOlder: () => shown < pageCount(),
    /** The newest actions, as many pages of them as were asked for. */
    newest: () => Array.from({ length: shown }, (_, index) => pages.get(index + 1) ?? []).flat(),
    /** Ask for a further page of the newest actions. */
    older: () => page((shown += 1)),
    /** The action at a place. */
    async at(place) {
      const [number, offset] = where(place);
      return (await page(number))[offset] ?? null;
    },
    /** The place of an action, or null when it is not found among the newest. */
    async placeOf(id) {
      for (let number = 1; number <= Math.min(pageCount(), MOST_SOUGHT); number += 1) {
        const offset = (await page(number)).findIndex((item) => item.id === id);
        if (offset >= 0) return total - (number - 1) * PAGE_SIZE - offset;
      }
      return null;
    },
  };
}
