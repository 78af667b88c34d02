// Account overview and position monitor, from the bot's own REST API.
import { empty, facts, h, into } from "./dom.js";
import { age, clock, counted, directionClass, directionText, money, none, percent, price, rounded } from "./format.js";

const signed = (value, text) => h("span", { class: value > 0 ? "good" : value < 0 ? "bad" : "" }, text);
const pct = (value) => (value * 100).toFixed(2).replace(/\.?0+$/, "") + "%";

const old = (account) => (account.error
  ? h("p", { class: "bad" }, `Old, of ${clock(account.known_ms)} UTC: ${account.error}.`)
  : null);

export function showAccount(account) {
  const place = into("account");
  if (account.balance === undefined) {
    const off = account.error.startsWith("api_server");
    place.replaceChildren(empty(`Not known: ${account.error}.`), empty(off ? "Enable api_server in Freqtrade's configuration; the dashboard then asks the bot itself." : "The dashboard asks again every few seconds."));
    return;
  }
  const currency = account.stake_currency;
  const { profit, stops, count, profit_open: open } = account;
  place.replaceChildren(facts([
    ["Bot", `${account.name ?? none}, ${account.strategy} on ${account.exchange}${account.exchange_simulated ? " (simulated)" : ""}, ${account.state}`],
    ["Balance", money(account.balance, currency) + (account.balance_bot < account.balance ? `, of which the bot may use ${money(account.balance_bot, currency)}` : "")],
    ["Open positions", count === null ? `not told while the bot is ${account.state}` : `${count.current} of ${count.max < 0 ? "any number" : count.max}`],
    ["Closed profit", signed(rounded(profit.profit_closed_coin ?? 0, 2), `${money(profit.profit_closed_coin, currency)} in ${profit.closed_trade_count === null ? "an unknown number of trades" : counted(profit.closed_trade_count, "trade")} (${profit.winning_trades ?? none} won, ${profit.losing_trades ?? none} lost)`)],
    ["Open profit", open === null ? none : signed(rounded(open, 2), money(open, currency))],
    ["Stops", `trailing ${pct(stops.trailing_pct)} from best, armed at ${pct(stops.trailing_arm_pct)} profit; fallback ${pct(stops.fallback_pct)} against entry`],
    ["", old(account)],
  ]));
}

function card(item, now, currency) {
  const kept = item.kept;
  const stop = (name, value) => {
    if (value === null) return `${name}: not armed yet`;
    return `${name}: ${price(value)}${item.binds === name.toLowerCase() ? "  ← binds" : ""}`;
  };
  return h("article", { class: "card" },
    h("h3", {}, `${item.pair} `, h("span", { class: directionClass(item.direction) }, directionText(item.direction)),
      h("span", { class: "dim" }, ` ${item.leverage ?? 1}x, ${age(now - item.opened_ms)}`)),
    facts([
      ["Entry", price(item.entry)],
      ["Price", price(item.now)],
      ["Profit", item.profit_abs === null ? none : signed(rounded(item.profit_abs, 2), `${percent(item.profit_ratio)} (${money(item.profit_abs, currency)})`)],
      ["Price move", signed(rounded(item.profit ?? 0, 4), percent(item.profit))],
      ["Best move", `${percent(item.best_profit)} at ${price(item.best)}`],
      ["Back from best", item.drawdown === null ? none : percent(-item.drawdown)],
      ["Stops", h("span", {}, stop("Trailing", item.trailing), h("br"), stop("Fallback", item.fallback))],
      ["To the stop", percent(item.distance)],
      ["Opened by", [item.enter_tag, kept.strength && [`${kept.strength} wave`, item.score].filter(Boolean).join(", "), kept.judge].filter(Boolean).join(", ") || none],
      ["Verdict", kept.reason || null],
    ]));
}

export function showPositions(account, now) {
  const place = into("positions");
  if (account.positions === undefined) place.replaceChildren(empty("Not known while the bot does not answer."));
  else if (!account.positions.length) place.replaceChildren(old(account) ?? "", empty(account.error ? "No position was open then." : "No open position."));
  else place.replaceChildren(old(account) ?? "", h("div", { class: "cards" }, account.positions.map((item) => card(item, now, account.stake_currency))));
}
