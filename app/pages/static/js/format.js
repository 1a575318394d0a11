/** How values are written for people. */

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });
const DAY = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const MOMENT = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const NUMBER = new Intl.NumberFormat("en");
const STEPS = [[60, "second", 1], [3600, "minute", 60], [86_400, "hour", 3600], [604_800, "day", 86_400]];

/** "4 min. ago"; after a week, the date. */
export function ago(iso, now = Date.now()) {
  const seconds = Math.round((now - Date.parse(iso)) / 1000);
  if (seconds < 10) return "just now";
  for (const [limit, unit, size] of STEPS) if (seconds < limit) return RELATIVE.format(-Math.floor(seconds / size), unit);
  return new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" }).format(new Date(iso));
}

/** Date and time to the second, in the reader's zone. */
export const moment = (iso) => MOMENT.format(new Date(iso));

/** Hours and minutes. */
export const clock = (iso) => CLOCK.format(new Date(iso));

/** "Today", "Yesterday", or the full date; the heading of a day in a list. */
export function day(iso) {
  const date = new Date(iso);
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  if (date >= midnight) return "Today";
  if (date >= new Date(midnight.getTime() - 86_400_000)) return "Yesterday";
  return DAY.format(date);
}

/** A number with thousands separators. */
export const count = (number) => NUMBER.format(number);

/** "1 entry", "2 entries". */
export const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

/** "primaryEmail", "cf_priority", "sales.deal_loss" as words: "Primary email". */
export function words(name) {
  const text = name
    .replace(/^cf_/, "")
    .replace(/[._-]+/g, " ")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .trim()
    .replace(/^is (?=\w)/, "");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The first part of a uuid, enough to recognise it. */
export const short = (id) => (/^[0-9a-f]{8}-/i.test(id) ? id.slice(0, 8) : id);

/** One or two letters that stand for a person. */
export function initials(name) {
  const parts = name.replace(/@.*/, "").split(/[\s._-]+/).filter(Boolean);
  return (parts.length > 1 ? parts[0][0] + parts.at(-1)[0] : (parts[0] ?? "?").slice(0, 2)).toUpperCase();
}

/** A `<time>` text that keeps itself current: `refreshTimes` is called by the shell every half minute. */
export function refreshTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-ago]")) element.textContent = ago(element.dateTime);
}
