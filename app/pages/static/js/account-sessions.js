/** Where I am signed in, and how to end that. */
import { ApiError, call } from "./api.js";
import { byId, fill, h, icon, note } from "./dom.js";
import { moment } from "./format.js";
import { attempt, since, tool } from "./parts.js";
import { toast } from "./toast.js";

const PROGRAMS = [[/Edg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/Chrom(e|ium)\//, "Chrome"], [/Safari\//, "Safari"]];
const SYSTEMS = [[/iPhone|iPad/, "iOS"], [/Android/, "Android"], [/Windows/, "Windows"], [/Mac OS X/, "macOS"], [/Linux/, "Linux"]];

/** "Firefox on Linux"; of other programs, what they call themselves. */
function nameOf(agent) {
  if (!agent) return "Unknown program";
  const [program, system] = [PROGRAMS, SYSTEMS].map((list) => list.find(([pattern]) => pattern.test(agent))?.[1]);
  return program ? [program, system].filter(Boolean).join(" on ") : agent.split(/[\s(]/)[0].slice(0, 60);
}

/** Show the sessions as they are now. */
export async function drawSessions() {
  try {
    const { items } = await call("GET", "/auth/sessions");
    note(byId("sessions-problem"), "");
    fill(byId("sessions"), items.map(line));
    byId("end-others").hidden = items.length < 2;
    byId("end-others").onclick = () => end(null, "All other sessions were ended");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(byId("sessions-problem"), error.message);
  } finally {
    byId("sessions").setAttribute("aria-busy", "false");
  }
}

function line(item) {
  const name = nameOf(item.userAgent);
  return h("li.session", {}, icon(/iPhone|Android/.test(item.userAgent ?? "") ? "person" : "keyboard"),
    h("span.who-text", {}, h("strong", { title: item.userAgent ?? "" }, name),
      h("span.who-note", {}, "Signed in ", since(item.createdAt), `, until ${moment(item.expiresAt)}`)),
    item.current ? h("span.badge", { data: { tone: "good" } }, "This one") : tool("leave", `End the session of ${name}`, () => end(item.id, `Session of ${name} ended`), { danger: true }));
}

async function end(id, text) {
  await attempt(async () => {
    await call("DELETE", "/auth/sessions", { query: { id } });
    toast(text, { kind: "good" });
  });
  await drawSessions();
}
