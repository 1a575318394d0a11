/** How far the taking back of many actions is: asked again and again while one is under way, wherever it was begun. */
import { ApiError, call } from "./api.js";
import { byId } from "./dom.js";
import { count } from "./format.js";

const EVERY = 700; // milliseconds between two looks
const PHASES = {
  waiting: "waiting for its turn",
  choosing: "finding the actions",
  comparing: "working out what they did",
  going_back: "going back",
  checking: "checking what depends on it",
  recording: "writing it down",
};

/** Follow what is under way at `path`; `who(id)` names a person. Answers `busy(text)`: what this page does, "" for nothing. */
export function openProgress(path, myId, who) {
  let text = "";
  let since = 0;
  let timer = 0;
  let ticking = 0;
  let run = null;

  /** Say what is under way, how far it is, and for how long. */
  function say() {
    const isBusy = Boolean(text || run);
    byId("progress").hidden = !isBusy;
    if (!isBusy) return;
    const bar = byId("progress-bar");
    const isCounted = run?.phase === "going_back" && run.total > 0;
    if (isCounted) {
      bar.max = run.total;
      bar.value = run.done;
    } else bar.removeAttribute("value");
    const seconds = Math.floor((Date.now() - (text ? since : Date.parse(run.createdAt))) / 1000);
    byId("progress-text").textContent = [
      text || `${who(run.actorUserId)} ${run.dryRun ? "previews an undo" : "takes back many actions"}`,
      run && (PHASES[run.phase] ?? run.phase),
      isCounted && `${count(run.done)} of ${count(run.total)} rows`,
      seconds > 1 && `${count(seconds)} s`,
    ].filter(Boolean).join(" · ");
  }

  /** Ask what is under way, and again while something is. */
  async function look() {
    clearTimeout(timer);
    try {
      const { items } = await call("GET", path);
      run = items.findLast(({ actorUserId }) => actorUserId === myId) ?? (text ? null : items.at(-1)) ?? null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      run = null;
    }
    say();
    clearTimeout(timer);
    if (text || run) timer = setTimeout(look, EVERY);
  }

  look();
  return (doing) => {
    clearInterval(ticking);
    text = doing;
    run = null;
    since = Date.now();
    say();
    byId("plan").setAttribute("aria-busy", String(Boolean(text)));
    if (!text) return;
    ticking = setInterval(say, 1_000);
    timer = setTimeout(look, EVERY);
  };
}
