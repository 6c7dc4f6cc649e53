// The fifteen published rules in json-rules-engine: products as JSON on standard input, decisions and CPU time out.
// Conditions are its own; what a rule sets is a run-time fact, which rules of lower priority then read.
const { Engine } = require("json-rules-engine");

const is = (fact, operator, value) => ({ fact, operator, value });
const other = (name) => ({ fact: name });
const RULES = [
  [120, [is("required_qty", "greaterThan", 0)], async (get, set) => set("shortage", (await get("required_qty")) - (await get("available_qty")))],
  [115, [is("is_active", "equal", false)], async (get, set) => { set("order_qty", 0); set("shortage", 0); set("need_reorder", false); }],
  [110, [is("shortage", "greaterThan", 0), is("shortage", "lessThan", other("moq")), is("is_active", "equal", true)], async (get, set) => set("order_qty", await get("moq"))],
  [109, [is("shortage", "greaterThanInclusive", other("moq")), is("is_active", "equal", true)], async (get, set) => set("order_qty", await get("shortage"))],
  [105, [is("order_qty", "greaterThan", 0), is("unit_price", "greaterThan", 0)], async (get, set) => set("total_amount", (await get("order_qty")) * (await get("unit_price")))],
  [100, [is("shortage", "greaterThan", 0)], async (get, set) => set("need_reorder", true)],
  [99, [is("shortage", "lessThanInclusive", 0)], async (get, set) => set("need_reorder", false)],
  [95, [is("total_amount", "greaterThan", 10000)], async (get, set) => { set("requires_approval", true); set("approval_status", "pending"); }],
  [90, [is("total_amount", "greaterThan", 0), is("total_amount", "lessThanInclusive", 10000)], async (get, set) => { set("requires_approval", false); set("approval_status", "auto_approved"); }],
  [85, [is("total_amount", "greaterThanInclusive", 50000)], async (get, set) => { const total = await get("total_amount"); set("discount_amount", total * 0.1); set("final_amount", total - total * 0.1); }],
  [84, [is("total_amount", "greaterThan", 0), is("total_amount", "lessThan", 50000)], async (get, set) => set("final_amount", await get("total_amount"))],
  [80, [is("final_amount", "greaterThan", 0)], async (get, set) => { const final = await get("final_amount"); set("tax_amount", final * 0.08); set("grand_total", final + final * 0.08); }],
  [75, [is("need_reorder", "equal", true), is("approval_status", "equal", "auto_approved"), is("order_qty", "greaterThan", 0)], async (get, set) => { set("should_create_po", true); set("po_status", "approved"); }],
  [74, [is("need_reorder", "equal", true), is("approval_status", "equal", "pending"), is("order_qty", "greaterThan", 0)], async (get, set) => { set("should_create_po", true); set("po_status", "pending_approval"); }],
  [70, [is("need_reorder", "equal", true), is("approval_status", "equal", "auto_approved")], async (get, set) => { set("should_send_po", true); set("send_method", "email"); }],
];
const STARTS = {
  shortage: 0, order_qty: 0, need_reorder: false, total_amount: 0, requires_approval: false, approval_status: "",
  discount_amount: 0, final_amount: 0, tax_amount: 0, grand_total: 0, should_create_po: false, po_status: "",
  should_send_po: false, send_method: "",
};

const engine = new Engine();
RULES.forEach(([priority, all, act], at) => engine.addRule({
  name: `R${at}`, priority, conditions: { all }, event: { type: `R${at}` },
  onSuccess: (_event, almanac) => act((name) => almanac.factValue(name), (name, value) => almanac.addRuntimeFact(name, value)),
}));

async function decide(product) {
  const required_qty = product.avg_daily_demand * product.lead_time_days;
  const { almanac } = await engine.run({ ...STARTS, ...product, required_qty });
  const made = {};
  for (const name of Object.keys(STARTS)) made[name] = await almanac.factValue(name);
  return made;
}

(async () => {
  const products = JSON.parse(require("fs").readFileSync(0, "utf8"));
  for (const one of products.slice(0, 200)) await decide(one);
  const start = process.cpuUsage();
  const made = [];
  for (const one of products) made.push(await decide(one));
  const used = process.cpuUsage(start);
  process.stdout.write(JSON.stringify({ microseconds: (used.user + used.system) / products.length, made }));
})();
