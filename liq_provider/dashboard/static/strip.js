// The status strip: what is live and what is not, in words first.
import { h } from "./dom.js";
import { age, bytes, clock, counted, knownShare, soon, venueName } from "./format.js";

const OLD_S = 10;
const STARTING_MS = 120_000;
const header = document.querySelector("header");
const verdict = document.getElementById("verdict");

function feedChip(name, feed, coverage, now) {
  const live = feed.state === "live";
  const heard = feed.last_liquidation_ms ? `last ${age(now - feed.last_liquidation_ms)} ago` : "nothing yet";
  const words = live ? `${venueName(name)} live, ${heard}` : `${venueName(name)} ${feed.state.toUpperCase()}: ${feed.detail}`;
  return h("span", { class: `chip ${live ? "good" : "bad"}` }, `${words}; of 24 h ${knownShare(coverage)}${coverage === undefined ? "" : " known"}`);
}

function judgeChips(judge) {
  const budget = judge.model?.budget;
  const spent = budget?.spent?.usd_per_day;
  const calls = budget?.spent?.calls_per_day;
  const money = spent ? `$${spent.used.toFixed(4)} of $${spent.limit} today` : calls ? `${calls.used} of ${calls.limit} calls today, cost not known (no llm prices set)` : "costs nothing";
  const chips = [h("span", { class: `chip ${judge.model?.unavailable ? "bad" : ""}` },
    `judge ${judge.name}${judge.stand_in ? " (a STAND-IN, not an AI; its calls are made up)" : ""}: ${counted(judge.judged, "verdict")}, ${money}` + (judge.model?.unavailable ? `, UNAVAILABLE: ${judge.model.unavailable}` : ""))];
  if (budget?.reached?.length) chips.push(h("span", { class: "chip bad" }, `budget spent: ${budget.reached.join(", ")}`));
  const news = judge.news?.budget;
  if (news) chips.push(h("span", { class: `chip ${news.reached ? "bad" : ""}` }, `news: ${news.calls_per_day.used} of ${news.calls_per_day.limit} requests, $${news.usd.toFixed(3)} today` + (news.reached ? ", NOT ASKED until midnight UTC" : "")));
  const lame = Object.entries(judge.news?.feeds ?? {}).filter(([, feed]) => feed.error);
  if (lame.length) chips.push(h("span", { class: "chip bad" }, `news without ${lame.map(([name, feed]) => `${name}: ${feed.error}`).join("; ")}`));
  if (judge.failed) chips.push(h("span", { class: "chip bad" }, `${counted(judge.failed, "wave")} not judged, last error: ${judge.error}`));
  return chips;
}

export class Strip {
  constructor() {
    this.status = null;
    this.account = null;
    this.lost = null;
    this.offset = 0;
    this.age = 0;
    this.troubles = {};
  }

  get now() {
    return Date.now() + this.offset;
  }

  take(status) {
    this.status = status;
    this.draw();
  }

  // The server's own clock and the age of what it knows: a status that is sent again is not new.
  beat(found) {
    this.lost = null;
    this.offset = found.now_ms - Date.now();
    this.age = found.age_s;
    this.draw();
  }

  trouble(name, words) {
    this.troubles[name] = words;
    this.draw();
  }

  // Why what is shown is old, or null.
  get stale() {
    if (this.troubles.store) return `The page cannot read the store: ${this.troubles.store}; what is shown is old`;
    if (this.age > OLD_S) return `What is shown is ${age(1000 * this.age)} old`;
    return null;
  }

  takeAccount(account) {
    this.account = account;
    this.draw();
  }

  lose() {
    this.lost ??= Date.now();
    this.draw();
  }

  modes() {
    const chips = [];
    const said = this.status?.simulated.words;
    if (said) chips.push(h("span", { class: "chip mode sim", title: said }, said.split(":")[0] + (said.startsWith("SIMULATED in part") ? `: ${this.status.simulated.venues.join(", ")}` : "")));
    const account = this.account;
    const modes = new Set((this.status?.sidecar.bots ?? []).map((bot) => bot.dry_run));
    modes.add(account?.dry_run);
    if (modes.has(true)) chips.push(h("span", { class: "chip mode dry" }, "DRY-RUN"));
    if (modes.has(false)) chips.push(h("span", { class: "chip mode live" }, "LIVE: real money"));
    if (this.status && !modes.has(true) && !modes.has(false)) chips.push(h("span", { class: "chip" }, "no bot seen"));
    if (account?.name) chips.push(h("span", { class: "chip" }, `${account.name}: ${account.state}`));
    if (this.troubles.bot) chips.push(h("span", { class: "chip warn" }, `bot: not understood (${this.troubles.bot})`));
    if (account?.error) chips.push(h("span", { class: "chip warn" }, `bot: ${account.error}`));
    return chips;
  }

  draw() {
    document.getElementById("modes").replaceChildren(...this.modes());
    const status = this.status;
    if (this.lost || !status) {
      header.classList.toggle("bad", Boolean(this.lost));
      verdict.className = "chip bad";
      verdict.textContent = this.lost ? `Sidecar not reachable since ${clock(this.lost)} UTC; what is shown is old` : "connecting ...";
      return;
    }
    const feeds = Object.entries(status.sidecar.feeds ?? {});
    const dead = feeds.filter(([, feed]) => feed.state !== "live");
    const problem = this.stale ?? status.problem ?? status.sidecar.store_error;
    // Just started: no minute can have been settled yet, which is nothing to be alarmed about.
    const starting = !this.stale && !status.computed_ms && !dead.length && this.now - status.sidecar.started_ms < STARTING_MS;
    header.classList.toggle("bad", (Boolean(problem) && !starting) || dead.length > 0);
    verdict.className = `chip ${starting ? "warn" : problem || dead.length ? "bad" : "good"}`;
    verdict.textContent = this.stale ? this.stale : problem ? `No entries: ${problem}`
      : dead.length ? `${dead.length} of ${feeds.length} feeds not live: ${dead.map(([name]) => name).join(", ")}`
        : "Data is live";
    const base = status.baseline;
    const warm = base && base.segments < base.needed ? h("span", { class: "chip warn" }, `baseline warming up: ${base.segments} of ${base.needed} segments; first signal possible ${soon(base.first_signal_ms, this.now)}`) : null;
    const lost = status.sidecar.lost ? h("span", { class: "chip bad" }, `${counted(status.sidecar.lost, "liquidation")} lost`) : null;
    document.getElementById("strip").replaceChildren(...[
      ...feeds.map(([name, feed]) => feedChip(name, feed, status.coverage_24h?.[name], this.now)),
      ...(status.sidecar.judge ? judgeChips(status.sidecar.judge) : []),
      h("span", { class: "chip" }, `settled ${clock(status.computed_ms)} UTC`),
      h("span", { class: "chip" }, `store ${bytes(status.store_bytes)}`),
      warm, lost,
    ].filter(Boolean));
  }
}
