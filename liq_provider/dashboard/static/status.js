// The status strip: what is live and what is not, in words first.
import { h } from "./dom.js";
import { age, bytes, clock, countdown, counted, knownShare, soon, venueName } from "./format.js";

const OLD_S = 10;
const STARTING_MS = 120_000;
const header = document.querySelector("header");
const verdict = document.getElementById("verdict");

// Why, and from when it is possible if nothing fails.
function because(readiness, now) {
  if (!readiness.from_ms) return readiness.reason;
  return `${readiness.reason}; possible from ${soon(readiness.from_ms, now)} (${countdown(readiness.from_ms - now)})`;
}

function coinsChip(coins) {
  const said = Object.entries(coins).filter(([, n]) => n).map(([name, n]) => `${n} ${name.replace("_", " ")}`);
  return h("span", { class: "chip" }, `coins: ${said.join(", ") || "none seen yet"}`);
}

function feedChip(name, feed, readiness, uncounted, coverage, now, whole) {
  const live = feed.state === "live";
  const heard = feed.last_liquidation_ms ? `last ${age(now - feed.last_liquidation_ms)} ago` : "nothing yet";
  const words = live ? `${venueName(name)} live, ${heard}` : `${venueName(name)} ${feed.state.toUpperCase()}: ${feed.detail}`;
  // A feed that is live may not count yet; that is said with its own reason.
  let counts = "";
  if (live && readiness && readiness.condition !== "ready") {
    // What is said of the whole need not be said of each.
    const same = readiness.reason === whole.reason;
    counts = `; does not count yet: ${same ? readiness.condition.replace("_", " ") : because(readiness, now).replace(`${name}: `, "")}`;
  }
  if (live && !counts && uncounted) counts = `; does not count for ${counted(uncounted, "coin")}`;
  return h("span", { class: `chip ${live ? (counts ? "warn" : "good") : "bad"}` }, `${words}${counts}; of 24 h ${knownShare(coverage)}${coverage === undefined ? "" : " known"}`);
}

function judgeChips(judge) {
  const budget = judge.model?.budget;
  const spent = budget?.spent?.usd_per_day;
  const calls = budget?.spent?.calls_per_day;
  const money = judge.stand_in ? "no AI and no cost: what it says is made up" : spent ? `$${spent.used.toFixed(4)} of $${spent.limit} today` : calls ? `${calls.used} of ${calls.limit} calls today, cost not known (no llm prices set)` : "costs nothing";
  const chips = [h("span", { class: `chip ${judge.model?.unavailable ? "bad" : ""}` },
    `judge ${judge.name}: ${counted(judge.judged, "verdict")}, ${money}` + (judge.model?.unavailable ? `, UNAVAILABLE: ${judge.model.unavailable}` : ""))];
  if (budget?.reached?.length) chips.push(h("span", { class: "chip bad" }, `budget spent: ${budget.reached.join(", ")}`));
  const news = judge.news?.budget;
  if (news) chips.push(h("span", { class: `chip ${news.reached ? "bad" : ""}` }, `news: ${news.calls_per_day.used} of ${news.calls_per_day.limit} requests, $${news.usd.toFixed(3)} today` + (news.reached ? ", NOT ASKED until midnight UTC" : "")));
  const lame = Object.entries(judge.news?.feeds ?? {}).filter(([, feed]) => feed.error);
  if (lame.length) chips.push(h("span", { class: "chip bad" }, `news without ${lame.map(([name, feed]) => `${name}: ${feed.error}`).join("; ")}`));
  if (judge.failed) chips.push(h("span", { class: "chip bad" }, `${counted(judge.failed, "wave")} not judged, last error: ${judge.error}`));
  return chips;
}

// How long after their close each bot has its candles, where that makes its entries late.
function candleChips(bots) {
  return (bots ?? []).filter((bot) => ["warning", "error"].includes(bot.candles?.level)).map((bot) =>
    h("span", { class: `chip ${bot.candles.level === "error" ? "bad" : "warn"}`, title: bot.candles.remedy },
      `candles${bot.name ? ` of ${bot.name}` : ""}: ${bot.candles.words}`));
}

// What keeps each of the bots from an entry, whatever the sidecar has.
function tooLate(bots) {
  const told = (bots ?? []).map((bot) => bot.candles?.level).filter(Boolean);
  return told.length && told.every((level) => level === "error") ? "candles come too late" : null;
}

// The list that bots of the whole market read, what had no place on it, and how late the candles
// were of coins that joined it with a wave.
function pairsChip(list, bots) {
  if (!list?.read) return null;
  if (list.error) return h("span", { class: "chip bad" }, `list of pairs: ${list.error}`);
  const left = Object.entries(list.left_out);
  const said = left.length ? `, ${list.left_out_n} left out` : "";
  const why = left.map(([pair, reason]) => `${pair}: ${reason}`).join("\n") || "nothing was left out";
  const title = [list.few, why, ...(bots ?? []).map((bot) => bot.candles?.words)].filter(Boolean).join("\n");
  return h("span", { class: `chip ${left.length ? "warn" : ""}`, title }, `${counted(list.pairs.length, "pair")} listed, ${list.in_wave} in a wave${said}`);
}

export class StatusStrip {
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
    const { whole, venues } = status.readiness;
    const problem = this.stale ?? status.sidecar.store_error ?? tooLate(status.sidecar.bots);
    // Warming up, and a sidecar that has just started, are nothing to be alarmed about.
    const starting = !status.computed_ms && !dead.length && this.now - status.sidecar.started_ms < STARTING_MS;
    const waiting = !problem && (starting || whole.condition === "warming_up" || whole.condition === "too_thin");
    const ready = !problem && whole.condition === "ready";
    header.classList.toggle("bad", !(ready || waiting) || dead.length > 0);
    verdict.className = `chip ${ready && !dead.length ? "good" : waiting && !dead.length ? "warn" : "bad"}`;
    const notLive = dead.length ? `${dead.length} of ${feeds.length} feeds not live: ${dead.map(([name]) => name).join(", ")}` : "";
    verdict.textContent = this.stale ? this.stale
      : !ready ? `No entries: ${problem ?? because(whole, this.now)}` + (notLive ? `; ${notLive}` : "")
        : notLive ? `${notLive}; entries are possible with the others` : "Entries are possible";
    const lost = status.sidecar.lost ? h("span", { class: "chip bad" }, `${counted(status.sidecar.lost, "liquidation")} lost`) : null;
    document.getElementById("strip").replaceChildren(...[
      ...feeds.map(([name, feed]) => feedChip(name, feed, venues[name], status.readiness.uncounted[name], status.coverage_24h?.[name], this.now, whole)),
      ...candleChips(status.sidecar.bots),
      ...(status.sidecar.judge ? judgeChips(status.sidecar.judge) : []),
      h("span", { class: "chip" }, `settled ${clock(status.computed_ms)} UTC`),
      h("span", { class: "chip" }, `store ${bytes(status.store_bytes)}`),
      coinsChip(status.readiness.coins), pairsChip(status.sidecar.pair_list, status.sidecar.bots), lost,
    ].filter(Boolean));
  }
}
